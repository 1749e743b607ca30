# S source step, T target step
"""What a search found for one line."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Translation:
    """One translation of one line. Row t of the attention belongs to piece t of the target, both ending in EOS."""

    text: str  # without line breaks
    score: float  # `nmt.search.penalties`; comparable between translations of one line
    tokens: list[int]  # ids, EOS included
    weight_TS: np.ndarray | None  # float32; each row sums to 1
    pieces_src: list[str]  # labels of the source pieces, EOS included
    pieces_tgt: list[str]
    log_prob: float = 0.0  # natural logarithm, of the whole sentence
