"""Neural machine translation with TensorFlow, end to end: train, checkpoint, score, explain."""

__version__ = "0.1.0"
