"""What a score of sentences means, point by point."""

from __future__ import annotations

import logging
import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from nmt.config.metrics import Aggregate, Backend, Norm, WmdConfig
from nmt.errors import MetricError
from nmt.metrics.bootstrap import bootstrap_interval, mean_from_statistics, mean_statistics
from nmt.metrics.vectors import load_vectors, open_vectors, word_vectors
from nmt.metrics.wmd import WordMover, engine, stop_list, wmd_similarity
from nmt.metrics.wmd import mover as score_module
from tests.unit.wmd_tools import PLAIN, PLANE, ROOT2, plane


def score(candidates, references, cfg=PLAIN, language="en", vectors=None):
    return WordMover(vectors or plane(), cfg, language).score(candidates, references)


@pytest.mark.parametrize(
    "candidate, reference, similarity, distance, coverage",
    [
        ("east north", "north east", 1.0, 0.0, 1.0),  # identical bags
        ("east east", "east", 1.0, 0.0, 1.0),  # a bag is a share of each word, not a count
        ("east", "oriental", 1.0, 0.0, 1.0),  # two words with equal vectors
        ("", "", 1.0, 0.0, 1.0),  # both empty
        ("", "east", 0.0, None, 1.0),  # one empty
        ("east", "", 0.0, None, 1.0),
        ("zenith", "east", 0.0, None, 0.5),  # all of one side out of vocabulary
        ("east", "zenith nadir", 0.0, None, 1 / 3),
        ("zenith", "zenith", 0.0, None, 0.0),  # nothing is known of either
        ("zenith", "", 0.0, None, 0.0),
        ("zenith east", "east", 1.0, 0.0, 2 / 3),  # unknown words are dropped
        ("EAST", "east", 1.0, 0.0, 1.0),  # lower-cased by default
        ("east", "west", math.exp(-2), 2.0, 1.0),
        ("east north", "west south", math.exp(-ROOT2), ROOT2, 1.0),
    ],
)
def test_meaning_of_a_sentence_score(candidate, reference, similarity, distance, coverage):
    (sentence,) = score([candidate], [[reference]]).sentences
    assert sentence.similarity == pytest.approx(similarity, abs=1e-15)
    assert sentence.distance == (None if distance is None else pytest.approx(distance, abs=1e-15))
    assert sentence.coverage == pytest.approx(coverage)


def test_a_corpus_is_the_mean_and_says_what_it_left_out():
    found = score(
        ["east", "", "zenith", "east", "", "north"],
        [["west"], [""], ["east"], ["", "nadir"], ["east"], ["north", "zenith"]],
    )
    assert [sentence.distance for sentence in found.sentences] == [2.0, 0.0, None, None, None, 0.0]
    assert found.similarity == pytest.approx((math.exp(-2) + 1 + 1) / 6)
    assert found.distance == pytest.approx(2 / 3)  # of the three that have one
    assert found.num_empty == 2  # the second and the fifth
    assert found.num_unknown == 2  # the third, and the fourth, whose references are empty or unknown
    # Words with a vector: east west | - | east | east | east | north north; without: zenith, nadir, zenith.
    assert found.coverage == pytest.approx(7 / 10)


def test_similarities_are_an_array_that_can_be_resampled():
    found = score(["east", "east"], [["east"], ["west"]])
    assert found.similarities_N.dtype == np.float64
    assert found.similarities_N.tolist() == pytest.approx([1.0, math.exp(-2)])
    interval = bootstrap_interval(mean_statistics(found.similarities_N), mean_from_statistics, 200, 0.95, 1)
    assert (interval.low, interval.high) == pytest.approx((math.exp(-2), 1.0))


def test_nothing_known_at_all_has_no_mean_distance():
    assert score(["zenith"], [["nadir"]]).distance is None


@pytest.mark.parametrize(
    "aggregate, similarity, distance",
    [
        (Aggregate.max, math.exp(-ROOT2), ROOT2),
        (Aggregate.mean, (math.exp(-2) + math.exp(-ROOT2) + 0) / 3, (2 + ROOT2) / 2),
    ],
)
def test_aggregates_over_references(aggregate, similarity, distance):
    found = score(["east"], [["west", "north", "zenith"]], replace(PLAIN, aggregate=aggregate))
    assert found.similarity == pytest.approx(similarity)
    assert found.distance == pytest.approx(distance)


