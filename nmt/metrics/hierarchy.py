"""Is one configuration better than another, when each was trained several times? Sentences and seeds are resampled.

    N sentence, F statistic, K resample, S seed

A configuration scores the mean over its seeds. A resample draws sentences, the same for all, and for each configuration
as many of its seeds as it has (hierarchical bootstrap). Seeds are few, and a bootstrap of S of them spreads (S - 1) / S
as widely as it should: their part is widened by that (Rao & Wu 1988), and the test takes Student's t with degrees of
freedom as Welch and Satterthwaite have them, in which the part of the sentences counts as certain.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nmt.metrics.bootstrap import CorpusScore, FloatArray, Interval, resample_counts

SEED_STREAM = 1  # of the generator that draws seeds; sentences are drawn by another


@dataclass(frozen=True)
class GroupScore:
    """Mean over the seeds, their sample standard deviation (None of a single one), and the interval of the mean."""

    score: float
    deviation: float | None
    interval: Interval


@dataclass(frozen=True)
class GroupComparison:
    """A configuration beside the baseline; `p_value` is two-sided."""

    difference: float
    interval: Interval
    p_value: float


def compare_groups(
    groups: Sequence[Sequence[FloatArray]], score: CorpusScore, *, resamples: int, confidence: float, seed: int
) -> tuple[list[GroupScore], list[GroupComparison]]:
    """Scores of all groups, each the statistics [N, F] of its seeds, and each but the first against the first."""
    blocks = [
        [np.stack([score(counts_KN @ one_NF) for one_NF in group], axis=1) for group in groups]
        for counts_KN in resample_counts(len(groups[0][0]), resamples, seed)
    ]
    drawn = [np.concatenate(parts) for parts in zip(*blocks, strict=True)]
    generator = np.random.default_rng([seed, SEED_STREAM])
    means = [_with_seeds(drawn_KS, generator) for drawn_KS in drawn]
    values = [np.array([_corpus(one_NF, score) for one_NF in group]) for group in groups]
    parts = [_seed_part(values_S) for values_S in values]
    scores = [
        GroupScore(
            float(values_S.mean()),
            float(values_S.std(ddof=1)) if len(values_S) > 1 else None,
            _test(float(values_S.mean()), mean_K, [part], confidence)[0],
        )
        for values_S, mean_K, part in zip(values, means, parts, strict=True)
    ]
    compared = []
    for own, mean_K, part in zip(scores[1:], means[1:], parts[1:], strict=True):
        difference = own.score - scores[0].score
        compared.append(
            GroupComparison(difference, *_test(difference, mean_K - means[0], [part, parts[0]], confidence))
        )
    return scores, compared


def _with_seeds(drawn_KS: FloatArray, generator: np.random.Generator) -> FloatArray:
    """Means [K] over seeds that are drawn anew for each resample, their spread widened to that of the population."""
    num_seeds = drawn_KS.shape[1]
    mean_K: FloatArray = drawn_KS.mean(axis=1)
    if num_seeds == 1:
        return mean_K
    chosen_KS = generator.integers(num_seeds, size=drawn_KS.shape)
    moved_K: FloatArray = np.take_along_axis(drawn_KS, chosen_KS, axis=1).mean(axis=1) - mean_K
    widened_K: FloatArray = mean_K + math.sqrt(num_seeds / (num_seeds - 1)) * moved_K
    return widened_K


def _seed_part(values_S: FloatArray) -> tuple[float, int]:
    """Variance of the mean that the seeds bring, and its degrees of freedom."""
    num_seeds = len(values_S)
    return (float(values_S.var(ddof=1)) / num_seeds, num_seeds - 1) if num_seeds > 1 else (0.0, 0)


def _test(
    value: float, drawn_K: FloatArray, parts: Sequence[tuple[float, int]], confidence: float
) -> tuple[Interval, float]:
    """Interval of a value, and how likely one so far from 0 is by chance."""
    from scipy.special import stdtr, stdtrit  # a comparison of single runs does without

    variance = float(drawn_K.var(ddof=1))
    uncertain = sum(part**2 / free for part, free in parts if free)
    free = variance**2 / uncertain if uncertain > 0 else math.inf
    fewest = min((free for _, free in parts if free), default=1)
    degrees = max(free, fewest)  # infinite ones give the normal distribution
    error = math.sqrt(variance)
    reach = float(stdtrit(degrees, (1 + confidence) / 2)) * error
    p_value = float(2 * stdtr(degrees, -abs(value) / error)) if error > 0 else float(value == 0)
    return Interval(value - reach, value + reach, confidence), p_value


def _corpus(statistics_NF: FloatArray, score: CorpusScore) -> float:
    return float(score(statistics_NF.sum(axis=0, keepdims=True))[0])
