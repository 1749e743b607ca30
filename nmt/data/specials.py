"""The ids that mean the same in every vocabulary, and how they are shown."""

from __future__ import annotations

PAD, BOS, EOS, UNK = 0, 1, 2, 3
NUM_SPECIALS = 4
UNKNOWN = "⁇"  # what stands in text for a piece that the vocabulary lacks
SPECIAL_NAMES = {PAD: "<pad>", BOS: "<s>", EOS: "</s>", UNK: UNKNOWN}
