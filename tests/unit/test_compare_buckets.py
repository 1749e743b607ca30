"""Where systems are good and in what words they differ: on a corpus so small that all of it is counted by hand."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from nmt.compare.buckets import Buckets, Draws, where_and_why
from nmt.compare.judge import compare
from nmt.compare.ngrams import differing, right
from nmt.compare.robustness import WAYS, worse
from nmt.compare.sentences import Trace, copied, is_name, is_number, lost, rarest, repeated, unseen, words
from nmt.compare.systems import Output, System, Worse, our_measures
from nmt.compare.tables import as_json
from nmt.config.commands import WORSE
from nmt.config.metrics import MetricsConfig
from nmt.metrics.metric import Language, Scorer

SOURCE = ["Anna has 2 dogs.", "the red house stands there on a hill in the sun", "the car"]
REFERENCES = [["Anna hat 2 Hunde."], ["das rote Haus steht dort auf einem Berg in der Sonne"], ["das Auto"]]
BASELINE = ["Anna hat Hunde.", "das rote Haus steht dort auf dem Berg auf dem Berg", "das car"]
OTHER = ["eine hat 2 Hunde.", "das rote Haus steht dort auf einem Berg in der Sonne", "das ⁇"]
MEASURES = our_measures(["bleu", "chrf"])
DRAWS = Draws(100, 0.9, 1)


def system(name: str, lines: list[str], traces: list[Trace | None] | None = None) -> System:
    scorer = Scorer(MetricsConfig(report=["bleu", "chrf"]), Language("de"))
    return System(name, REFERENCES, [Output(name, lines, scorer.score(lines, REFERENCES, 0), traces or ())])


@pytest.fixture(scope="module")
def why():
    training = Counter({"the": 500, "car": 1, "on": 20, "red": 20, "house": 15, "stands": 11})
    training.update({"there": 10, "a": 900, "hill": 12, "in": 99, "sun": 40})
    return where_and_why(SOURCE, [system("a", BASELINE), system("b", OTHER)], MEASURES, DRAWS, training)


def rows(why, by: str, of: str | None) -> dict[str, list[int]]:
    (found,) = [one for one in why.buckets if (one.by, one.of) == (by, of)]
    assert isinstance(found, Buckets)
    return {one.label: list(one.rows) for one in found.bins}


# ---- one sentence


def test_words_have_no_punctuation_around_them():
    assert words("Ein „Hund“, der 1,5 m - kurz: rennt...") == ("Ein", "Hund", "der", "1,5", "m", "kurz", "rennt")
    assert words("我有2本书。") == ("我", "有", "2", "本", "书")
    assert words(" ") == ()


def test_numbers_and_names_are_lost_where_a_reference_has_them():
    source, references = "Anna Smith has 2 cats and 17 dogs", ["Anna Smith hat zwei Katzen und 17 Hunde"]
    assert lost(is_number, source, "Anna hat 2 Katzen", references) == 1  # 17; 2 is a word in German
    assert lost(is_name, source, "anna Smith hat 17", references) == 1
    assert lost(is_number, "no number", "3", ["3"]) is None


def test_repeats_count_more_than_a_reference_has():
    assert repeated("a b a b", ["x"]) == 1  # a b
    assert repeated("the the the", ["the"]) == 2
    assert repeated("sehr sehr gut", ["sehr sehr gut"]) == 0
    assert repeated("a b a b", ["a b", "a b c a b"]) == 0
    assert repeated("", [""]) == 0


def test_words_left_as_they_were_are_those_of_no_reference():
    assert copied("the car in Berlin", "das car in Berlin", ["das Auto in Berlin"]) == 1


def test_the_rarest_word_counts():
    assert rarest("a b!", Counter(a=3, b=2)) == 2
    assert rarest("a c", Counter(a=3)) == 0
    assert rarest("...", Counter(a=3)) is None


def test_a_word_is_seen_with_any_of_its_pieces():
    """ "bb" is of two pieces, which got 0.06 + 0.06; "c" got 0.08; the mark is no word; the end mark has the rest."""
    weight_TS = np.array([[0.9, 0.03, 0.03, 0.04, 0.0, 0.0], [0.0, 0.03, 0.03, 0.04, 0.0, 0.9]])
    assert unseen(Trace(["a", "bb", "bb", "c", "."], [], [], weight_TS)) == 1


# ---- bins


def test_sentences_fall_where_they_belong(why):
    assert rows(why, "source_length", None) == {"1-9": [0, 2], "10-19": [1]}
    assert rows(why, "rarest_word", None) == {"never": [0], "1-9": [2], "10-99": [1]}
    assert rows(why, "copied_words", "a") == {"none": [0, 1], "1": [2]}
    assert rows(why, "copied_words", "b") == {"none": [0, 1, 2]}
    assert rows(why, "numbers", "a") == {"some lost": [0]}
    assert rows(why, "numbers", "b") == {"all kept": [0]}
    assert rows(why, "names", "a") == {"all kept": [0]}
    assert rows(why, "names", "b") == {"some lost": [0]}
    assert rows(why, "repeats", "a") == {"none": [0, 2], "2 and more": [1]}  # auf dem, dem Berg
    assert rows(why, "unknown_pieces", "b") == {"without": [0, 1], "with": [2]}
    assert rows(why, "similarity", "b")["80 and more"] == [1]
    assert "unseen_words: no attention of a is known" in why.left_out


def test_a_bin_scores_as_its_sentences_would_alone(why):
    (bins,) = [one.bins for one in why.buckets if one.by == "source_length"]
    scorer = Scorer(MetricsConfig(report=["bleu", "chrf"]), Language("de"))
    for one in bins:
        for name, lines in (("a", BASELINE), ("b", OTHER)):
            alone = scorer.score([lines[i] for i in one.rows], [REFERENCES[i] for i in one.rows], 0)
            for metric, score in alone.items():
                figure = one.scores[metric][name]
                assert figure.score == pytest.approx(score.value, rel=1e-12)
                assert figure.low is None or figure.low <= figure.score <= figure.high
    assert [one.scores["bleu"]["b"].low is None for one in bins] == [False, True]
    long = bins[1].scores["bleu"]["b"]  # one sentence, without a fault
    assert (long.score, long.low, long.high) == (pytest.approx(100), None, None)


def test_words_that_no_step_looked_at_need_a_trace():
    """ "the car" by two steps: one looks at "the", the other at the end mark."""
    trace = Trace(["the", "car"], [], [], np.array([[1.0, 0.0, 0.0], [0.05, 0.04, 0.91]]), unknown=True)
    found = where_and_why(SOURCE, [system("a", BASELINE, [None, None, trace])], MEASURES, DRAWS)
    assert rows(found, "unseen_words", "a") == {"1": [2]}
    assert rows(found, "unknown_pieces", "a") == {"without": [0, 1], "with": [2]}
    assert found.left_out == [
        "rarest_word: no counts of words; name the source side of the training text, training=FILE"
    ]
    assert found.ngrams == {}


def test_several_runs_are_their_mean():
    lines = [BASELINE, OTHER]
    outputs = [system("x", each).outputs[0] for each in lines]
    found = where_and_why(SOURCE, [System("x", REFERENCES, outputs)], MEASURES, DRAWS)
    (single,) = [where_and_why(SOURCE, [system("a", BASELINE), system("b", OTHER)], MEASURES, DRAWS)]
    mean, both = found.buckets[0].bins[0].scores["chrf"]["x"], single.buckets[0].bins[0].scores["chrf"]
    assert mean.score == pytest.approx((both["a"].score + both["b"].score) / 2)


def test_it_is_plain_and_the_same_each_time(why):
    content = why.as_json()
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    again = where_and_why(SOURCE, [system("a", BASELINE), system("b", OTHER)], MEASURES, DRAWS)
    assert (
        again.as_json() == where_and_why(SOURCE, [system("a", BASELINE), system("b", OTHER)], MEASURES, DRAWS).as_json()
    )
    first = content["buckets"][0]
    assert [first["by"], first["of"], [(one["label"], one["n"]) for one in first["bins"]]] == [
        *("source_length", None),
        [("1-9", 2), ("10-19", 1)],
    ]
    assert first["bins"][0]["scores"]["bleu"]["b"].keys() == {"score", "low", "high"}


# ---- n-grams


def test_an_ngram_is_right_as_often_as_a_reference_has_it():
    found = right(["a a b", "a"], [["a b", "a a"], ["b"]])
    assert found == {("a",): 2, ("b",): 1, ("a", "a"): 1, ("a", "b"): 1}


def test_the_ngrams_that_one_has_right_more_often():
    """The larger difference first, of equal ones the longer, then by the alphabet."""
    references = [["a b c"], ["a b"]]
    one, other = (
        System(name, references, [Output(name, lines, {})])
        for name, lines in (("x", ["c", "a"]), ("y", ["a b", "a b"]))
    )
    more, less = differing(one, other)
    assert [(each.ngram, each.baseline, each.system) for each in more] == [("a b", 0, 2), ("b", 0, 2), ("a", 1, 2)]
    assert [(each.ngram, each.baseline, each.system) for each in less] == [("c", 1, 0)]


# ---- the test set made worse


@pytest.mark.parametrize(
    ("way", "changed"),
    [
        # The fourth, eighth and eleventh: house (u and o swapped), walks (its l goes), under (its d is doubled).
        ("typos", ["This small green huose can't see 1234.", "Never ever that waks Über", "then this undder sun"]),
        ("capitals", ["THIS SMALL GREEN HOUSE CAN'T SEE 1234.", "NEVER EVER THAT WALKS ÜBER", "THEN THIS UNDER SUN"]),
        ("lowercase", ["this small green house can't see 1234.", "never ever that walks über", "then this under sun"]),
        (
            "no_punctuation",
            ["This small green house can't see 1234", "Never ever that walks Über", "then this under sun"],
        ),
        ("nfd", ["This small green house can't see 1234.", "Never ever that walks U\u0308ber", "then this under sun"]),
    ],
)
def test_a_source_is_changed_in_a_way_that_can_be_written_down(way, changed):
    source = ["This small green house can't see 1234.", "Never ever that walks Über", "then this under sun"]
    references = [["x"], ["y", "z"], [""]]
    assert worse(way, source, references) == (changed, references)


def test_letters_that_are_swapped_differ():
    """By hand: 2 and 4 are as near to the middle of yellow; in aabbbb the only place is 2; aaaa has none."""
    for word, changed in (("yellow", "ylelow"), ("aabbbb", "ababbb"), ("aaaa", "aaaa"), ("house", "huose")):
        assert worse("typos", [f"long long long {word}"], [["x"]])[0] == [f"long long long {changed}"]


def test_a_doubled_sentence_has_doubled_references():
    assert worse("doubled", ["a b."], [["x.", "y"]]) == (["a b. a b."], [["x. x.", "y y"]])


def test_every_way_that_the_command_line_knows_can_be_made():
    assert {*WAYS, "doubled"} == set(WORSE)


def test_marks_on_their_own_and_quotes_go():
    assert worse("no_punctuation", ["„Ja“ , 1,5 - (well-known)…"], [["x"]])[0] == ["Ja 1,5 well-known"]


def test_scores_of_worse_text_stand_beside_the_plain_ones():
    """b kept what it had, a lost the middle sentence."""
    scorer = Scorer(MetricsConfig(report=["bleu", "chrf"], bootstrap=50), Language("de"))
    systems = []
    for name, lines, robust in (("a", OTHER, [OTHER[0], "", OTHER[2]]), ("b", OTHER, OTHER)):
        made = Worse(REFERENCES, robust, scorer.score(robust, REFERENCES, 0))
        (output,) = system(name, lines).outputs
        systems.append(System(name, REFERENCES, [replace(output, worse={"typos": made})]))
    found = as_json(compare("test", [*systems, system("file", BASELINE)], MEASURES, scorer, SOURCE))
    plain, typos = found["robustness"]
    assert (plain["set"], typos["set"]) == ("plain", "typos")
    for metric in ("bleu", "chrf"):
        one = typos["scores"][metric]
        assert one["b"] == plain["scores"][metric]["b"]
        alone = systems[0].outputs[0].worse["typos"].scores[metric].value
        assert one["a"]["score"] == pytest.approx(alone, rel=1e-12)
        assert one.keys() == {"a", "b"}  # a file of translations cannot translate other text
    assert [each["by"] for each in found["buckets"]][:2] == ["source_length", "similarity"]
    assert "robustness" not in as_json(compare("test", [system("file", BASELINE)], MEASURES, scorer))
