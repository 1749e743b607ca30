"""Distances of many pairs of bags: costs gathered for thousands at a time, on several processes if asked.

P pair of bags, G pair of one shape, A word of its one bag, B word of its other
"""

from __future__ import annotations

import multiprocessing
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from tqdm import tqdm

from nmt.config.metrics import Backend
from nmt.metrics.wmd.bags import Bag, FloatArray
from nmt.metrics.wmd.costs import Costs
from nmt.metrics.wmd.reference import reference_distances
from nmt.metrics.wmd.solver import Leftover, leftover, solve_all

# Pairs solved at a time: bounds memory (a pair of captions has some 50 cells, one of long texts some 10,000).
_CHUNK = 4096
_CELLS = 1 << 21
# From so many words on, sizes of problems are rounded up to multiples of _STEP.
_SHORT = 8
_STEP = 4
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
    if not pairs:
        return np.zeros(0)
    chunks = list(_chunks(pairs))
    num_cells = sum(len(a.counts) * len(b.counts) for a, b in pairs)
    bar = tqdm(total=len(pairs), unit="pair", disable=not progress)
    parts: list[FloatArray] = []
    with bar:
        for part in _solved(chunks, (vectors_VD, num_cells), backend, processes):
            parts.append(part)
            bar.update(len(part))
    return np.concatenate(parts)


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
        cells += len(a.counts) * len(b.counts)
        if cells > _CELLS or end - start >= _CHUNK:
            if end > start:
                yield pairs[start:end]
            start, cells = end, len(a.counts) * len(b.counts)
    if start < len(pairs):
        yield pairs[start:]


def _exact(pairs: Pairs, costs: Costs) -> FloatArray:
    """Problems of one shape are taken together: their costs are one product of matrices."""
    shapes: dict[tuple[int, int, bool], list[tuple[int, Leftover]]] = defaultdict(list)
    for pair, (a, b) in enumerate(pairs):
        left = leftover(a, b)
        size_a, size_b = len(left.rows_a), len(left.rows_b)
        if left.alike:
            shapes[size_a, size_b, True].append((pair, left))
        elif size_a:  # else nothing is left to move
            shapes[_rounded(size_a), _rounded(size_b), False].append((pair, left))
    distance_P = np.zeros(len(pairs))
    for (size_a, size_b, alike), group in shapes.items():
        rows_GA = np.array([_filled(left.rows_a, size_a) for _, left in group])
        rows_GB = np.array([_filled(left.rows_b, size_b) for _, left in group])
        mass_GA = np.array([_filled(left.masses_a, size_a) for _, left in group], dtype=np.float64)
        mass_GB = np.array([_filled(left.masses_b, size_b) for _, left in group], dtype=np.float64)
        cost_GAB = costs.of_pairs(rows_GA, rows_GB)
        total_G = [left.total for _, left in group]
        distance_P[[pair for pair, _ in group]] = solve_all(mass_GA, mass_GB, cost_GAB, alike) / total_G
    return distance_P


def _rounded(size: int) -> int:
    """Of long texts few have one shape: they are filled up with words of no mass, which the simplex leaves out."""
    return size if size <= _SHORT else -(-size // _STEP) * _STEP


def _filled(numbers: list[int], size: int) -> list[int]:
    return numbers if len(numbers) == size else numbers + [0] * (size - len(numbers))


_BACKENDS: dict[Backend, Callable[[Pairs, Costs], FloatArray]] = {
    Backend.exact: _exact,
    Backend.pyemd: reference_distances,
}
