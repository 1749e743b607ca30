"""A vocabulary whose distances can be worked out by hand, and the same problems for other solvers.

A word of one text, B word of the other, W word of the vocabulary, D dimension
"""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
from scipy.optimize import linprog

from nmt.config.metrics import Norm, WmdConfig
from nmt.metrics.vectors import WordVectors, word_vectors
from nmt.metrics.wmd import Bags, make_bags

# On the axes of a plane and beside them. As unit vectors: east 0 deg, north 90 deg, west 180 deg, oriental = east.
PLANE = {"east": (1.0, 0.0), "north": (0.0, 2.0), "west": (-3.0, 0.0), "south": (0.0, -1.0), "oriental": (4.0, 0.0)}
PLAIN = WmdConfig(stop_words="none")
ROOT2 = np.sqrt(2.0)


def plane() -> WordVectors:
    return word_vectors(list(PLANE), np.array(list(PLANE.values())), "plane")


def random_vectors(num_words: int, dimension: int, seed: int) -> WordVectors:
    generator = np.random.default_rng(seed)
    return word_vectors(
        [f"w{number}" for number in range(num_words)], generator.normal(size=(num_words, dimension)), "random"
    )


def random_texts(count: int, num_words: int, longest: int, seed: int) -> list[list[str]]:
    """Lists of 1 to `longest` words, with repeats; some words are unknown, but the first of each text is not."""
    generator = np.random.default_rng(seed)
    texts = []
    for _ in range(count):
        numbers = generator.integers(0, num_words + 3, size=generator.integers(1, longest + 1))
        texts.append([f"w{generator.integers(num_words)}", *(f"w{number}" for number in numbers)])
    return texts


def known_pairs(texts: list[list[str]], vectors: WordVectors, norm: Norm = Norm.unit) -> tuple[list, Bags]:
    """Consecutive texts as pairs of bags."""
    bags = make_bags(texts, vectors, norm)
    return list(zip(bags.bags[::2], bags.bags[1::2], strict=True)), bags


def masses(bag) -> np.ndarray:
    return np.array(list(bag.counts.values())) / sum(bag.counts.values())


def cost_matrix(a, b, bags: Bags) -> np.ndarray:
    difference_ABD = bags.vectors_VD[list(a.counts)][:, np.newaxis] - bags.vectors_VD[list(b.counts)]
    return np.sqrt((difference_ABD**2).sum(axis=2))


def exact_total(mass_A: np.ndarray, mass_B: np.ndarray, cost_AB: np.ndarray) -> Fraction:
    """The least total cost of whole masses, without any rounding: costs are the fractions that floats are.

    By shortest augmenting paths (Bellman and Ford): from a word with mass left to one of the other text with room.
    """
    left, room = [int(mass) for mass in mass_A], [int(mass) for mass in mass_B]
    words, others = range(len(left)), range(len(room))
    cost = [[Fraction(float(value)) for value in row] for row in cost_AB]
    flow = [[0] * len(room) for _ in words]
    while any(left):
        there: list[Fraction | None] = [Fraction(0) if mass else None for mass in left]
        across: list[Fraction | None] = [None] * len(room)
        came_a, came_b = [0] * len(left), [0] * len(room)
        changed = True
        while changed:
            changed = False
            for a, b in itertools.product(words, others):
                near, far = there[a], across[b]
                if near is not None and (far is None or near + cost[a][b] < far):
                    across[b] = near + cost[a][b]
                    came_b[b], changed = a, True
                if far is not None and flow[a][b] and (near is None or far - cost[a][b] < near):
                    there[a] = far - cost[a][b]
                    came_a[a], changed = b, True
        b = end = min((b for b in others if room[b]), key=lambda b: across[b])
        steps = [(came_b[b], b, 1)]
        while there[a := steps[-1][0]] != 0 or not left[a]:
            steps += [(a, came_a[a], -1), (came_b[came_a[a]], came_a[a], 1)]
        amount = min([left[a], room[end], *(flow[x][y] for x, y, way in steps if way < 0)])
        for x, y, way in steps:
            flow[x][y] += way * amount
        left[a] -= amount
        room[end] -= amount
    return sum((flow[a][b] * cost[a][b] for a in words for b in others), Fraction(0))


def lp_distance(a, b, bags: Bags) -> float:
    """The transport problem as it is written, by HiGHS."""
    cost_AB = cost_matrix(a, b, bags)
    num_a, num_b = cost_AB.shape
    constraints = [np.kron(row, np.ones(num_b)) for row in np.eye(num_a)]
    constraints += [np.kron(np.ones(num_a), row) for row in np.eye(num_b)]
    found = linprog(
        cost_AB.ravel(),
        A_eq=np.array(constraints),
        b_eq=[*masses(a), *masses(b)],
        method="highs-ds",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    assert found.status == 0, found.message
    return float(found.fun)
