"""The transport problem between two bags, solved exactly.

    min over flow >= 0 of  sum_ab flow_ab cost_ab    with  sum_b flow_ab = mass_a,  sum_a flow_ab = mass_b

It is the Earth Mover's Distance of Rubner, Tomasi & Guibas (2000), which Kusner et al. (2015), eq. 1, take between two
normalised bags of words. Masses are kept as whole numbers: a word that occurs c times among the n words of its text has
mass c * m where the other text has m words, so both sides have n * m and nothing is rounded.

    A word of one text, B word of the other, G pair of texts
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

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


def solve_all(mass_GA: FloatArray, mass_GB: FloatArray, cost_GAB: FloatArray, alike: bool) -> FloatArray:
    """`solve` for each of many problems of one shape; cost_GAB is contiguous."""
    if mass_GA.shape[1] == 1:
        return np.asarray((cost_GAB[:, 0] * mass_GB).sum(axis=1))
    if mass_GB.shape[1] == 1:
        return np.asarray((cost_GAB[:, :, 0] * mass_GA).sum(axis=1))
    problems = zip(mass_GA, mass_GB, cost_GAB, strict=True)
    return np.array([solve(mass_A, mass_B, cost_AB, alike) for mass_A, mass_B, cost_AB in problems])


class Leftover(NamedTuple):
    """What two bags have to move: rows and masses of each, whether all masses are equal, the whole mass of a side."""

    rows_a: list[int]
    masses_a: list[int]
    rows_b: list[int]
    masses_b: list[int]
    alike: bool
    total: int


def leftover(a: Bag, b: Bag) -> Leftover:
    """What is left to move once mass that both bags have of a word stays where it is.

    Some optimal flow leaves it there, since the cost is a metric (Pele & Werman 2009): smaller problems, same answer.
    """
    m, n = (1, 1) if a.num_known == b.num_known else (b.num_known, a.num_known)
    left_a = {row: count * m for row, count in a.counts.items()}
    left_b = {row: count * n for row, count in b.counts.items()}
    for row in a.counts.keys() & b.counts.keys():
        more = left_a[row] - left_b[row]
        if more > 0:
            left_a[row] = more
        else:
            del left_a[row]
        if more < 0:
            left_b[row] = -more
        else:
            del left_b[row]
    alike = len(left_a) == len(left_b) and len({*left_a.values(), *left_b.values()}) == 1
    return Leftover(list(left_a), list(left_a.values()), list(left_b), list(left_b.values()), alike, a.num_known * m)
