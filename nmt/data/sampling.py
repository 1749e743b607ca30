"""Segmentations drawn at random, so that a model meets each word in several guises.

Each draw is a pure function of the text, the rate and the state of the generator that is passed in: SentencePiece
can sample too, but from a generator of its own per thread, which cannot be set for one sentence.

`subword.sampling` is a rate r, 0 <= r < 1, and means for

    bpe       the chance that a merge is left out at one step (Provilkov, Emelianenko & Voita 2020, algorithm 1)
    unigram   segmentations x of a word are drawn with p(x) ** alpha, normalised, with alpha = 1 - r (Kudo 2018,
              section 3.2, all segmentations: l = infinity). r just over 0 draws from the model's own
              probabilities; r close to 1 makes all segmentations alike. Kudo's alpha = 0.2 is r = 0.8.

At r = 0 both give the one best segmentation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


def dropout_merges(word: str, scores: Mapping[str, float], rate: float, rng: np.random.Generator) -> list[str]:
    """Pieces of `word` by byte-pair merges of which each is left out with probability `rate` at each step.

    `scores` maps each piece to its priority: the pair that makes the piece of highest score merges first, the
    leftmost of equal ones. The best pair that was not left out is the first to survive when pairs are tried from the
    best down, so no more draws are taken than that needs. Ends when no pair merges or all are left out.
    """
    parts = list(word)
    while True:
        merges = [
            (-scores[merged], place)
            for place in range(len(parts) - 1)
            if (merged := parts[place] + parts[place + 1]) in scores
        ]
        merges.sort()
        chosen = next((place for _, place in merges if rng.random() >= rate), None)
        if chosen is None:
            return parts
        parts[chosen : chosen + 2] = [parts[chosen] + parts[chosen + 1]]


@dataclass(frozen=True)
class Lattice:
    """All segmentations of a word under a unigram model, ready to draw from.

    `arcs[end]` are the pieces that end at character `end`, as (start, log weight), where the weights of all the ways
    to reach `end` sum to 1: exp(log weight) is the chance that the path backward from `end` takes that piece.
    """

    arcs: tuple[tuple[tuple[int, float], ...], ...]

    def sample(self, rng: np.random.Generator) -> list[int]:
        """Ends of the pieces, in order; drawn backward from the end of the word."""
        end, ends = len(self.arcs) - 1, []
        while end > 0:
            ends.append(end)
            end = self._step_back(end, rng)
        return ends[::-1]

    def _step_back(self, end: int, rng: np.random.Generator) -> int:
        arcs = self.arcs[end]
        if len(arcs) == 1:
            return arcs[0][0]
        left = rng.random()
        for start, log_weight in arcs:
            left -= math.exp(log_weight)
            if left < 0:
                return start
        return arcs[-1][0]  # the weights sum to 1 up to rounding


def build_lattice(word: str, scores: Mapping[str, float], unknown_score: float, longest: int, alpha: float) -> Lattice:
    """Forward filtering: log of the summed weight of all ways to each place of `word`, at temperature 1 / alpha.

    `scores` are log probabilities of pieces, none longer than `longest`; a character that is no piece counts as one
    of `unknown_score`.
    """
    total = [0.0]  # log sum over all ways to each place
    arcs: list[tuple[tuple[int, float], ...]] = [()]
    for end in range(1, len(word) + 1):
        ways: list[tuple[int, float]] = []
        for start in range(max(0, end - longest), end):
            piece = word[start:end]
            if piece in scores:
                ways.append((start, total[start] + alpha * scores[piece]))
            elif end - start == 1:
                ways.append((start, total[start] + alpha * unknown_score))
        best = max(weight for _, weight in ways)
        total.append(best + math.log(sum(math.exp(weight - best) for _, weight in ways)))
        arcs.append(tuple((start, weight - total[end]) for start, weight in ways))
    return Lattice(tuple(arcs))
