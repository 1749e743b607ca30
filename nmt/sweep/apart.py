"""Which configurations of a sweep cannot be told from the best one: by a score of each trial, a trial a seed.

Runs keep the score of the dev set, not what its sentences add to it, so the test is over seeds alone; to resample
sentences too, compare the best few with `evaluate.py +groups.NAME=PATTERN`.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from scipy.special import stdtr

from nmt.metrics.significance import holm
from nmt.sweep.leaderboard import Row

LEVEL = 0.05


def p_values(groups: Sequence[Sequence[float]]) -> list[float | None]:
    """Of each group against the first, two-sided, by Welch's t-test, with Holm's correction.

    None for the first itself, and where either side has one seed: its spread is then unknown.
    """
    first, *others = groups
    return holm([None, *(_welch(first, other) if min(len(first), len(other)) > 1 else None for other in others)])


def _welch(one: Sequence[float], other: Sequence[float]) -> float:
    parts = [(statistics.variance(group) / len(group), len(group) - 1) for group in (one, other)]
    variance = sum(part for part, _ in parts)
    difference = abs(statistics.fmean(one) - statistics.fmean(other))
    if variance == 0:
        return float(difference == 0)
    free = variance**2 / sum(part**2 / degrees for part, degrees in parts)
    return float(2 * stdtr(free, -difference / variance**0.5))


def told(rows: Sequence[Row]) -> str:
    """A sentence for all rows, the best first; nothing where there is one."""
    if len(rows) < 2:
        return ""
    found = p_values([[trial.score for trial in row.trials] for row in rows])
    how = f"(Welch's t-test of the dev scores over seeds, Holm's correction, level {100 * LEVEL:g} %)"
    if len(rows[0].trials) == 1:
        return f"{rows[0].label} has one seed, so nothing can be told from it: run more seeds {how}"
    alike = [row.label for row, p_value in zip(rows, found, strict=True) if p_value is not None and p_value > LEVEL]
    unknown = [row.label for row in rows[1:] if len(row.trials) == 1]
    parts = [f"cannot be told from the best {how}: {'; '.join(alike) or 'none'}"]
    if unknown:
        parts.append(f"have one seed, so nothing is known of them: {'; '.join(unknown)}")
    return "\n".join(parts)
