"""A vocabulary whose distances can be worked out by hand, and the same problems for other solvers.

A word of one text, B word of the other, W word of the vocabulary, D dimension
"""

from __future__ import annotations

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
