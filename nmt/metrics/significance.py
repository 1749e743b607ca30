"""Is one system better than another, or was it the choice of sentences? Two paired tests over sentences.

Both work on any score that is a function of summed statistics, such as BLEU or a mean over sentences. Both are
sacreBLEU's for the same seed, with one difference: a draw that ties with the observed difference counts, as Riezler &
Maxwell define it. sacreBLEU leaves ties out, and so finds a system significantly different from itself.

    N sentence, F statistic, K resample or trial
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nmt.errors import MetricError
from nmt.metrics.bootstrap import (
    CorpusScore,
    FloatArray,
    Interval,
    percentile_interval,
    resample_counts,
    row_blocks,
)

TRIALS = 10_000  # of the randomisation test; usual
_TIE = 1e-9  # of the larger score: differences nearer than that are equal but for rounding


@dataclass(frozen=True)
class Comparison:
    """A system beside the baseline: `difference` is system minus baseline, `p_value` two-sided."""

    score: float
    difference: float
    p_value: float


@dataclass(frozen=True)
class BootstrapComparison(Comparison):
    """`wins` is the fraction of resamples in which the system scores higher than the baseline (Koehn 2004).

    `p_centred` is two-sided over the signed differences: `p_value`, which takes their absolute values, comes to about
    half of it where the difference is not tiny (docs/comparisons.md).
    """

    mean: float
    interval: Interval
    difference_interval: Interval
    wins: float
    p_centred: float


def paired_bootstrap(
    baseline_NF: FloatArray,
    systems: Sequence[FloatArray],
    score: CorpusScore,
    *,
    resamples: int,
    confidence: float,
    seed: int,
) -> list[BootstrapComparison]:
    """Each system [N, F] against the baseline on the same resamples of sentences (Koehn 2004).

    p-value: the shifted test of Riezler & Maxwell 2005 (figure 2), with d* the absolute difference in a resample:

        p = (1 + #{d* - mean(d*) >= |difference|}) / (1 + resamples)

    Raises MetricError unless all are scored on equally many sentences, at least one, with at least one resample.
    """
    _check_paired(baseline_NF, systems, resamples)
    blocks = [
        [score(counts_KN @ system_NF) for system_NF in (baseline_NF, *systems)]
        for counts_KN in resample_counts(len(baseline_NF), resamples, seed)
    ]
    base_K, *scores = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    base = _corpus(baseline_NF, score)
    found = []
    for system_NF, scores_K in zip(systems, scores, strict=True):
        value = _corpus(system_NF, score)
        apart_K = np.abs(scores_K - base_K)
        found.append(
            BootstrapComparison(
                score=value,
                difference=value - base,
                p_value=_p_value(apart_K - apart_K.mean(), value, base),
                mean=float(scores_K.mean()),
                interval=percentile_interval(scores_K, confidence),
                difference_interval=percentile_interval(scores_K - base_K, confidence),
                wins=float((scores_K > base_K).mean()),
                p_centred=_p_value(np.abs(scores_K - base_K - (scores_K - base_K).mean()), value, base),
            )
        )
    return found


def paired_randomisation(
    baseline_NF: FloatArray,
    systems: Sequence[FloatArray],
    score: CorpusScore,
    *,
    trials: int,
    seed: int,
) -> list[Comparison]:
    """Each system [N, F] against the baseline by approximate randomisation (Riezler & Maxwell 2005, figure 1).

    If the two did not differ, it would not matter which of them translated a sentence. Each trial swaps the two on a
    random half of the sentences, giving a difference d*:

        p = (1 + #{|d*| >= |difference|}) / (1 + trials)

    Raises MetricError unless all are scored on equally many sentences, at least one, with at least one trial.
    """
    _check_paired(baseline_NF, systems, trials)
    generator = np.random.default_rng(seed)
    apart: list[list[FloatArray]] = [[] for _ in systems]
    for num_rows in row_blocks(trials, len(baseline_NF)):
        swap_KN = generator.integers(2, size=(num_rows, len(baseline_NF)), dtype=bool).astype(np.float64)
        for parts, system_NF in zip(apart, systems, strict=True):
            moved_KF = swap_KN @ (baseline_NF - system_NF)
            one_K, other_K = score(system_NF.sum(0) + moved_KF), score(baseline_NF.sum(0) - moved_KF)
            parts.append(np.abs(one_K - other_K))
    base = _corpus(baseline_NF, score)
    values = [_corpus(system_NF, score) for system_NF in systems]
    return [
        Comparison(value, value - base, _p_value(np.concatenate(parts), value, base))
        for value, parts in zip(values, apart, strict=True)
    ]


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjusted for their number (Holm 1979): reject those at most alpha, and no true hypothesis of all is rejected with
    a probability above alpha. The k-th smallest of m counts (m - k + 1) times, and no less than those before it."""
    known = sorted((p_value, place) for place, p_value in enumerate(p_values) if p_value is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p_value, place) in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - rank) * p_value))
        adjusted[place] = largest
    return adjusted


def _corpus(statistics_NF: FloatArray, score: CorpusScore) -> float:
    return float(score(statistics_NF.sum(axis=0, keepdims=True))[0])


def _p_value(apart_K: FloatArray, value: float, base: float) -> float:
    """Fraction of draws at least as far apart as observed; the observed one counts as a draw, so it is never 0."""
    tie = _TIE * max(abs(value), abs(base))
    return float((1 + np.count_nonzero(apart_K >= abs(value - base) - tie)) / (1 + len(apart_K)))


def _check_paired(baseline_NF: FloatArray, systems: Sequence[FloatArray], draws: int) -> None:
    sizes = [len(baseline_NF), *(len(system_NF) for system_NF in systems)]
    if len(set(sizes)) > 1 or sizes[0] == 0:
        raise MetricError(
            "significance",
            found=f"systems scored on {', '.join(map(str, sizes))} sentences",
            expected="the same test set for all, of at least 1 sentence",
            next_step="score them on the same data",
        )
    if draws < 1:
        raise MetricError(
            "significance",
            found=f"{draws} draws",
            expected="at least 1",
            next_step="set metrics.bootstrap to 1000, or compare without a test",
        )
