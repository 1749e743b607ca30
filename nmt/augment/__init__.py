"""Training text made with models of one's own: back-translations, forward translations, diversification.

Read `loop.py` first; `plan.py` says which stages there are, `sums.py` what is kept of what they made.
"""