def test_sigma_is_the_unit_of_distance():
    assert score(["east"], [["west"]], replace(PLAIN, sigma=4.0)).similarity == pytest.approx(math.exp(-0.5))


def test_norm_raw_takes_vectors_as_they_are():
    assert score(["east"], [["oriental"]], replace(PLAIN, norm=Norm.raw)).distance == 3.0


def test_casing_counts_where_it_is_asked_to():
    assert score(["EAST"], [["east"]], replace(PLAIN, lowercase=False)).sentences[0].distance is None


def test_stop_words_carry_no_mass_and_do_not_count_as_lost():
    cfg = WmdConfig(stop_words="en")
    found = score(["the east", "The east", "the of"], [["an east"], ["east"], ["a"]], cfg)
    assert [sentence.distance for sentence in found.sentences] == [0.0, 0.0, 0.0]
    assert found.coverage == 1.0
    assert found.num_empty == 1
    cased = score(["The east"], [["east"]], replace(cfg, lowercase=False))
    assert cased.sentences[0].coverage == 1.0  # a stop word is one in any casing


def test_a_language_without_a_stop_list_is_told_of(caplog):
    with caplog.at_level(logging.WARNING):
        found = score(["east"], [["east"]], WmdConfig(stop_words="auto"), language="eo")
        score(["east"], [["east"]], WmdConfig(stop_words="auto"), language="de")
        score(["east"], [["east"]], WmdConfig(stop_words="none"), language="eo")
    assert caplog.messages == [
        "metrics.wmd.stop_words=auto: there is no stop list for the language 'eo': every word counts."
    ]
    assert "|stop:none-for-eo|" in found.signature


def test_contractions_are_stop_words_however_the_apostrophe_is_typed():
    vectors = word_vectors(["east", "don't", "o'clock"], np.eye(3), "test")
    found = score(["don't east", "don’t east"], [["east"], ["east"]], WmdConfig(stop_words="en"), vectors=vectors)
    assert [sentence.similarity for sentence in found.sentences] == [1.0, 1.0]
    assert score(["o’clock"], [["o'clock"]], vectors=vectors).similarity == 1.0


def test_equal_pairs_are_solved_once(monkeypatch):
    solved = []
    monkeypatch.setattr(
        "nmt.metrics.wmd.mover.stacked_distances",
        lambda texts, first_P, *rest: solved.append(len(first_P)) or engine.stacked_distances(texts, first_P, *rest),
    )
    score(["east", "west", "west zenith"], [["west", "west"], ["east", "west"], ["east"]])
    assert solved == [1]


def test_both_back_ends_give_the_same_score():
    pytest.importorskip("pyemd", reason="this pyemd does not load", exc_type=ImportError)
    texts = ["east north", "west"], [["south west"], ["east north south"]]
    ours, theirs = (score(*texts, replace(PLAIN, backend=backend)) for backend in (Backend.exact, Backend.pyemd))
    assert ours.similarity == pytest.approx(theirs.similarity, abs=1e-9)
    assert ours.signature.replace("exact", "pyemd") == theirs.signature


def test_the_signature_names_every_choice():
    vectors = plane()
    expected = (
        "nrefs:1|case:lc|tok:13a|stop:none|norm:unit|agg:max|sigma:1|dim:2"
        f"|vec:{vectors.sha256}|solver:exact|list:e3b0c442|version:nmt-0.1.0"
    )
    plain = score(["east"], [["east"]]).signature
    assert plain == expected
    other_choices = [
        score(["east"], [["east", "west"]]),
        score(["east", "east"], [["east", "west"], ["east"]]),
        score(["east"], [["east"]], vectors=word_vectors(["east"], np.ones((1, 2)), "other")),
        *(
            score(["east"], [["east"]], replace(PLAIN, **{key: value}))
            for key, value in {
                "lowercase": False,
                "tokenize": "none",
                "stop_words": "de",
                "norm": Norm.raw,
                "aggregate": Aggregate.mean,
                "sigma": 0.5,
            }.items()
        ),
    ]
    assert len({plain, *(found.signature for found in other_choices)}) == 1 + len(other_choices)


