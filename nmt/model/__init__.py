"""The encoder-decoder as layers of variables: an equation a file, shapes in the names, no state beside the variables.

Read `seq2seq.py` first: what the layers make together; then `attention.py`.
"""
