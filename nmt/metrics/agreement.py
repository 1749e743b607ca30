"""How often people agree that a system is better, by the difference of its score (Kocmi et al. 2024).

    agreement(x) = a / (1 + exp(-b |x|))        in percent of pairs of systems; a and b are a metric's own

Kocmi, Zouhar, Federmann & Post, "Navigating the Metrics Maze: Reconciling Score Magnitudes and Accuracies", ACL 2024,
fitted to human judgements of pairs of systems. About 50 % is a coin toss; near 0 the curve lies a little below it.
"""

from __future__ import annotations

import math

SOURCE = "Kocmi et al. 2024, Navigating the Metrics Maze"


def agreement(curve: tuple[float, float] | None, difference: float) -> float | None:
    """Percent; None where nobody has fitted a curve for the metric."""
    if curve is None:
        return None
    most, slope = curve
    return most / (1 + math.exp(-slope * abs(difference)))