def test_a_stop_list_that_its_package_changes_makes_another_signature(monkeypatch):
    before = score(["east"], [["east"]], WmdConfig(stop_words="de")).signature
    changed = replace(stop_list("de", "de"), words=frozenset({"der"}))
    monkeypatch.setattr(score_module, "stop_list", lambda *_: changed)
    after = score(["east"], [["east"]], WmdConfig(stop_words="de")).signature
    assert before.partition("|list:")[0] == after.partition("|list:")[0]
    assert before != after


def test_a_table_that_stays_in_its_file_scores_as_one_in_memory(tmp_path):
    path = tmp_path / "vectors"
    path.write_text("".join(f"{word} {x:g} {y:g}\n" for word, (x, y) in PLANE.items()), encoding="utf-8")
    loaded, opened = (WordMover(table, PLAIN, "en") for table in (load_vectors(path, None), open_vectors(path)))
    for lines in (["east north", "zenith"], ["west south", "oriental"]):
        references = [["north"], ["south west"]]
        assert opened.score(lines, references) == loaded.score(lines, references)
    assert opened.explain("east west", "north").table() == loaded.explain("east west", "north").table()
    assert opened.vectors.select([]).words == ["east", "north", "south", "west", "oriental"]  # as they were asked for


def test_one_pair_without_a_corpus():
    mover = WordMover(plane(), PLAIN, "en")
    assert mover.distance("east", "west") == 2.0
    assert mover.distance("east", "zenith") is None
    assert wmd_similarity("east", ["west", "oriental"], plane(), PLAIN, "en") == 1.0


@pytest.mark.parametrize(
    "candidates, references, message",
    [
        (["a", "b"], [["a"]], "WMD: found 2 translations and references for 1 sentence"),
        ([], [], "WMD: found no sentences"),
        (["a"], [[]], "WMD, sentence 1: found no reference"),
    ],
)
def test_what_cannot_be_scored_is_said(candidates, references, message):
    with pytest.raises(MetricError, match=message):
        score(candidates, references)


def test_a_plan_says_where_each_word_went():
    plan = WordMover(plane(), PLAIN, "en").explain("east north west", "east north")
    assert (plan.words_a, plan.words_b) == (["east", "north", "west"], ["east", "north"])
    assert plan.flow_AB == pytest.approx(np.array([[2, 0], [0, 2], [1, 1]]) / 6)
    assert plan.mass_a == pytest.approx([1 / 3] * 3)
    assert plan.mass_b == pytest.approx([1 / 2] * 2)
    assert plan.cost_AB == pytest.approx(np.array([[0, ROOT2], [ROOT2, 0], [2, ROOT2]]))
    assert plan.distance == pytest.approx((2 + ROOT2) / 6)
    assert [move[:2] for move in plan.moves()] == [
        ("west", "east"),
        ("west", "north"),
        ("east", "east"),
        ("north", "north"),
    ]
    assert plan.table().split("\n") == [
        "from   to       mass      cost  mass x cost",
        "west   east   0.1667    2.0000       0.3333",
        "west   north  0.1667    1.4142       0.2357",
        "east   east   0.3333    0.0000       0.0000",
        "north  north  0.3333    0.0000       0.0000",
        "                      distance       0.5690",
    ]
    assert plan.as_json()["moves"][0] == pytest.approx({"from": "west", "to": "east", "mass": 1 / 6, "cost": 2.0})


@pytest.mark.parametrize("pair", [("", ""), ("east", ""), ("zenith", "east")])
def test_without_mass_there_is_no_plan(pair):
    assert WordMover(plane(), PLAIN, "en").explain(*pair) is None


def test_scoring_never_imports_a_deep_learning_library():
    program = (
        "import sys, nmt.metrics.wmd, nmt.metrics.vectors, nmt.metrics.trained, nmt.metrics.results, ot\n"
        "print([name for name in ('tensorflow', 'torch', 'jax', 'cupy', 'keras') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
