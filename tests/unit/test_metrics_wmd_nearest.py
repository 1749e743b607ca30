"""Exact searches with few distances, their bounds, and the classifier on top of them."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from nmt.config.metrics import Norm, WmdConfig
from nmt.errors import MetricError
from nmt.metrics.vectors import load_vectors
from nmt.metrics.wmd import (
    Bounds,
    NearestNeighbours,
    Neighbour,
    WordMoverIndex,
    make_bags,
    nearest,
    pair_distances,
    vocabulary_of,
    words_for,
)
from tests.unit.wmd_tools import PLAIN, ROOT2, plane, random_texts, random_vectors

DATA = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"


def test_bounds_by_hand():
    bags = make_bags([["east", "north"], ["west", "south"], ["west"]], plane(), Norm.unit)
    query, *corpus = bags.bags
    bounds = Bounds(corpus)
    cost_AV = np.sqrt(((bags.vectors_VD[query.rows][:, np.newaxis] - bags.vectors_VD) ** 2).sum(axis=2))
    # east goes to south and north to west; all of west comes from north, or half of east's mass goes to west: 2.
    assert bounds.rwmd(query, cost_AV) == pytest.approx([ROOT2, (2 + ROOT2) / 2])


def brute_force(query: str, corpus: list[str], k: int, vectors, cfg: WmdConfig) -> list[Neighbour]:
    bags = make_bags([words_for(text, cfg, "en") for text in [query, *corpus]], vectors, cfg.norm)
    first, *rest = bags.bags
    known = [place for place, bag in enumerate(rest) if bag.num_known]
    found = pair_distances([(first, rest[place]) for place in known], bags.vectors_VD).tolist()
    return sorted((Neighbour(*pair) for pair in zip(known, found, strict=True)), key=lambda n: (n.distance, n.index))[
        :k
    ]


@pytest.mark.parametrize("norm", list(Norm))
@pytest.mark.parametrize("k", [1, 7, 1000])
def test_a_search_finds_what_brute_force_finds(norm, k):
    vectors = random_vectors(60, 5, seed=1)
    texts = [" ".join(words) for words in random_texts(130, 60, 6, seed=2)]
    corpus, queries = [*texts[:120], "unknown", ""], texts[120:]
    cfg = WmdConfig(stop_words="none", norm=norm)
    index = WordMoverIndex(corpus, vectors, cfg, "en")
    for query in queries:
        expected = brute_force(query, corpus, k, vectors, cfg)
        found = index.nearest(query, k)
        assert [neighbour.distance for neighbour in found] == pytest.approx([n.distance for n in expected], abs=1e-12)
        assert [neighbour.index for neighbour in found] == [n.index for n in expected]
    if k == 1:
        assert index.num_solved < 0.2 * len(queries) * 120


def test_ties_come_in_the_order_of_the_corpus():
    found = nearest("east", ["north", "east", "south", "oriental", "zenith"], 3, plane(), PLAIN, "en")
    assert found == [Neighbour(1, 0.0), Neighbour(3, 0.0), Neighbour(0, pytest.approx(ROOT2))]


def test_a_query_without_a_known_word_finds_nothing():
    assert nearest("zenith", ["east"], 1, plane(), PLAIN, "en") == []


def test_costs_that_are_forgotten_are_worked_out_again(monkeypatch):
    monkeypatch.setattr("nmt.metrics.wmd.neighbours._ROWS_BYTES", 1)
    index = WordMoverIndex(["east north", "west"], plane(), PLAIN, "en")
    for _ in range(2):
        assert index.nearest("south east", 1) == [Neighbour(0, pytest.approx(1.0))]


def test_what_cannot_be_searched_is_said():
    with pytest.raises(MetricError, match="corpus: found no text with a word that has a vector, expected at least 1"):
        WordMoverIndex(["zenith", ""], plane(), PLAIN, "en")
    with pytest.raises(MetricError, match="k: found 0, expected at least 1; say how many"):
        nearest("east", ["east"], 0, plane(), PLAIN, "en")
    with pytest.raises(MetricError, match="labels: found 1 labels for 2 texts, expected one each"):
        NearestNeighbours(["east", "west"], ["x"], plane(), PLAIN, "en")


def test_the_classifier_takes_the_majority_and_in_a_tie_the_nearest():
    texts, labels = ["east", "north", "south", "west"], ["x", "y", "y", "z"]
    classifier = NearestNeighbours(texts, labels, plane(), PLAIN, "en")
    assert classifier.classify("oriental", 1) == "x"
    assert classifier.classify("oriental", 2) == "x"  # one each: east is nearer
    assert classifier.classify("oriental", 3) == "y"
    assert classifier.classify("zenith", 3) is None


@pytest.mark.long
def test_top_20_among_5000_captions_avoids_98_percent_of_the_solves():
    """Brute force takes five million distances: some two minutes."""
    if not DATA.is_dir():
        pytest.skip("the captions are not here")
    corpus = []
    for number in range(1, 6):
        with gzip.open(DATA / "multi30k" / f"captions_test_2016.{number}.en.gz", "rt", encoding="utf-8") as file:
            corpus += [line.rstrip("\n") for line in file]
    cfg = WmdConfig()
    vectors = load_vectors(DATA / "vectors" / "glove.6B.50d.first5k.txt.gz", vocabulary_of(corpus, cfg, "en"))
    index = WordMoverIndex(corpus, vectors, cfg, "en")
    found = [index.nearest(query, 20) for query in corpus[:1000]]
    assert index.num_solved <= 0.02 * 1000 * 5000
    bags = make_bags([words_for(text, cfg, "en") for text in corpus], vectors, cfg.norm)
    known = [place for place, bag in enumerate(bags.bags) if bag.num_known]
    for query, neighbours in zip(bags.bags, found, strict=False):
        if not query.num_known:
            assert neighbours == []
            continue
        distance_N = pair_distances([(query, bags.bags[place]) for place in known], bags.vectors_VD)
        order_N = np.argsort(distance_N, kind="stable")[:20]
        assert [n.distance for n in neighbours] == pytest.approx(distance_N[order_N].tolist(), abs=1e-12)
        limit = distance_N[order_N[-1]] - 1e-12  # texts that tie with the last may stand for one another
        assert {n.index for n in neighbours} >= {known[place] for place in np.flatnonzero(distance_N < limit)}
