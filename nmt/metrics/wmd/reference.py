"""pyemd, the implementation that gensim used: slower, and here to be compared with.

G pair of bags, A word of its one bag, B word of its other, J word of either
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from nmt.errors import MetricError
from nmt.metrics.wmd.bags import FloatArray, IntArray
from nmt.metrics.wmd.costs import Costs


def reference_distances(
    rows_GA: IntArray, counts_GA: FloatArray, rows_GB: IntArray, counts_GB: FloatArray, costs: Costs
) -> FloatArray:
    """distance_G by pyemd's default back end: each pair as two histograms over the words of either. A count of 0: none.

    Raises MetricError where pyemd cannot be imported.
    """
    emd = _load()
    distance_G = np.zeros(len(rows_GA))
    for pair, (rows_A, counts_A, rows_B, counts_B) in enumerate(
        zip(rows_GA, counts_GA, rows_GB, counts_GB, strict=True)
    ):
        of_a, of_b = counts_A > 0, counts_B > 0
        rows_J = np.union1d(rows_A[of_a], rows_B[of_b])
        mass_J, other_J = np.zeros(len(rows_J)), np.zeros(len(rows_J))
        mass_J[np.searchsorted(rows_J, rows_A[of_a])] = counts_A[of_a] / counts_A.sum()
        other_J[np.searchsorted(rows_J, rows_B[of_b])] = counts_B[of_b] / counts_B.sum()
        cost_JJ = costs.between(rows_J, rows_J)
        exponent = math.frexp(cost_JJ.max())[1]  # pyemd takes costs far below 1 for equal
        distance_G[pair] = math.ldexp(emd(mass_J, other_J, np.ldexp(cost_JJ, -exponent)), exponent)
    return distance_G


def _load() -> Callable[[FloatArray, FloatArray, FloatArray], float]:
    try:
        import pyemd  # no other back end needs it, and its older wheels fail to load beside a new setuptools
    except ImportError as error:
        raise MetricError(
            "metrics.wmd.backend",
            found=f"pyemd, which cannot be imported ({error})",
            expected="a pyemd that works",
            next_step="install pyemd 1.1 or newer, or choose exact, which gives the same distances",
        ) from error
    emd: Callable[[FloatArray, FloatArray, FloatArray], float] = pyemd.emd
    return emd
