# C candidate (distinct texts), R reference still to be heard
"""The translation that the model's others agree with most (Kumar & Byrne 2004; Eikema & Aziz 2022).

    y* = argmax_i sum_j P(y_j) u(y_i, y_j)

The candidates are the references too. P is how often a text was drawn, or what the model gives it among the n best.
The heaviest references are heard first; a candidate that could not win if all others were perfect for it is dropped.
That changes nothing: u is at most 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from nmt.search.translation import Translation

FloatArray = np.ndarray


class Likeness(Protocol):
    """How good each text is where another is right."""

    def __call__(self, reference: int, candidates_C: np.ndarray) -> FloatArray:
        """u in 0..1 of the texts with these numbers against the text with the number `reference`."""


class LikenessOf(Protocol):
    """Makes ready what comparing these texts needs."""

    def __call__(self, texts: Sequence[str]) -> Likeness: ...


def expected_utility(weight_C: FloatArray, likeness: Likeness, prune: bool = True) -> FloatArray:
    """sum_j P_j u(i, j) for each candidate i; -inf for those that were dropped. Weights sum to 1."""
    total_C, alive_C = np.zeros(len(weight_C)), np.arange(len(weight_C))
    rest = 1.0
    for reference in np.argsort(-weight_C, kind="stable"):
        total_C[alive_C] += weight_C[reference] * likeness(int(reference), alive_C)
        rest -= weight_C[reference]
        if prune:
            best = total_C[alive_C].max()
            alive_C = alive_C[total_C[alive_C] + rest >= best - 1e-12]
    dropped_C = np.ones(len(weight_C), bool)
    dropped_C[alive_C] = False
    return np.where(dropped_C, -np.inf, total_C)


def by_agreement(
    translations: Sequence[Translation], likeness_of: LikenessOf, drawn: bool, prune: bool = True
) -> list[Translation]:
    """The distinct texts, the one with the highest expected utility first; what was dropped follows by its score.

    `drawn`: samples, each of the same weight; else the n best, weighted by their probabilities.
    """
    first: dict[str, Translation] = {}
    mass: dict[str, float] = {}
    top = max(one.log_prob for one in translations)
    for one in translations:
        first.setdefault(one.text, one)
        mass[one.text] = mass.get(one.text, 0.0) + (1.0 if drawn else float(np.exp(one.log_prob - top)))
    texts = list(first)
    weight_C = np.array([mass[text] for text in texts])
    utility_C = expected_utility(weight_C / weight_C.sum(), likeness_of(texts), prune)
    return [first[texts[place]] for place in np.argsort(-utility_C, kind="stable")]
