"""The nearest texts of a corpus, exactly, by few distances: prefetch and prune (Kusner et al. 2015, section 3.4).

N text of the corpus, V word in use, A word of the query, G text that may be among the nearest, B word of it
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nmt.config.metrics import WmdConfig
from nmt.errors import MetricError
from nmt.metrics.vector_table import WordVectors
from nmt.metrics.wmd.bags import Bag, FloatArray, IntArray, make_bags, scaled, stack
from nmt.metrics.wmd.bounds import Bounds
from nmt.metrics.wmd.costs import distances_from
from nmt.metrics.wmd.solver import solve_all
from nmt.metrics.wmd.stack import left_masses, whole_masses
from nmt.metrics.wmd.words import words_for

# A bound that rounding has lifted above the distance itself, by a share of it, must not exclude it.
_ROUNDING = 1e-12
# Texts that are made ready together, and solved together: one more than needed costs less than one at a time.
_READY = 64
_SOLVED = 8
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
        known = [bags.bags[place] for place in self._places]
        self._texts = stack(known)
        self._rows = {word: row for row, word in enumerate(bags.words)}
        self._vectors_VD = bags.vectors_VD
        self._bounds = Bounds(known)
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
        order_N = np.argsort(bound_N, kind="stable")
        best: list[Neighbour] = []
        for start in range(0, len(order_N), _READY):
            some_G = order_N[start : start + _READY]
            some_G = some_G[bound_N[some_G] <= _limit(best, k)]
            if not len(some_G):
                break
            best = self._better(best, k, query, some_G, cost_AV)
        return best

    def _query_bag(self, counts: Counter[str]) -> Bag:
        """A bag whose words outside the corpus have rows after the corpus's own."""
        rows = [self._rows.get(word, len(self._rows) + place) for place, word in enumerate(counts)]
        known = counts.total()
        return Bag(-1, dict(zip(rows, counts.values(), strict=True)), known, known)

    def _better(
        self, best: list[Neighbour], k: int, query: Bag, some_G: IntArray, cost_AV: FloatArray
    ) -> list[Neighbour]:
        """The k nearest among `best` and some texts.

        Of what is left once shared mass stays, the RWMD exceeds that of the whole, since what one text has more of a
        word than the other cannot stay: texts come in the order of that bound.
        """
        mass_GA, mass_GB, cost_GAB, total_G = self._problems(query, some_G, cost_AV)
        bound_G = _relaxed(mass_GA, mass_GB, cost_GAB) / total_G
        order_G = np.argsort(bound_G, kind="stable")
        for start in range(0, len(order_G), _SOLVED):
            few = order_G[start : start + _SOLVED]
            few = few[bound_G[few] <= _limit(best, k)]
            self.num_solved += int(np.count_nonzero(mass_GA[few].any(axis=1)))
            distance_G = solve_all(mass_GA[few], mass_GB[few], cost_GAB[few]) / total_G[few]
            places = [self._places[text] for text in some_G[few].tolist()]
            best = [*best, *map(Neighbour, places, distance_G.tolist())]
            best = sorted(best, key=lambda found: (found.distance, found.index))[:k]
        return best

    def _problems(
        self, query: Bag, some_G: IntArray, cost_AV: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """mass_GA, mass_GB, cost_GAB and total_G between the query and each of some texts, without shared mass."""
        rows_GB, counts_GB = self._texts.padded(some_G, int(self._texts.sizes_N[some_G].max()))
        rows_GA = np.broadcast_to(query.rows, (len(some_G), len(query.rows)))
        counts_GA = np.broadcast_to(list(query.counts.values()), rows_GA.shape)
        words_G = np.full(len(some_G), float(query.num_known))
        mass_GA, mass_GB, total_G = whole_masses(counts_GA, words_G, counts_GB, self._texts.words_N[some_G])
        left_GA, left_GB = left_masses(rows_GA, mass_GA, rows_GB, mass_GB)
        return left_GA, left_GB, np.ascontiguousarray(cost_AV[:, rows_GB].transpose(1, 0, 2)), total_G

    def _cost_row(self, word: str) -> FloatArray:
        """cost_V of a word to all words in use; the rows used last are kept."""
        cost_V = self._costs.pop(word, None)
        if cost_V is None:
            vector_1D = scaled(self._vectors[word][np.newaxis], self._cfg.norm)
            cost_V = distances_from(vector_1D[0], self._vectors_VD)
            if len(self._costs) >= self._kept:
                del self._costs[next(iter(self._costs))]
        self._costs[word] = cost_V
        return cost_V


def _limit(best: list[Neighbour], k: int) -> float:
    """Beyond it nothing is among the k nearest."""
    return best[-1].distance * (1 + _ROUNDING) if len(best) == k else np.inf


def _relaxed(mass_GA: FloatArray, mass_GB: FloatArray, cost_GAB: FloatArray) -> FloatArray:
    """total_G if each word's mass could go to the nearest word that is left of the other text; of both ways the dearer.

    0 where nothing is left.
    """
    there_GA = np.where((mass_GB > 0)[:, np.newaxis, :], cost_GAB, np.inf).min(axis=2)
    back_GB = np.where((mass_GA > 0)[:, :, np.newaxis], cost_GAB, np.inf).min(axis=1)
    there_G = (mass_GA * np.where(mass_GA > 0, there_GA, 0.0)).sum(axis=1)
    back_G = (mass_GB * np.where(mass_GB > 0, back_GB, 0.0)).sum(axis=1)
    total_G: FloatArray = np.maximum(there_G, back_G)
    return total_G


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
