"""Systems beside one another: checkpoints, ensembles, files of any toolkit, scores that came from elsewhere.

Read `judge.py` first: what a difference is worth. `buckets.py` says where each is good, `robustness.py` makes the test
set worse, `blind.py` asks people. Nothing here needs TensorFlow; what decodes checkpoints is above.
"""
