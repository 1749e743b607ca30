"""Intervals and resamples over sentences, from sufficient statistics.

A score of a corpus is a function of the sum of its sentences' statistics (n-gram counts, lengths). To score a resample
is therefore to add up rows, not to read sentences again.

    N sentence, F statistic, K resample
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
# Summed statistics [K, F] -> scores [K].
CorpusScore = Callable[[FloatArray], FloatArray]

# Numbers drawn at once: bounds memory to some tens of MB. Rows come in multiples of 32 because NumPy takes 32 booleans
# from one word of its generator and drops the rest of a word after each call: only so do parts equal one large draw.
_DRAWS = 1 << 21
_ROWS = 32


@dataclass(frozen=True)
class Interval:
    """Bounds (inclusive) between which `confidence` of the resampled scores lie, in the unit of the score."""

    low: float
    high: float
    confidence: float = 0.95


def row_blocks(num_rows: int, num_sentences: int) -> Iterator[int]:
    """Sizes of the parts in which `num_rows` rows of `num_sentences` numbers are drawn; they add up to num_rows."""
    block = max(_ROWS, _DRAWS // max(1, num_sentences) // _ROWS * _ROWS)
    for start in range(0, num_rows, block):
        yield min(block, num_rows - start)


def resample_counts(num_sentences: int, resamples: int, seed: int) -> Iterator[FloatArray]:
    """How often each sentence falls into each resample of the bootstrap, in blocks [K, N] whose rows sum to N.

    The draws are those of sacreBLEU for the same seed.
    """
    generator = np.random.default_rng(seed)
    for num_rows in row_blocks(resamples, num_sentences):
        drawn_KN = generator.integers(num_sentences, size=(num_rows, num_sentences))
        flat = drawn_KN + num_sentences * np.arange(num_rows)[:, np.newaxis]
        counts = np.bincount(flat.ravel(), minlength=num_rows * num_sentences)
        yield counts.reshape(num_rows, num_sentences).astype(np.float64)


def resampled_scores(statistics_NF: FloatArray, score: CorpusScore, resamples: int, seed: int) -> FloatArray:
    """Scores [K] of `resamples` corpora drawn from the sentences with replacement (Efron & Tibshirani 1993)."""
    counts = resample_counts(len(statistics_NF), resamples, seed)
    return np.concatenate([score(counts_KN @ statistics_NF) for counts_KN in counts])


def percentile_interval(scores_K: FloatArray, confidence: float) -> Interval:
    """The middle `confidence` of the scores: equally many are cut off below and above, as sacreBLEU does."""
    num_cut = int(round(len(scores_K) * (1.0 - confidence) / 2.0, 9))  # rounded: 1 - 0.9 is 0.0999...
    sorted_K = np.sort(scores_K)
    return Interval(float(sorted_K[num_cut]), float(sorted_K[len(sorted_K) - 1 - num_cut]), confidence)


def bootstrap_interval(
    statistics_NF: FloatArray, score: CorpusScore, resamples: int, confidence: float, seed: int
) -> Interval | None:
    """Percentile interval of a corpus score over sentences; None for 0 resamples."""
    if resamples == 0:
        return None
    return percentile_interval(resampled_scores(statistics_NF, score, resamples, seed), confidence)


def mean_statistics(values_N: FloatArray) -> FloatArray:
    """Sufficient statistics [N, 2] (value, 1) of a score that is a mean over sentences; a NaN is left out (0, 0)."""
    present_N = ~np.isnan(values_N)
    return np.stack([np.where(present_N, values_N, 0.0), present_N.astype(np.float64)], axis=1)


def mean_from_statistics(summed_KF: FloatArray) -> FloatArray:
    """Means [K] from summed `mean_statistics`; NaN where nothing was present."""
    with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN that is meant
        return summed_KF[:, 0] / summed_KF[:, 1]
