"""Systems beside one another: checkpoints, ensembles, files of any toolkit, scores that came from elsewhere.

Read `judge.py` first: what a difference is worth. Nothing here needs TensorFlow; what decodes checkpoints is above.
"""
