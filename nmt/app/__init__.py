"""Floor 9: what the three entry points put together. No ideas of its own."""

# Before TensorFlow: with 2.14 loaded first, SentencePiece crashes as it learns a model (both bring a protobuf library).
import sentencepiece as sentencepiece

from nmt.app.quiet import load_tensorflow

load_tensorflow()
