"""One file that holds all of a trained model: weights by name, and everything that an evaluation or a resume needs.

FORMAT.md is the contract on disk. Read `bundle.py` first: every key beside the weights; `parameters.py` sets those.
"""
