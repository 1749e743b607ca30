"""Lower bounds of the Word Mover's Distance from one text to each of a corpus (Kusner et al. 2015, sections 3.2, 3.3).

N text of the corpus, V word in use, D dimension, A word of the query, T place in the texts strung together
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nmt.metrics.wmd.bags import Bag, FloatArray, stack


class Bounds:
    """Of distances to `corpus`: bags that each have a known word, over `vectors_VD`."""

    def __init__(self, corpus: Sequence[Bag], vectors_VD: FloatArray) -> None:
        self._vectors_VD = vectors_VD
        texts = stack(corpus)
        self._rows_T, self._starts_N = texts.rows_T, texts.starts_N
        self._mass_T = texts.counts_T / np.repeat(texts.words_N, texts.sizes_N)
        self._centroids_ND = np.stack([_centroid(bag, vectors_VD) for bag in corpus])

    def wcd(self, query: Bag) -> FloatArray:
        """bound_N, word centroid distance: |sum_a mass_a x_a - sum_b mass_b x_b| <= WMD (eq. 4)."""
        difference_ND = self._centroids_ND - _centroid(query, self._vectors_VD)
        bound_N: FloatArray = np.sqrt(np.einsum("nd,nd->n", difference_ND, difference_ND))
        return bound_N

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


def _centroid(bag: Bag, vectors_VD: FloatArray) -> FloatArray:
    centroid_D: FloatArray = bag.mass_A @ vectors_VD[bag.rows]
    return centroid_D
