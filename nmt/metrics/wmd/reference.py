"""pyemd, the implementation that gensim used: slower, and here to be compared with.

P pair of bags, J word of either bag
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from nmt.errors import MetricError
from nmt.metrics.wmd.bags import Bag, FloatArray
from nmt.metrics.wmd.costs import Costs


def reference_distances(pairs: Sequence[tuple[Bag, Bag]], costs: Costs) -> FloatArray:
    """distance_P by pyemd's default back end: each pair as two histograms over the words of either.

    Raises MetricError where pyemd cannot be imported.
    """
    emd = _load()
    distance_P = np.zeros(len(pairs))
    for pair, (a, b) in enumerate(pairs):
        joint = sorted({*a.counts, *b.counts})
        rows_J = np.array(joint, dtype=np.int64)
        distance_P[pair] = emd(_histogram(a, joint), _histogram(b, joint), costs.between(rows_J, rows_J))
    return distance_P


def _histogram(bag: Bag, joint: list[int]) -> FloatArray:
    return np.array([bag.counts[row] / bag.num_known if row in bag.counts else 0.0 for row in joint])


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
