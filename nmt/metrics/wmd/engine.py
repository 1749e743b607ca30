"""Distances of many pairs of bags: costs gathered for thousands at a time, on several processes if asked.

P pair of bags, K cell of a cost matrix
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import chain

import numpy as np
from tqdm import tqdm

from nmt.config.metrics import Backend
from nmt.metrics.wmd.bags import Bag, FloatArray, IntArray
from nmt.metrics.wmd.costs import Costs
from nmt.metrics.wmd.reference import reference_distances
from nmt.metrics.wmd.solver import leftover, solve

# Pairs solved at a time: bounds memory (a pair of captions has some 50 cells, one of long texts some 10,000).
_CHUNK = 4096
_CELLS = 1 << 21
# Below this many pairs, processes cost more than they bring: starting one takes seconds.
WORTH_PROCESSES = 50_000

Pairs = Sequence[tuple[Bag, Bag]]


def pair_distances(
    pairs: Pairs,
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
    chunks = list(_chunks(pairs))
    num_cells = sum(len(a.rows) * len(b.rows) for a, b in pairs)
    bar = tqdm(total=len(pairs), unit="pair", disable=not progress)
    parts: list[FloatArray] = []
    with bar:
        for part in _solved(chunks, (vectors_VD, num_cells), backend, processes):
            parts.append(part)
            bar.update(len(part))
    return np.concatenate(parts) if parts else np.zeros(0)


def _solved(
    chunks: list[Pairs], table: tuple[FloatArray, int], backend: Backend, processes: int
) -> Iterator[FloatArray]:
    if processes == 1 or len(chunks) == 1:
        costs = Costs(*table)
        yield from (_BACKENDS[backend](chunk, costs) for chunk in chunks)
        return
    spawn = multiprocessing.get_context("spawn")  # fork would copy locks that threads of TensorFlow hold
    with ProcessPoolExecutor(processes, spawn, _start, table) as pool:
        yield from pool.map(_work, chunks, [backend] * len(chunks))


class _Worker:
    """What a process keeps between chunks: the costs it has worked out so far."""

    costs: Costs


def _start(vectors_VD: FloatArray, num_cells: int) -> None:
    _Worker.costs = Costs(vectors_VD, num_cells)


def _work(chunk: Pairs, backend: Backend) -> FloatArray:
    return _BACKENDS[backend](chunk, _Worker.costs)


def _chunks(pairs: Pairs) -> Iterator[Pairs]:
    """Parts of at most _CHUNK pairs and about _CELLS cells."""
    start = cells = 0
    for end, (a, b) in enumerate(pairs):
        cells += len(a.rows) * len(b.rows)
        if cells > _CELLS or end - start >= _CHUNK:
            if end > start:
                yield pairs[start:end]
            start, cells = end, len(a.rows) * len(b.rows)
    if start < len(pairs):
        yield pairs[start:]


def _exact(pairs: Pairs, costs: Costs) -> FloatArray:
    problems = [leftover(a, b) for a, b in pairs]
    rows_a, masses_a, rows_b, masses_b, alike = zip(*problems, strict=True)
    sizes_a, sizes_b = _sizes(rows_a), _sizes(rows_b)
    cost_K = _gather(costs, _flat(rows_a), _flat(rows_b), sizes_a, sizes_b)
    mass_a, mass_b = _flat(masses_a).astype(np.float64), _flat(masses_b).astype(np.float64)
    distance_P = np.zeros(len(pairs))
    start_a = start_b = start = 0
    sizes = zip(sizes_a.tolist(), sizes_b.tolist(), alike, strict=True)
    for pair, (size_a, size_b, equal) in enumerate(sizes):
        if size_a:  # else nothing is left to move
            end = start + size_a * size_b
            end_a, end_b = start_a + size_a, start_b + size_b
            cost_AB = cost_K[start:end].reshape(size_a, size_b)
            distance_P[pair] = solve(mass_a[start_a:end_a], mass_b[start_b:end_b], cost_AB, equal)
            start_a, start_b, start = end_a, end_b, end
    distance_P /= np.array([_total(a, b) for a, b in pairs])
    return distance_P


def _gather(costs: Costs, rows_a: IntArray, rows_b: IntArray, sizes_a: IntArray, sizes_b: IntArray) -> FloatArray:
    """cost_K: the cost matrices of all pairs, each row by row, one after the other."""
    cells_P = sizes_a * sizes_b
    pair_K = np.repeat(np.arange(len(cells_P)), cells_P)
    place_K = np.arange(len(pair_K)) - (np.cumsum(cells_P) - cells_P)[pair_K]
    row_K, column_K = np.divmod(place_K, sizes_b[pair_K])
    first_a, first_b = np.cumsum(sizes_a) - sizes_a, np.cumsum(sizes_b) - sizes_b
    return costs(rows_a[first_a[pair_K] + row_K], rows_b[first_b[pair_K] + column_K])


def _total(a: Bag, b: Bag) -> int:
    """The whole mass of either side, in the units of `leftover`."""
    return a.num_known if a.num_known == b.num_known else a.num_known * b.num_known


def _sizes(lists: Sequence[Sequence[int]]) -> IntArray:
    return np.fromiter(map(len, lists), np.int64, len(lists))


def _flat(lists: Sequence[Sequence[int]]) -> IntArray:
    return np.fromiter(chain.from_iterable(lists), np.int64)


_BACKENDS: dict[Backend, Callable[[Pairs, Costs], FloatArray]] = {
    Backend.exact: _exact,
    Backend.pyemd: reference_distances,
}
