"""Why two texts are as far apart as they are: the plan by which one's mass becomes the other's.

A word of one text, B word of the other
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nmt.metrics.wmd.bags import Bag, Bags, FloatArray
from nmt.metrics.wmd.costs import Costs
from nmt.metrics.wmd.solver import transport
from nmt.metrics.wmd.stack import shared_masses, whole_masses
from nmt.plumbing import tables

# Of the whole mass: less is rounding.
_NEGLIGIBLE = 1e-12


@dataclass(frozen=True)
class TransportPlan:
    """flow_AB is the mass moved (each side adds up to 1), cost_AB the distance of two words' vectors.

    distance = sum_ab flow_ab cost_ab
    """

    words_a: list[str]
    words_b: list[str]
    mass_a: FloatArray
    mass_b: FloatArray
    flow_AB: FloatArray
    cost_AB: FloatArray
    distance: float

    def moves(self) -> list[tuple[str, str, float, float]]:
        """(word, word, mass, cost of a unit) of each part that is moved or stays, the dearest (mass * cost) first."""
        rows, columns = np.nonzero(self.flow_AB > _NEGLIGIBLE)
        moves = [
            (self.words_a[a], self.words_b[b], float(self.flow_AB[a, b]), float(self.cost_AB[a, b]))
            for a, b in zip(rows.tolist(), columns.tolist(), strict=True)
        ]
        return sorted(moves, key=lambda move: (-move[2] * move[3], move[0], move[1]))

    def as_json(self) -> dict[str, Any]:
        """Plain lists and numbers."""
        keys = ("from", "to", "mass", "cost")
        return {
            "distance": self.distance,
            "moves": [dict(zip(keys, move, strict=True)) for move in self.moves()],
        }

    def table(self) -> str:
        """A line a move: words, mass, cost of a unit, and what the move adds to the distance."""
        lines = [("from", "to", "mass", "cost", "mass x cost")]
        lines += [(a, b, f"{mass:.4f}", f"{cost:.4f}", f"{mass * cost:.4f}") for a, b, mass, cost in self.moves()]
        lines.append(("", "", "", "distance", f"{self.distance:.4f}"))
        return tables.table(lines, right=(2, 3, 4))


def transport_plan(a: Bag, b: Bag, bags: Bags) -> TransportPlan:
    """An optimal plan between two bags that have known words. Mass of a word that both have stays where it is."""
    rows_A, rows_B = np.array(a.rows), np.array(b.rows)
    cost_AB = Costs(bags.vectors_VD, 0).between(rows_A, rows_B)
    words_a, words_b = np.array([float(a.num_known)]), np.array([float(b.num_known)])
    counts_1A, counts_1B = np.array([list(a.counts.values())]), np.array([list(b.counts.values())])
    (mass_A,), (mass_B,), (total,) = whole_masses(counts_1A, words_a, counts_1B, words_b)
    shared = shared_masses(rows_A[np.newaxis], mass_A[np.newaxis], rows_B[np.newaxis], mass_B[np.newaxis])
    flow_AB = np.zeros(cost_AB.shape)
    flow_AB[shared.a_S, shared.b_S] = shared.mass_S
    left_A, left_B = mass_A - flow_AB.sum(axis=1), mass_B - flow_AB.sum(axis=0)
    if left_A.any():
        flow_AB = flow_AB + transport(left_A, left_B, cost_AB)[0]
    return TransportPlan(
        words_a=[bags.words[row] for row in a.rows],
        words_b=[bags.words[row] for row in b.rows],
        mass_a=mass_A / total,
        mass_b=mass_B / total,
        flow_AB=flow_AB / total,
        cost_AB=cost_AB,
        distance=float((flow_AB * cost_AB).sum() / total),
    )
