"""All options, typed, with their defaults, bounds and meanings, and the command lines that they are read from.

Nothing here imports TensorFlow. Read `root.py` first: the configuration of a run; `compose.py` checks a command line.
"""
