"""A lower bound of the Word Mover's Distance from one text to each of a corpus (Kusner et al. 2015, section 3.3).

N text of the corpus, V word in use, A word of the query, T place in the texts strung together
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nmt.metrics.wmd.bags import Bag, FloatArray, stack


class Bounds:
    """Of distances to `corpus`: bags that each have a known word."""

    def __init__(self, corpus: Sequence[Bag]) -> None:
        texts = stack(corpus)
        self._rows_T, self._starts_N = texts.rows_T, texts.starts_N
        self._mass_T = texts.counts_T / np.repeat(texts.words_N, texts.sizes_N)

    def rwmd(self, query: Bag, cost_AV: FloatArray) -> FloatArray:
        """bound_N, relaxed WMD: each word's mass goes to the nearest word of the other text; of both ways the dearer.

        `cost_AV`: distance of each word of the query to each word in use.
        """
        nearest_V = cost_AV.min(axis=0)
        back_N = np.add.reduceat(self._mass_T * nearest_V[self._rows_T], self._starts_N)
        there_N = np.zeros(len(self._starts_N))
        for cost_V, mass in zip(cost_AV, query.mass_A, strict=True):
            there_N += np.minimum.reduceat(cost_V[self._rows_T], self._starts_N) * mass
        bound_N: FloatArray = np.maximum(back_N, there_N)
        return bound_N
