"""Similarity of candidates to their references, from distances of their bags of words.

N sentence, P distinct pair of bags
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from statistics import fmean

import numpy as np

import nmt
from nmt.config.metrics import Aggregate, WmdConfig
from nmt.metrics.references import check_corpus
from nmt.metrics.vector_table import VectorSource
from nmt.metrics.wmd.bags import Bag, Bags, FloatArray, make_bags
from nmt.metrics.wmd.engine import stacked_distances
from nmt.metrics.wmd.explain import TransportPlan, transport_plan
from nmt.metrics.wmd.words import stop_list, tokenizer, tokenizer_name, tokenizer_signature, words_for

LOG = logging.getLogger(__name__)
Group = tuple[Bag, list[Bag]]  # a candidate and its references


@dataclass(frozen=True)
class SentenceScore:
    """`distance` is None where none can be computed. `coverage`: the share of words (no stop words) with a vector."""

    similarity: float
    distance: float | None
    coverage: float


@dataclass(frozen=True)
class WmdScore:
    """Means over sentences: similarity in 0..1 of all, distance (unit of the vectors) of those that have one.

    `coverage` is the share of all words with a vector, candidates and references together. `num_empty` sentences have
    no word in the candidate or in any reference; `num_unknown` of the others have no known word there.
    """

    similarity: float
    distance: float | None
    coverage: float
    signature: str
    sentences: list[SentenceScore]
    num_empty: int
    num_unknown: int

    @cached_property
    def similarities_N(self) -> FloatArray:  # noqa: N802
        """For resampling."""
        return np.array([sentence.similarity for sentence in self.sentences])


class WordMover:
    """Scores by Word Mover's Distance (Kusner et al. 2015), with vectors, words and aggregate fixed once.

        similarity(candidate, references) = aggregate over r of exp(-WMD(candidate, r) / sigma)

    `language` is the one of the text, for stop_words=auto. `processes`, `progress`: as in `pair_distances`.

    Warns where the language has no stop list. Raises MetricError for an unknown stop list or a tokenizer that is not
    installed.
    """

    def __init__(
        self, vectors: VectorSource, cfg: WmdConfig, language: str, processes: int = 1, progress: bool = False
    ) -> None:
        self.vectors = vectors
        self.cfg = cfg
        self.language = language
        self.stop_list = stop_list(cfg.stop_words, language)
        if self.stop_list.statement:
            LOG.warning("metrics.wmd.stop_words=%s: %s.", cfg.stop_words, self.stop_list.statement)
        self._processes = processes
        self._progress = progress
        self.tokenizer = tokenizer_name(cfg, language)
        tokenizer(self.tokenizer)  # that it is installed shows here, not at the first score

    def score(self, candidates: Sequence[str], references: Sequence[Sequence[str]]) -> WmdScore:
        """Score of a corpus; `references[i]` are those of candidate i.

        Raises MetricError for an empty corpus, unequal counts, or a candidate without reference.
        """
        check_corpus("WMD", candidates, references)
        texts = dict.fromkeys([*candidates, *chain.from_iterable(references)])  # each once, in order
        bags = self._bags(texts)
        of = dict(zip(texts, bags.bags, strict=True))
        groups = [
            (of[text], [of[reference] for reference in several])
            for text, several in zip(candidates, references, strict=True)
        ]
        distances = self._distances(groups, bags)
        sentences = [self._sentence(bag, several, distances) for bag, several in groups]
        known = [sentence.distance for sentence in sentences if sentence.distance is not None]
        return WmdScore(
            similarity=fmean(sentence.similarity for sentence in sentences),
            distance=fmean(known) if known else None,
            coverage=_coverage([bag for own, several in groups for bag in (own, *several)]),
            signature=self.signature({len(several) for several in references}),
            sentences=sentences,
            num_empty=sum(_is_empty(bag, several) for bag, several in groups),
            num_unknown=sum(_is_unknown(bag, several) for bag, several in groups),
        )

    def distance(self, a: str, b: str) -> float | None:
        """Between two texts; None where one is empty or has no known word, and the other is not empty as well."""
        return self.score([a], [[b]]).distance

    def explain(self, candidate: str, reference: str) -> TransportPlan | None:
        """Which word's mass moves where; None where the distance is None, or nothing moves since both are empty."""
        return self.plans([candidate], [[reference]])[0]

    def plans(self, candidates: Sequence[str], references: Sequence[Sequence[str]]) -> list[TransportPlan | None]:
        """Of each candidate to its nearest reference; None where nothing can be moved."""
        texts = dict.fromkeys([*candidates, *chain.from_iterable(references)])
        bags = self._bags(texts)
        of = dict(zip(texts, bags.bags, strict=True))
        return [
            _nearest_plan(of[text], [of[reference] for reference in several], bags)
            for text, several in zip(candidates, references, strict=True)
        ]

    def signature(self, num_references: set[int]) -> str:
        """All that the score depends on but the text: equal signatures mean comparable scores."""
        cfg = self.cfg
        parts = {
            "nrefs": str(*num_references) if len(num_references) == 1 else "var",
            "case": "lc" if cfg.lowercase else "mixed",
            "tok": tokenizer_signature(self.tokenizer),
            "stop": self.stop_list.name,
            "norm": cfg.norm.value,
            "agg": cfg.aggregate.value,
            "sigma": f"{cfg.sigma:g}",
            "dim": str(self.vectors.dimension),
            "vec": self.vectors.sha256,
            "solver": cfg.backend.value,
            "list": self.stop_list.digest,
            "version": f"nmt-{nmt.__version__}",
        }
        return "|".join(f"{key}:{value}" for key, value in parts.items())

    def _bags(self, texts: Iterable[str]) -> Bags:
        words = [words_for(text, self.cfg, self.language) for text in texts]
        return make_bags(words, self.vectors.select(chain.from_iterable(words)), self.cfg.norm)

    def _distances(self, groups: list[Group], bags: Bags) -> dict[tuple[int, int], float]:
        """Of each distinct pair that has to be solved, once: (lower, higher identity) -> distance."""
        pairs = {
            (min(bag.identity, other.identity), max(bag.identity, other.identity)): None
            for bag, several in groups
            for other in several
            if bag.num_known and other.num_known and bag.identity != other.identity
        }
        first_P, second_P = np.array(list(pairs), dtype=np.int64).reshape(-1, 2).T
        distance_P = stacked_distances(
            bags.stack, first_P, second_P, bags.vectors_VD, self.cfg.backend, self._processes, self._progress
        )
        return dict(zip(pairs, distance_P.tolist(), strict=True))

    def _sentence(self, bag: Bag, several: list[Bag], distances: dict[tuple[int, int], float]) -> SentenceScore:
        found = [_pair_distance(bag, other, distances) for other in several]
        known = [distance for distance in found if distance is not None]
        similarities = [0.0 if distance is None else math.exp(-distance / self.cfg.sigma) for distance in found]
        if self.cfg.aggregate is Aggregate.max:
            similarity, distance = max(similarities), min(known, default=None)
        else:
            similarity, distance = fmean(similarities), fmean(known) if known else None
        return SentenceScore(similarity, distance, _coverage([bag, *several]))


