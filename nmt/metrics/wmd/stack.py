"""Bags of many texts as arrays, so that thousands of pairs are prepared together and nothing is done pair by pair.

N bag, T place in the bags strung together, G pair of texts, A word of its one text, B word of its other
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from nmt.metrics.wmd.bags import Bag, FloatArray, IntArray


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
        if self.sizes_N[bags_G].min() == size:
            return self.rows_T[places_GA], self.counts_T[places_GA]
        np.minimum(places_GA, len(self.rows_T) - 1, out=places_GA)
        present_GA = np.arange(size) < self.sizes_N[bags_G][:, np.newaxis]
        return self.rows_T[places_GA], np.where(present_GA, self.counts_T[places_GA], 0.0)


def stack(bags: Sequence[Bag]) -> Stack:
    """Of bags that each have a known word."""
    sizes_N = np.array([len(bag.counts) for bag in bags])
    num_places = int(sizes_N.sum())
    return Stack(
        rows_T=np.fromiter(chain.from_iterable([bag.counts for bag in bags]), np.int64, num_places),
        counts_T=np.fromiter(chain.from_iterable([bag.counts.values() for bag in bags]), np.float64, num_places),
        starts_N=np.cumsum(sizes_N) - sizes_N,
        sizes_N=sizes_N,
        words_N=np.array([bag.num_known for bag in bags], dtype=np.float64),
    )


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


def shared_masses(rows_GA: IntArray, mass_GA: FloatArray, rows_GB: IntArray, mass_GB: FloatArray) -> FloatArray | None:
    """staying_GAB: mass of a word that both texts have; None where no two texts of a pair share a word.

    Some optimal flow leaves it where it is, since the cost is a metric (Pele & Werman 2009).
    """
    same_GAB = rows_GA[:, :, np.newaxis] == rows_GB[:, np.newaxis, :]
    if not same_GAB.any():
        return None
    staying_GAB: FloatArray = np.minimum(mass_GA[:, :, np.newaxis], mass_GB[:, np.newaxis, :])
    staying_GAB *= same_GAB
    return staying_GAB
