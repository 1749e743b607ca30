"""The nearest texts of a corpus, exactly, by few distances: prefetch and prune (Kusner et al. 2015, section 3.4).

V word in use, A word of the query
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

from nmt.config.metrics import WmdConfig
from nmt.errors import MetricError
from nmt.metrics.vector_table import WordVectors
from nmt.metrics.wmd.bags import Bag, FloatArray, make_bags, scaled
from nmt.metrics.wmd.bounds import Bounds
from nmt.metrics.wmd.solver import leftover, solve
from nmt.metrics.wmd.words import words_for

# A bound that rounding has lifted above the distance itself must not exclude it.
_ROUNDING = 1e-12
# Rows of costs to all words in use that are kept, by memory.
_ROWS_BYTES = 1 << 28


@dataclass(frozen=True)
class Neighbour:
    """`index` of a text in the corpus, from 0, and its distance from the query."""

    index: int
    distance: float


class WordMoverIndex:
    """A corpus made ready for searches. Texts without a known word are at no distance from anything: never found.

    Raises MetricError for a corpus without a text that has a known word.
    """

    def __init__(self, corpus: Sequence[str], vectors: WordVectors, cfg: WmdConfig, language: str) -> None:
        self._cfg, self._language = cfg, language
        self._vectors = vectors
        bags = make_bags((words_for(text, cfg, language) for text in corpus), vectors, cfg.norm)
        self._places = [place for place, bag in enumerate(bags.bags) if bag.num_known]
        if not self._places:
            raise MetricError(
                "corpus",
                found="no text with a word that has a vector",
                expected="at least 1",
                next_step="use vectors of the language and casing of the texts",
            )
        self._corpus = [bags.bags[place] for place in self._places]
        self._rows = {word: row for row, word in enumerate(bags.words)}
        self._vectors_VD = bags.vectors_VD
        self._bounds = Bounds(self._corpus, bags.vectors_VD)
        self._costs: dict[str, FloatArray] = {}
        self._kept = max(1, _ROWS_BYTES // (8 * len(bags.words)))
        self.num_solved = 0  # exact distances worked out so far: brute force takes one for each text and query

    def nearest(self, query: str, k: int) -> list[Neighbour]:
        """The `k` texts nearest to `query` (all, if there are fewer), nearest first; ties in corpus order.

        Texts come in the order of their RWMD, which no distance is below. Once the bound of the next one exceeds the
        k-th distance found, it and all that follow are too far. Empty for a query without a known word.

        Raises MetricError unless k is at least 1.
        """
        if k < 1:
            raise MetricError("k", found=k, expected="at least 1", next_step="say how many texts to look for")
        words = [word for word in words_for(query, self._cfg, self._language) if word in self._vectors]
        if not words:
            return []
        return self._search(Counter(words), k)

    def _search(self, counts: Counter[str], k: int) -> list[Neighbour]:
        cost_AV = np.stack([self._cost_row(word) for word in counts])
        query = self._query_bag(counts)
        bound_N = self._bounds.rwmd(query, cost_AV)
        order = np.argsort(bound_N, kind="stable")
        place_of = {row: place for place, row in enumerate(query.counts)}
        best: list[Neighbour] = []
        for index in order.tolist():
            limit = best[-1].distance + _ROUNDING if len(best) == k else np.inf
            if bound_N[index] > limit:
                break
            distance = self._distance(query, self._corpus[index], cost_AV, place_of, limit)
            if distance is not None:
                best.append(Neighbour(self._places[index], distance))
                best = sorted(best, key=lambda found: (found.distance, found.index))[:k]
        return best

    def _query_bag(self, counts: Counter[str]) -> Bag:
        """A bag whose words outside the corpus have rows after the corpus's own."""
        rows = [self._rows.get(word, len(self._rows) + place) for place, word in enumerate(counts)]
        known = counts.total()
        return Bag(-1, dict(zip(rows, counts.values(), strict=True)), known, known)

    def _distance(
        self, query: Bag, bag: Bag, cost_AV: FloatArray, place_of: dict[int, int], limit: float
    ) -> float | None:
        """None where the distance is beyond `limit`.

        That shows without a solution where the RWMD of the mass that is left is too far: it exceeds that of the
        whole, since what one text has more of a word than the other cannot stay.
        """
        left = leftover(query, bag)
        if not left.rows_a:
            return 0.0
        cost_AB = cost_AV[np.array([place_of[row] for row in left.rows_a])[:, np.newaxis], np.array(left.rows_b)]
        mass_A, mass_B = np.array(left.masses_a, dtype=np.float64), np.array(left.masses_b, dtype=np.float64)
        if max(mass_A @ cost_AB.min(axis=1), mass_B @ cost_AB.min(axis=0)) / left.total > limit:
            return None
        self.num_solved += 1
        return solve(mass_A, mass_B, np.ascontiguousarray(cost_AB), left.alike) / left.total

    def _cost_row(self, word: str) -> FloatArray:
        """cost_V of a word to all words in use; the rows used last are kept."""
        cost_V = self._costs.pop(word, None)
        if cost_V is None:
            vector_1D = scaled(self._vectors[word][np.newaxis], self._cfg.norm)
            cost_V = cdist(vector_1D, self._vectors_VD)[0]
            if len(self._costs) >= self._kept:
                del self._costs[next(iter(self._costs))]
        self._costs[word] = cost_V
        return cost_V


def nearest(
    query: str, corpus: Sequence[str], k: int, vectors: WordVectors, cfg: WmdConfig, language: str
) -> list[Neighbour]:
    """One search in a corpus; for several make a `WordMoverIndex` once. Raises MetricError as it does."""
    return WordMoverIndex(corpus, vectors, cfg, language).nearest(query, k)


class NearestNeighbours:
    """The k-nearest-neighbour classifier of Kusner et al. (2015), section 5.

    Raises MetricError unless each text has one label and one has a known word.
    """

    def __init__(
        self, texts: Sequence[str], labels: Sequence[str], vectors: WordVectors, cfg: WmdConfig, language: str
    ) -> None:
        if len(texts) != len(labels):
            raise MetricError(
                "labels",
                found=f"{len(labels)} labels for {len(texts)} texts",
                expected="one each",
                next_step="label every text",
            )
        self._labels = list(labels)
        self._index = WordMoverIndex(texts, vectors, cfg, language)

    def classify(self, text: str, k: int) -> str | None:
        """The label of most of the k nearest texts, of a tie the one whose text is nearest; None without known word.

        Raises MetricError unless k is at least 1.
        """
        found = [self._labels[neighbour.index] for neighbour in self._index.nearest(text, k)]
        return Counter(found).most_common(1)[0][0] if found else None  # counts keep the order of first appearance
