"""A trained model and a sentence give translations: greedy, beam, sampling, ensembles, demands; order is kept.

Read `translate.py` first: text in, text out; `beam.py` is the search, `penalties.py` what it prefers.
"""