def wmd_similarity(
    candidate: str, references: Sequence[str], vectors: VectorSource, cfg: WmdConfig, language: str
) -> float:
    """Similarity in 0..1 of one candidate to its references. For many sentences `WordMover.score` is much faster.

    Raises MetricError as `WordMover` does, and where there is no reference.
    """
    return WordMover(vectors, cfg, language).score([candidate], [references]).similarity


def _nearest_plan(bag: Bag, several: Sequence[Bag], bags: Bags) -> TransportPlan | None:
    plans = [transport_plan(bag, other, bags) for other in several if bag.num_known and other.num_known]
    return min(plans, key=lambda plan: plan.distance, default=None)


def _pair_distance(a: Bag, b: Bag, distances: dict[tuple[int, int], float]) -> float | None:
    if a.is_empty and b.is_empty:
        return 0.0
    if not a.num_known or not b.num_known:
        return None
    if a.identity == b.identity:
        return 0.0
    return distances[min(a.identity, b.identity), max(a.identity, b.identity)]


def _coverage(bags: Sequence[Bag]) -> float:
    """Share of words that have a vector; 1 where there are no words, since none was lost."""
    num_words = sum(bag.num_words for bag in bags)
    return sum(bag.num_known for bag in bags) / num_words if num_words else 1.0


def _is_empty(candidate: Bag, references: list[Bag]) -> bool:
    return candidate.is_empty or all(bag.is_empty for bag in references)


def _is_unknown(candidate: Bag, references: list[Bag]) -> bool:
    nothing_known = not candidate.num_known or not any(bag.num_known for bag in references)
    return nothing_known and not _is_empty(candidate, references)
