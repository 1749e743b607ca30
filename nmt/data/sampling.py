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
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import accumulate, pairwise

import numpy as np

REMEMBERED = 50_000  # words, or states of them, that are worked out once

# For each place of a word, the pieces that end there: where each starts, and the summed chance of it and those listed
# before it that the way backward takes them.
Lattice = tuple[tuple[tuple[int, float], ...], ...]


class Merges:
    """Byte-pair merges, of which each is left out with some probability at each step.

    `scores` maps each piece to its priority: the pair that makes the piece of highest score merges first, the
    leftmost of equal ones.
    """

    def __init__(self, scores: Mapping[str, float]) -> None:
        self._scores = scores
        self._best_first = lru_cache(REMEMBERED)(self._rank)  # the same parts come up again and again

    def sample(self, word: str, rate: float, rng: np.random.Generator) -> tuple[str, ...]:
        """Pieces of `word` when each merge is left out with probability `rate` at each step.

        Ends when no pair merges or all that would are left out. The merge to make is the first to survive when they
        are tried from the best down, so no more draws are taken than that needs.
        """
        parts = tuple(word)
        while True:
            place = next((place for place in self._best_first(parts) if rng.random() >= rate), None)
            if place is None:
                return parts
            parts = (*parts[:place], parts[place] + parts[place + 1], *parts[place + 2 :])

    def _rank(self, parts: tuple[str, ...]) -> tuple[int, ...]:
        """Places of the pairs that merge."""
        scored = ((self._scores.get(a + b), place) for place, (a, b) in enumerate(pairwise(parts)))
        return tuple(place for _, place in sorted((-score, place) for score, place in scored if score is not None))


class Lattices:
    """All segmentations of a word under a unigram model, ready to draw from.

    `scores` are log probabilities of pieces; a character that is no piece counts as one of `unknown_score`.
    """

    def __init__(self, scores: Mapping[str, float], unknown_score: float) -> None:
        self._scores, self._unknown_score = scores, unknown_score
        self._longest = max(map(len, scores))
        self._lattice = lru_cache(REMEMBERED)(self._filter_forward)

    def sample(self, word: str, rate: float, rng: np.random.Generator) -> tuple[str, ...]:
        """Pieces x of `word`, drawn in proportion to p(x) ** (1 - rate), from the end of the word backward."""
        lattice = self._lattice(word, 1 - rate)
        end, pieces = len(word), []
        while end > 0:
            arcs = lattice[end]
            draw = rng.random() if len(arcs) > 1 else 0.0
            start = next(start for start, below in arcs if draw < below)
            pieces.append(word[start:end])
            end = start
        return tuple(reversed(pieces))

    def _filter_forward(self, word: str, alpha: float) -> Lattice:
        total = [0.0]  # log of the summed p ** alpha of all ways to each place
        lattice: list[tuple[tuple[int, float], ...]] = [()]
        for end in range(1, len(word) + 1):
            ways = [(start, total[start] + alpha * score) for start, score in self._pieces_to(word, end)]
            best = max(weight for _, weight in ways)
            total.append(best + math.log(sum(math.exp(weight - best) for _, weight in ways)))
            below = list(accumulate(math.exp(weight - total[end]) for _, weight in ways))
            below[-1] = 1.0  # which it is but for rounding
            lattice.append(tuple((start, chance) for (start, _), chance in zip(ways, below, strict=True)))
        return tuple(lattice)

    def _pieces_to(self, word: str, end: int) -> Iterator[tuple[int, float]]:
        """Start and score of each piece that ends at `end`."""
        for start in range(max(0, end - self._longest), end):
            score = self._scores.get(word[start:end])
            if score is not None:
                yield start, score
            elif end - start == 1:
                yield start, self._unknown_score
