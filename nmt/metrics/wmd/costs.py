"""What it costs to move mass from one word to another: the Euclidean distance between their vectors.

V word in use, D dimension, K pair of words
"""

from __future__ import annotations

import numpy as np

from nmt.metrics.wmd.bags import FloatArray, IntArray

# Up to this many pairs of words (256 MB) each distance is worked out once and kept.
_LARGEST_TABLE = 1 << 25
# The table is a random walk through memory: it pays where most of it is used, again and again.
_USES = 0.25
# Pairs whose differences are held at once: they stay in the processor's cache.
_BLOCK = 1024


class Costs:
    """Distances between rows of `vectors_VD`, in float64, from differences and not from dot products.

    |a - b|^2 = |a|^2 + |b|^2 - 2 a.b would be faster, and lose half of the digits where a is close to b.

    `num_cells`: how many distances will be asked for in all, repeats included; it decides whether they are kept.
    """

    def __init__(self, vectors_VD: FloatArray, num_cells: int) -> None:
        self._vectors_VD = vectors_VD
        self._num_words = len(vectors_VD)
        size = self._num_words**2
        # 0 stands for "not yet known". Words of equal vectors are 0 apart and worked out again each time, which is
        # right too.
        self._table = np.zeros(size) if size <= _LARGEST_TABLE and num_cells >= _USES * size else None

    def __call__(self, rows_K: IntArray, columns_K: IntArray) -> FloatArray:
        """cost_K: distance between word rows_K[k] and word columns_K[k]."""
        if self._table is None:
            return self._exact(rows_K, columns_K)
        keys_K = np.minimum(rows_K, columns_K) * self._num_words + np.maximum(rows_K, columns_K)
        cost_K: FloatArray = self._table[keys_K]
        missing_K = np.flatnonzero(cost_K == 0.0)
        if len(missing_K):
            new_K = np.unique(keys_K[missing_K])
            self._table[new_K] = self._exact(*np.divmod(new_K, self._num_words))
            cost_K[missing_K] = self._table[keys_K[missing_K]]
        return cost_K

    def between(self, rows_A: IntArray, rows_B: IntArray) -> FloatArray:
        """cost_AB of each word of one text to each of another."""
        rows_K, columns_K = np.repeat(rows_A, len(rows_B)), np.tile(rows_B, len(rows_A))
        return self(rows_K, columns_K).reshape(len(rows_A), len(rows_B))

    def _exact(self, rows_K: IntArray, columns_K: IntArray) -> FloatArray:
        square_K = np.empty(len(rows_K))
        block = min(_BLOCK, len(rows_K))
        from_KD, to_KD = (np.empty((block, self._vectors_VD.shape[1])) for _ in range(2))
        for start in range(0, len(rows_K), _BLOCK):
            end = min(start + _BLOCK, len(rows_K))
            here_KD, there_KD = from_KD[: end - start], to_KD[: end - start]
            # mode="clip" (no index is out of range) lets NumPy write into `out` without a copy.
            np.take(self._vectors_VD, rows_K[start:end], axis=0, out=here_KD, mode="clip")
            np.take(self._vectors_VD, columns_K[start:end], axis=0, out=there_KD, mode="clip")
            np.subtract(here_KD, there_KD, out=here_KD)
            np.einsum("kd,kd->k", here_KD, here_KD, out=square_K[start:end])
        return np.sqrt(square_K, out=square_K)
