"""The transport problem between two bags, solved exactly.

    min over flow >= 0 of  sum_ab flow_ab cost_ab    with  sum_b flow_ab = mass_a,  sum_a flow_ab = mass_b

It is the Earth Mover's Distance of Rubner, Tomasi & Guibas (2000), which Kusner et al. (2015), eq. 1, take between two
normalised bags of words. Masses are kept as whole numbers: a word that occurs c times among the n words of its text has
mass c * m where the other text has m words, so both sides have n * m and nothing is rounded.

    A word of one text, B word of the other
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import ot
from scipy.optimize import linear_sum_assignment

from nmt.errors import MetricError
from nmt.metrics.wmd.bags import Bag, FloatArray

_MAX_PIVOTS = 100_000_000  # a bound that no sentence reaches; a text of 1,000 words takes some 10,000
_OPTIMAL = 1  # POT's code for a solution that is one

# masses_A, masses_B, cost_AB -> (flow_AB, total cost)
Solver = Callable[[FloatArray, FloatArray, FloatArray], tuple[FloatArray, float]]


def _public(mass_A: FloatArray, mass_B: FloatArray, cost_AB: FloatArray) -> tuple[FloatArray, float]:
    """By POT's documented function: the same simplex, behind checks that cost ten times what it does."""
    flow_AB, log = ot.emd(mass_A, mass_B, cost_AB, numItermax=_MAX_PIVOTS, log=True)
    if log["warning"] is not None:
        raise _unsolved(str(log["warning"]))
    return flow_AB, float(log["cost"])


def _bare(mass_A: FloatArray, mass_B: FloatArray, cost_AB: FloatArray) -> tuple[FloatArray, float]:
    """By the network simplex (Bonneel et al. 2011) that POT compiles, without what POT puts around it."""
    flow_AB, total, _, _, code = ot.lp.emd_wrap.emd_c(mass_A, mass_B, cost_AB, _MAX_PIVOTS, 1)
    if code != _OPTIMAL:
        raise _unsolved(f"code {code}")
    return flow_AB, total


def _choose() -> Solver:
    """The bare solver where this POT has it in the form known here, else the public one: both give the same answers."""
    try:
        if _bare(np.array([1.0, 1.0]), np.array([2.0]), np.array([[1.0], [2.0]]))[1] == 3.0:
            return _bare
    except (AttributeError, TypeError, ValueError):  # moved, another signature, other results: it is not public
        pass
    return _public


def _unsolved(found: str) -> MetricError:
    return MetricError(
        "Word Mover's Distance",
        found=f"a transport problem that its solver left open ({found})",
        expected="a solution",
        next_step="score shorter texts, or report the two that this happens with",
    )


simplex: Solver = _choose()


def solve(mass_A: FloatArray, mass_B: FloatArray, cost_AB: FloatArray, alike: bool) -> float:
    """Least total cost; both masses are positive and of equal sum. `alike`: all masses of both sides are equal.

    One word on a side leaves no choice. Equal masses of equal number are an assignment problem: among the optimal
    flows one moves each mass whole (Birkhoff 1946).

    Raises MetricError where the simplex does not end.
    """
    if len(mass_A) == 1:
        return float(cost_AB[0] @ mass_B)
    if len(mass_B) == 1:
        return float(mass_A @ cost_AB[:, 0])
    if alike:
        return float(cost_AB[linear_sum_assignment(cost_AB)].sum() * mass_A[0])
    return simplex(mass_A, mass_B, cost_AB)[1]


def leftover(a: Bag, b: Bag) -> tuple[list[int], list[int], list[int], list[int], bool]:
    """What is left to move once mass that both bags have of a word stays where it is.

    Some optimal flow leaves it there, since the cost is a metric (Pele & Werman 2009): smaller problems, same answer.
    Returns rows and masses of `a`, rows and masses of `b`, and whether all these masses are equal.
    """
    m, n = (1, 1) if a.num_known == b.num_known else (b.num_known, a.num_known)
    left_b = {row: count * n for row, count in zip(b.rows, b.counts, strict=True)}
    rows_a: list[int] = []
    masses_a: list[int] = []
    for row, count in zip(a.rows, a.counts, strict=True):
        mass = count * m
        if row in left_b:
            theirs = left_b.pop(row)
            if theirs > mass:
                left_b[row] = theirs - mass
            mass -= theirs
        if mass > 0:
            rows_a.append(row)
            masses_a.append(mass)
    masses_b = list(left_b.values())
    alike = len(rows_a) == len(masses_b) and len({*masses_a, *masses_b}) == 1
    return rows_a, masses_a, list(left_b), masses_b, alike
