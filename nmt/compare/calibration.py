"""Do the tests keep what they promise? Equal systems are simulated, and false alarms counted.

Two outputs of real systems are the pool. In a simulation sentences are drawn with replacement, and of each the two
outputs are dealt to two systems at random: neither is better, whatever the pool. A run deals its sentence the better
output with probability 1/2 + bias. Seeds have biases of their own, of the same spread for both systems; with a planted
difference that of the second system is larger throughout.

    N sentence, F statistic
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nmt.metrics.bootstrap import CorpusScore, FloatArray
from nmt.metrics.hierarchy import compare_groups
from nmt.metrics.significance import paired_bootstrap, paired_randomisation
from nmt.report.figures import new_figure, png_bytes

LEVEL = 0.05
DRAWS = 1000  # of each test, in each simulation
SEED_SPREAD = 0.02  # of the seeds' biases
AS_SACREBLEU, CENTRED, SHUFFLED, GROUPS = (
    "paired bootstrap, as sacreBLEU has it",
    "paired bootstrap, centred",
    "paired randomisation",
    "hierarchical bootstrap over sentences and seeds",
)


@dataclass(frozen=True)
class Pool:
    """Two outputs of the same sentences, the better of each sentence first."""

    better_NF: FloatArray
    worse_NF: FloatArray
    score: CorpusScore

    @staticmethod
    def of(one_NF: FloatArray, other_NF: FloatArray, score: CorpusScore, sign: int) -> Pool:
        """`sign`: +1 where more is better."""
        swap_N1 = (sign * score(one_NF) < sign * score(other_NF))[:, np.newaxis]
        return Pool(np.where(swap_N1, other_NF, one_NF), np.where(swap_N1, one_NF, other_NF), score)


@dataclass(frozen=True)
class Calibration:
    """p-values of every simulation, by test; `planted` is the mean difference of the systems, 0 where none is."""

    p_values: Mapping[str, Sequence[float]]
    planted: float

    def rate(self, test: str) -> float:
        """How often the test says that the systems differ, at LEVEL."""
        values = self.p_values[test]
        return sum(p_value <= LEVEL for p_value in values) / len(values)

    @property
    def most(self) -> float:
        """Two standard errors above LEVEL: no more false alarms than that are chance."""
        return LEVEL + 2 * math.sqrt(LEVEL * (1 - LEVEL) / len(next(iter(self.p_values.values()))))


def calibrate(
    pool: Pool, simulations: int, seeds: int, planted: float, seed: int, tell: Callable[[int], None] = lambda _: None
) -> Calibration:
    """`planted`: how much likelier the second system's runs take the better output; `seeds`: runs of a system."""
    generator = np.random.default_rng(seed)
    found: dict[str, list[float]] = {test: [] for test in (AS_SACREBLEU, CENTRED, SHUFFLED, GROUPS)}
    apart = []
    for number in range(simulations):
        rows_N = generator.integers(len(pool.better_NF), size=len(pool.better_NF))
        one, two = (_deal(pool, rows_N, bias, generator) for bias in (0.0, planted))
        boot = paired_bootstrap(one, [two], pool.score, resamples=DRAWS, confidence=0.95, seed=number)[0]
        shuffled = paired_randomisation(one, [two], pool.score, trials=DRAWS, seed=number)[0]
        groups = [
            [_deal(pool, rows_N, bias + SEED_SPREAD * generator.normal(), generator) for _ in range(seeds)]
            for bias in (0.0, planted)
        ]
        _, compared = compare_groups(groups, pool.score, resamples=DRAWS, confidence=0.95, seed=number)
        for test, p_value in (
            (AS_SACREBLEU, boot.p_value),
            (CENTRED, boot.p_centred),
            (SHUFFLED, shuffled.p_value),
            (GROUPS, compared[0].p_value),
        ):
            found[test].append(p_value)
        apart.append(boot.difference)
        tell(number + 1)
    return Calibration(found, float(np.mean(apart)) if planted else 0.0)


def _deal(pool: Pool, rows_N: np.ndarray, bias: float, generator: np.random.Generator) -> FloatArray:
    better_N1 = generator.random((len(rows_N), 1)) < 0.5 + bias
    return np.where(better_N1, pool.better_NF[rows_N], pool.worse_NF[rows_N])


def calibration_png(found: Calibration) -> bytes:
    """The share of simulations with a p-value up to x, for each test; that of a test that keeps its level is x."""
    axes = new_figure(5.2, 5.0).add_subplot()
    axes.plot([0, 1], [0, 1], color="#57606a", linewidth=1, linestyle="--", label="kept exactly")
    for test, values in found.p_values.items():
        ordered = np.sort(values)
        axes.step([0, *ordered, 1], [0, *np.arange(1, len(ordered) + 1) / len(ordered), 1], where="post", label=test)
    axes.set_xlim(0, 0.3)
    axes.set_ylim(0, 0.5)
    axes.axvline(LEVEL, color="#d0d7de", linewidth=0.8)
    axes.set_xlabel("p-value", fontsize=9)
    axes.set_ylabel("share of simulations of equal systems at most there", fontsize=9)
    axes.legend(frameon=False, fontsize=8)
    return png_bytes(axes.figure)  # type: ignore[arg-type]  # it is no part of another figure
