"""Loaded before any test module, and so before TensorFlow: see nmt/app/__init__.py for why the order matters."""

import sentencepiece as sentencepiece
