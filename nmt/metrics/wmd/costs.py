"""What it costs to move mass from one word to another: the Euclidean distance between their vectors.

V word in use, D dimension, G pair of texts, A word of its one text, B word of its other,
K close pair of words, or pair of texts in a block
"""

from __future__ import annotations

import numpy as np

from nmt.metrics.wmd.bags import FloatArray, IntArray

# Up to this many pairs of words (256 MB) all distances are worked out at once, if enough of them will be used.
_LARGEST_TABLE = 1 << 25
_USES = 0.25
# Squared distances below this share of the largest |a|^2 + |b|^2 beside them are worked out anew from differences.
_CLOSE = 0.01
# Vectors that are held at once: they stay in the processor's cache.
_BLOCK = 256
# Squares between these, and no others, keep all their digits.
_TINY, _HUGE = 2.0**-900, 2.0**1000


class Costs:
    """Distances between rows of `vectors_VD`, in float64.

    |a - b|^2 = |a|^2 + |b|^2 - 2 a.b makes a matrix product of most of the work. Rounding of it is some 1e-16 of
    |a|^2 + |b|^2, which is nothing beside a large distance and everything beside a small one: where a and b are close,
    the distance is taken from their difference, and where a square would vanish or overflow. About 14 digits are right.

    `num_cells`: how many distances will be asked for in all, repeats included; it decides whether they are kept.
    """

    def __init__(self, vectors_VD: FloatArray, num_cells: int) -> None:
        self._vectors_VD = vectors_VD
        with np.errstate(over="ignore"):
            self._squares_V: FloatArray = np.einsum("vd,vd->v", vectors_VD, vectors_VD)
        size = len(vectors_VD) ** 2
        self._table_VV: FloatArray | None = None
        if size <= _LARGEST_TABLE and num_cells >= _USES * size:
            every_V = np.arange(len(vectors_VD))
            blocks = [every_V[start : start + _BLOCK] for start in range(0, len(every_V), _BLOCK)]
            self._table_VV = np.concatenate([self.between(rows, every_V) for rows in blocks])

    def between(self, rows_A: IntArray, rows_B: IntArray) -> FloatArray:
        """cost_AB of each word of one text to each of another."""
        cost_AB: FloatArray = self.of_pairs(rows_A[np.newaxis], rows_B[np.newaxis])[0]
        return cost_AB

    def of_pairs(
        self,
        rows_GA: IntArray,
        rows_GB: IntArray,
        sizes_Ga: IntArray | None = None,
        sizes_Gb: IntArray | None = None,
    ) -> FloatArray:
        """cost_GAB of many pairs of texts, which are filled up to the same numbers of words.

        Sizes are numbers of words before that (None: as many as there are): beyond them costs are some numbers.
        """
        if self._table_VV is not None:
            kept_GAB: FloatArray = self._table_VV[rows_GA[:, :, np.newaxis], rows_GB[:, np.newaxis, :]]
            return kept_GAB
        square_GA, square_GB = self._squares_V[rows_GA], self._squares_V[rows_GB]
        largest = square_GA.max() + square_GB.max()
        if _TINY < largest < _HUGE:
            square_GAB = self._products(rows_GA, rows_GB, sizes_Ga, sizes_Gb)
            square_GAB *= -2.0
            square_GAB += square_GA[:, :, np.newaxis]
            square_GAB += square_GB[:, np.newaxis, :]
            close = np.flatnonzero(square_GAB < max(_CLOSE * largest, _TINY))
            square_GAB.ravel()[close] = 0.0  # rounding may have made less of it
        else:
            square_GAB = np.zeros((*rows_GA.shape, rows_GB.shape[1]))
            close = np.arange(square_GAB.size)
        cost_GAB = np.sqrt(square_GAB, out=square_GAB)
        if len(close):
            pair_K, a_K, b_K = np.unravel_index(close, cost_GAB.shape)
            cost_GAB.ravel()[close] = self._by_difference(rows_GA[pair_K, a_K], rows_GB[pair_K, b_K])
        return cost_GAB

    def _products(
        self, rows_GA: IntArray, rows_GB: IntArray, sizes_Ga: IntArray | None, sizes_Gb: IntArray | None
    ) -> FloatArray:
        """a.b of each word of one text and each of the other; 0 beyond the sizes of all pairs of a block."""
        num_pairs, size_a, size_b = *rows_GA.shape, rows_GB.shape[1]
        product_GAB = np.zeros((num_pairs, size_a, size_b))
        block = max(1, _BLOCK // (size_a + size_b))
        starts = np.arange(0, num_pairs, block)
        dimension = self._vectors_VD.shape[1]
        from_KD, to_KD = np.empty((block * size_a, dimension)), np.empty((block * size_b, dimension))
        for start, a, b in zip(
            starts.tolist(), _largest(sizes_Ga, starts, size_a), _largest(sizes_Gb, starts, size_b), strict=True
        ):
            some = slice(start, start + block)
            from_KAD, to_KBD = self._take(rows_GA[some, :a], from_KD), self._take(rows_GB[some, :b], to_KD)
            np.matmul(from_KAD, to_KBD.transpose(0, 2, 1), out=product_GAB[some, :a, :b])
        return product_GAB

    def _take(self, rows_KA: IntArray, into_KD: FloatArray) -> FloatArray:
        """vector_KAD, at the beginning of a buffer that stays in the cache."""
        num, size = rows_KA.shape
        vector_KAD = into_KD[: num * size].reshape(num, size, -1)
        # Rows are known to be in range: with "clip" they are copied straight to where they are wanted.
        self._vectors_VD.take(rows_KA, axis=0, out=vector_KAD, mode="clip")
        return vector_KAD

    def _by_difference(self, rows_K: IntArray, columns_K: IntArray) -> FloatArray:
        """distance_K; 0 of a word from itself."""
        distance_K = np.zeros(len(rows_K))
        other_K = np.flatnonzero(rows_K != columns_K)
        for start in range(0, len(other_K), _BLOCK):
            some = other_K[start : start + _BLOCK]
            distance_K[some] = lengths(self._vectors_VD[rows_K[some]] - self._vectors_VD[columns_K[some]])
        return distance_K


def lengths(vector_KD: FloatArray) -> FloatArray:
    """length_K of vectors of any size: squares neither vanish nor overflow."""
    with np.errstate(over="ignore"):
        square_K: FloatArray = np.einsum("kd,kd->k", vector_KD, vector_KD)
    length_K: FloatArray = np.sqrt(square_K)
    beyond = np.flatnonzero((square_K < _TINY) | (square_K > _HUGE))
    if len(beyond):
        exponent_K = np.frexp(np.abs(vector_KD[beyond]).max(axis=1))[1]
        scaled_KD = np.ldexp(vector_KD[beyond], -exponent_K[:, np.newaxis])
        length_K[beyond] = np.ldexp(np.sqrt(np.einsum("kd,kd->k", scaled_KD, scaled_KD)), exponent_K)
    return length_K


def distances_from(vector_D: FloatArray, vectors_VD: FloatArray) -> FloatArray:
    """distance_V of one vector from each of many, by their differences."""
    blocks = [vectors_VD[start : start + _BLOCK] - vector_D for start in range(0, len(vectors_VD), _BLOCK)]
    return np.concatenate([lengths(block_KD) for block_KD in blocks])


def _largest(sizes_G: IntArray | None, starts: IntArray, size: int) -> list[int]:
    """The largest size in each block."""
    return [size] * len(starts) if sizes_G is None else np.maximum.reduceat(sizes_G, starts).tolist()
