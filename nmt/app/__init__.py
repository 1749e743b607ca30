"""What the programs put together: a training run, an evaluation, a translation. No ideas of its own.

Read `train.py` first: a run from text to report, in the order in which it happens.
"""

# Before TensorFlow: with 2.14 loaded first, SentencePiece crashes as it learns a model (both bring a protobuf library).
import sentencepiece as sentencepiece

from nmt.app.quiet import load_tensorflow

load_tensorflow()
