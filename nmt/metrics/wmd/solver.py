"""The transport problem between two bags, solved exactly.

    min over flow >= 0 of  sum_ab flow_ab cost_ab    with  sum_b flow_ab = mass_a,  sum_a flow_ab = mass_b

It is the Earth Mover's Distance of Rubner, Tomasi & Guibas (2000), which Kusner et al. (2015), eq. 1, take between two
normalised bags of words. Masses are whole numbers, so none is rounded; a word of mass 0 is as good as absent.

The network simplex tells costs apart to some 16 digits of the largest, and of 1 where all are below. Smaller ones are
multiplied by the power of 2 that brings the largest to between 1/2 and 1, which rounds nothing. What costs more than
all of a plan is in no better plan, since at least 1 is moved: where all that is moved is far nearer than the most
distant words, the problem is solved again without those.

    A word of one text, B word of the other, G pair of texts, K pair whose masses are equal, S word on either side
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import ot
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from nmt.errors import MetricError
from nmt.metrics.wmd.bags import FloatArray, IntArray

_MAX_PIVOTS = 100_000_000  # a bound that no sentence reaches; a text of 1,000 words takes some 10,000
_OPTIMAL = 1  # POT's code for a solution that is one
_FAR = 2.0**-10  # of the largest cost: a total below it is found anew among smaller costs

BoolArray = NDArray[np.bool_]
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


def transport(mass_A: FloatArray, mass_B: FloatArray, cost_AB: FloatArray) -> tuple[FloatArray, float]:
    """An optimal flow_AB and its total cost, whatever the size of the costs.

    Raises MetricError where the solver does not end.
    """
    limit = float(cost_AB[np.ix_(mass_A > 0, mass_B > 0)].max())
    while True:
        exponent = math.frexp(limit)[1]
        flow_AB, total = simplex(mass_A, mass_B, np.ldexp(np.minimum(cost_AB, 2 * limit), -exponent))
        if not 0.0 < total < _FAR:
            return flow_AB, math.ldexp(total, exponent)
        limit = math.ldexp(total, exponent)


def solve_all(mass_GA: FloatArray, mass_GB: FloatArray, cost_GAB: FloatArray) -> FloatArray:
    """total_G, the least total cost of many problems; the masses of both sides of each are of equal sum.

    Nothing to move costs nothing. One word on a side leaves no choice. Equal masses of equal number are an assignment
    problem: among the optimal flows one moves each mass whole (Birkhoff 1946). The rest goes to the network simplex.

    Raises MetricError where that does not end.
    """
    number_Ga, number_Gb = np.count_nonzero(mass_GA, axis=1), np.count_nonzero(mass_GB, axis=1)
    fewer_G = np.minimum(number_Ga, number_Gb)
    total_G = np.zeros(len(cost_GAB))
    single = np.flatnonzero(fewer_G == 1)
    if len(single):
        total_G[single] = _from_or_to_one(mass_GA[single], mass_GB[single], cost_GAB[single])
    assigned_G = (fewer_G > 1) & (number_Ga == number_Gb)
    equal = np.flatnonzero(assigned_G)
    assigned_G[equal] = _is_even(mass_GA[equal]) & _is_even(mass_GB[equal])
    for number in np.unique(number_Ga[assigned_G]).tolist():
        some = np.flatnonzero(assigned_G & (number_Ga == number))
        units_G = _assigned(mass_GA[some], mass_GB[some], cost_GAB[some], number)
        total_G[some] = units_G * mass_GA[some].max(axis=1)
    rest = np.flatnonzero((fewer_G > 1) & ~assigned_G)
    if len(rest):
        total_G[rest] = _by_simplex(mass_GA, mass_GB, cost_GAB, rest)
    return total_G


def _by_simplex(mass_GA: FloatArray, mass_GB: FloatArray, cost_GAB: FloatArray, some: IntArray) -> FloatArray:
    """Totals of `some` problems, as `transport` has them: its care is needed where costs are small, or most are."""
    solve = simplex  # once a pair; all else is once for thousands
    totals = np.array([solve(mass_GA[pair], mass_GB[pair], cost_GAB[pair])[1] for pair in some.tolist()])
    largest = cost_GAB.reshape(len(cost_GAB), -1).max(axis=1)[some]
    for place in np.flatnonzero((largest < 0.5) | (totals < _FAR * largest)).tolist():
        pair = some[place]
        totals[place] = transport(mass_GA[pair], mass_GB[pair], cost_GAB[pair])[1]
    return totals


def _is_even(mass_GA: FloatArray) -> BoolArray:
    """Whether all masses that are not 0 are equal."""
    largest_G1 = mass_GA.max(axis=1, keepdims=True)
    even_G: BoolArray = ((mass_GA == largest_G1) | (mass_GA == 0)).all(axis=1)
    return even_G


def _from_or_to_one(mass_GA: FloatArray, mass_GB: FloatArray, cost_GAB: FloatArray) -> FloatArray:
    """total_G where one side has a single word: what moves from a to b is mass_a mass_b over the mass of that word."""
    total_G: FloatArray = np.einsum("ga,gab,gb->g", mass_GA, cost_GAB, mass_GB) / mass_GA.sum(axis=1)
    return total_G


def _assigned(mass_KA: FloatArray, mass_KB: FloatArray, cost_KAB: FloatArray, number: int) -> FloatArray:
    """total_K of moving one unit from each of `number` words to another of as many (Crouse 2016)."""
    pairs = np.arange(len(cost_KAB))[:, np.newaxis]
    words_KS, others_KS = _places(mass_KA, number), _places(mass_KB, number)
    cost_KSS = cost_KAB[pairs[:, :, np.newaxis], words_KS[:, :, np.newaxis], others_KS[:, np.newaxis, :]]
    chosen_KS = np.array([linear_sum_assignment(cost_SS)[1] for cost_SS in cost_KSS])
    total_K: FloatArray = cost_KSS[pairs, np.arange(number), chosen_KS].sum(axis=1)
    return total_K


def _places(mass_KA: FloatArray, number: int) -> IntArray:
    """place_KS of the masses that are not 0."""
    return np.nonzero(mass_KA)[1].reshape(len(mass_KA), number)
