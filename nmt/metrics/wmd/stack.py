"""Bags of many texts as arrays, so that thousands of pairs are prepared together and nothing is done pair by pair.

N bag, T place in the bags strung together, G pair of texts, A word of its one text, B word of its other, S word of both
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Stack:
    """Bag n has rows and counts at the sizes_N[n] places from starts_N[n] on, and words_N[n] known words in all."""

    rows_T: IntArray
    counts_T: FloatArray
    starts_N: IntArray
    sizes_N: IntArray
    words_N: FloatArray

    def padded(self, bags_G: IntArray, size: int) -> tuple[IntArray, FloatArray]:
        """rows_GA and counts_GA of some bags, each filled up to `size` words with some row and count 0."""
        places_GA = self.starts_N[bags_G][:, np.newaxis] + np.arange(size)
        sizes_G = self.sizes_N[bags_G]
        rows_GA, counts_GA = self.rows_T.take(places_GA, mode="clip"), self.counts_T.take(places_GA, mode="clip")
        if sizes_G.min() < size:
            counts_GA *= np.arange(size) < sizes_G[:, np.newaxis]
        return rows_GA, counts_GA


def whole_masses(
    counts_GA: FloatArray, words_Ga: FloatArray, counts_GB: FloatArray, words_Gb: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """mass_GA, mass_GB and total_G: whole numbers in the proportions of the counts, of equal sum in both texts.

    A word that occurs c times among the n of its text has mass c m where the other text has m words. Texts of as many
    words keep their counts. `words_Ga` and `words_Gb` are numbers of words, one for each text.
    """
    alike_G = words_Ga == words_Gb
    times_Ga, times_Gb = np.where(alike_G, 1.0, words_Gb), np.where(alike_G, 1.0, words_Ga)
    return counts_GA * times_Ga[:, np.newaxis], counts_GB * times_Gb[:, np.newaxis], words_Ga * times_Ga


class Shared(NamedTuple):
    """Mass that stays: of word a of one text of pair g, which is word b of the other."""

    pair_S: IntArray
    a_S: IntArray
    b_S: IntArray
    mass_S: FloatArray


def shared_masses(rows_GA: IntArray, mass_GA: FloatArray, rows_GB: IntArray, mass_GB: FloatArray) -> Shared:
    """Mass of words that both texts of a pair have.

    Some optimal flow leaves it where it is, since the cost is a metric (Pele & Werman 2009).
    """
    same_GAB = rows_GA[:, :, np.newaxis] == rows_GB[:, np.newaxis, :]
    pair_S, a_S, b_S = np.unravel_index(np.flatnonzero(same_GAB), same_GAB.shape)
    mass_S = np.minimum(mass_GA[pair_S, a_S], mass_GB[pair_S, b_S])
    there = np.flatnonzero(mass_S)  # the rest are words that fill a text up
    return Shared(pair_S[there], a_S[there], b_S[there], mass_S[there])


def left_masses(
    rows_GA: IntArray, mass_GA: FloatArray, rows_GB: IntArray, mass_GB: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """mass_GA and mass_GB that have to move, once shared mass stays."""
    shared = shared_masses(rows_GA, mass_GA, rows_GB, mass_GB)
    left_GA, left_GB = mass_GA.copy(), mass_GB.copy()
    left_GA[shared.pair_S, shared.a_S] -= shared.mass_S  # each word of a text is in it once
    left_GB[shared.pair_S, shared.b_S] -= shared.mass_S
    return left_GA, left_GB
