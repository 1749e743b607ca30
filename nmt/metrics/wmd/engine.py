"""Distances of many pairs of bags: thousands at a time, sorted by shape, on several processes if asked.

N distinct bag, P pair of bags, G pair of one group, A word of its one bag, B word of its other
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from nmt.config.metrics import Backend
from nmt.metrics.wmd.bags import Bag, FloatArray, IntArray, stack
from nmt.metrics.wmd.costs import Costs
from nmt.metrics.wmd.reference import reference_distances
from nmt.metrics.wmd.solver import solve_all
from nmt.metrics.wmd.stack import Stack, left_masses, whole_masses

# Costs held at a time: bounds memory to some tens of MB.
_CELLS = 1 << 20
# Sizes of bags are rounded up, to multiples of 2, then 4, then more: few groups, each of many pairs.
_SHORT, _LONG = 8, 32
_FEW = 1 << 17  # costs of a group, below which pairs of the next shape join it
_BITS = 32  # of a size, where two sizes are one number
# Below this many pairs, processes cost more than they bring: starting one takes seconds.
WORTH_PROCESSES = 50_000


class Group(NamedTuple):
    """Pairs whose bags have at most `size_a` and `size_b` words, by their numbers in the stack."""

    first_G: IntArray
    second_G: IntArray
    size_a: int
    size_b: int


def pair_distances(
    pairs: Sequence[tuple[Bag, Bag]],
    vectors_VD: FloatArray,
    backend: Backend = Backend.exact,
    processes: int = 1,
    progress: bool = False,
) -> FloatArray:
    """distance_P of bags that each have a known word. In the unit of the vectors; float64.

    `processes` are started afresh ("spawn"): a program that asks for more than one guards its start with
    `if __name__ == "__main__"`. `progress` shows a bar on standard error.

    Raises MetricError where the solver gives up.
    """
    bags = {id(bag): bag for pair in pairs for bag in pair}
    place = dict(zip(bags, range(len(bags)), strict=True))
    first_P = np.array([place[id(a)] for a, _ in pairs], dtype=np.int64)
    second_P = np.array([place[id(b)] for _, b in pairs], dtype=np.int64)
    return stacked_distances(stack(list(bags.values())), first_P, second_P, vectors_VD, backend, processes, progress)


def stacked_distances(
    texts: Stack,
    first_P: IntArray,
    second_P: IntArray,
    vectors_VD: FloatArray,
    backend: Backend = Backend.exact,
    processes: int = 1,
    progress: bool = False,
) -> FloatArray:
    """`pair_distances` of texts by their numbers in a stack: that of `Bags` goes by identities."""
    if not len(first_P):
        return np.zeros(0)
    longer_P = texts.sizes_N[first_P] > texts.sizes_N[second_P]  # the shorter first, as the distance is the same
    first_P, second_P = np.where(longer_P, second_P, first_P), np.where(longer_P, first_P, second_P)
    num_cells = int((texts.sizes_N[first_P] * texts.sizes_N[second_P]).sum())
    order_P, groups = _groups(texts, first_P, second_P)
    solved = _solved(groups, (texts, vectors_VD, num_cells, backend), processes)
    found: list[FloatArray] = []
    with tqdm(total=len(first_P), unit="pair", disable=not progress) as bar:
        for part in solved:
            found.append(part)
            bar.update(len(part))
    distance_P = np.empty(len(first_P))
    distance_P[order_P] = np.concatenate(found)
    return distance_P


def _groups(texts: Stack, first_P: IntArray, second_P: IntArray) -> tuple[IntArray, list[Group]]:
    """Pairs of like shape together, at most _CELLS costs in a group; and the order of the pairs in the groups."""
    size_Pa, size_Pb = texts.sizes_N[first_P], texts.sizes_N[second_P]
    order_P = np.lexsort((_rounded(size_Pa), _rounded(size_Pb)))
    shape_P = _rounded(size_Pb[order_P]) << _BITS | _rounded(size_Pa[order_P])
    starts = np.flatnonzero(np.diff(shape_P, prepend=-1))
    sizes = (shape_P[starts] >> _BITS) * (shape_P[starts] & (1 << _BITS) - 1)
    groups: list[Group] = []
    start = 0
    for size, (begin, end) in zip(sizes.tolist(), pairwise([*starts.tolist(), len(order_P)]), strict=True):
        if size * (end - begin) >= _FEW and begin > start:  # many are not filled up to the size of a few before them
            groups += _cut(first_P, second_P, order_P[start:begin], size_Pa, size_Pb)
            start = begin
        if size * (end - start) >= _FEW or end == len(order_P):
            groups += _cut(first_P, second_P, order_P[start:end], size_Pa, size_Pb)
            start = end
    return order_P, groups


def _cut(
    first_P: IntArray, second_P: IntArray, some: IntArray, size_Pa: IntArray, size_Pb: IntArray
) -> Iterator[Group]:
    """Groups of at most _CELLS costs."""
    size_a, size_b = int(size_Pa[some].max()), int(size_Pb[some].max())
    step = max(1, _CELLS // (size_a * size_b))
    for place in range(0, len(some), step):
        part = some[place : place + step]
        yield Group(first_P[part], second_P[part], size_a, size_b)


def _rounded(size_N: IntArray) -> IntArray:
    """To a multiple of 2 up to _SHORT, of 4 up to _LONG, then of twice as much for texts twice as long."""
    doublings_N = np.maximum(0, np.ceil(np.log2(size_N / _LONG))).astype(np.int64)
    step_N = np.where(size_N <= _SHORT, 2, 4 << doublings_N)
    rounded_N: IntArray = -(-size_N // step_N) * step_N
    return rounded_N


Job = tuple[Stack, FloatArray, int, Backend]  # texts, vectors_VD, number of cells in all


def _solved(groups: list[Group], job: Job, processes: int) -> Iterator[FloatArray]:
    """distance_G of each group."""
    if processes == 1 or len(groups) == 1:
        solver = _Solver(*job)
        yield from map(solver.distances, groups)
        return
    spawn = multiprocessing.get_context("spawn")  # fork would copy locks that threads of TensorFlow hold
    with ProcessPoolExecutor(processes, spawn, _start, job) as pool:
        yield from pool.map(_work, groups)


class _Solver:
    """What stays the same from group to group."""

    def __init__(self, texts: Stack, vectors_VD: FloatArray, num_cells: int, backend: Backend) -> None:
        self.texts = texts
        self.costs = Costs(vectors_VD, num_cells)
        self.solve = _BACKENDS[backend]

    def distances(self, group: Group) -> FloatArray:
        """distance_G"""
        return self.solve(self.texts, group, self.costs)


class _Worker:
    """What a process keeps from group to group."""

    solver: _Solver


def _start(texts: Stack, vectors_VD: FloatArray, num_cells: int, backend: Backend) -> None:
    _Worker.solver = _Solver(texts, vectors_VD, num_cells, backend)


def _work(group: Group) -> FloatArray:
    return _Worker.solver.distances(group)


def _exact(texts: Stack, group: Group, costs: Costs) -> FloatArray:
    """Shared mass stays, what is left is solved."""
    rows_GA, counts_GA = texts.padded(group.first_G, group.size_a)
    rows_GB, counts_GB = texts.padded(group.second_G, group.size_b)
    words_Ga, words_Gb = texts.words_N[group.first_G], texts.words_N[group.second_G]
    mass_GA, mass_GB, total_G = whole_masses(counts_GA, words_Ga, counts_GB, words_Gb)
    left_GA, left_GB = left_masses(rows_GA, mass_GA, rows_GB, mass_GB)
    cost_GAB = costs.of_pairs(rows_GA, rows_GB, texts.sizes_N[group.first_G], texts.sizes_N[group.second_G])
    distance_G: FloatArray = solve_all(left_GA, left_GB, cost_GAB) / total_G
    return distance_G


def _by_reference(texts: Stack, group: Group, costs: Costs) -> FloatArray:
    of_a, of_b = texts.padded(group.first_G, group.size_a), texts.padded(group.second_G, group.size_b)
    return reference_distances(*of_a, *of_b, costs)


_BACKENDS: dict[Backend, Callable[[Stack, Group, Costs], FloatArray]] = {
    Backend.exact: _exact,
    Backend.pyemd: _by_reference,
}
