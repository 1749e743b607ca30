"""Text to subwords to batches, in NumPy and SentencePiece. What order batches have follows from seed and epoch alone.

Read `corpora.py` first: all text of a run; `encode.py` makes ids of it, `batches.py` batches.
"""
