"""What a comparison gives its page: a verdict in words, pictures, and every sentence with its scores and plans."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from nmt.compare import page as compare_page
from nmt.compare import verdict
from nmt.compare.judge import Comparison, Verdict, compare
from nmt.compare.page import report_of
from nmt.compare.sentences import Trace
from nmt.compare.systems import Output, System, Worse, our_measures
from nmt.config.metrics import MetricsConfig, Norm, WmdConfig
from nmt.metrics.bootstrap import Interval
from nmt.metrics.metric import Language, Scorer
from nmt.metrics.vectors import word_vectors
from nmt.report.page import Report, report_html

MEASURES = {one.name: one for one in our_measures(["bleu", "chrf", "wmd", "ter"])}
SOURCE = ["a cat", "a dog runs", "the old house over there"]
REFERENCES = [["eine katze"], ["ein hund rennt"], ["das alte haus dort drüben"]]
A, B = ["eine katze", "ein haus", "das alte haus"], ["ein hund", "ein hund rennt", ""]
VECTORS = word_vectors(["katze", "hund", "haus"], np.array([[1.0, 0.0], [4.0, 4.0], [0.0, 1.0]]), "by hand")
CFG = MetricsConfig(bootstrap=50, wmd=WmdConfig(stop_words="none", norm=Norm.raw))


def said(*figures: tuple[str, float, float, float | None]) -> list[str]:
    """Of a system B with (metric, difference, p, agreement)."""
    interval = Interval(0.0, 0.0)
    own = [
        Verdict(
            MEASURES[name], "B", 1.0, interval, difference=difference, p_holm=p, agreement=agreement,
            difference_interval=interval,
        )
        for name, difference, p, agreement in figures
    ]  # fmt: skip
    verdicts = [Verdict(MEASURES["bleu"], "A", 1.0, interval), *own]
    systems = [System("A", REFERENCES, []), System("B", REFERENCES, [])]
    return verdict.sentences(Comparison("test", 3, systems, verdicts, {}, [], 0.95))


def test_the_verdict_is_a_sentence():
    assert said(("bleu", 1.5, 0.01, 72.4), ("chrf", 1.0, 0.02, 71.2), ("wmd", 0.1, 0.03, None)) == [
        "B is better than A by BLEU, chrF and WMD similarity; a difference people notice in 71 of 100 such pairs."
    ]
    assert said(("wmd", 0.1, 0.03, None)) == ["B is better than A by WMD similarity."]
    assert said(("ter", 2.0, 0.001, None)) == ["B is worse than A by TER."]  # more edits
    assert said(("bleu", 1.0, 0.01, 65.0), ("ter", 2.0, 0.001, None)) == [
        "B is better than A by BLEU and worse than A by TER."
    ]
    assert said(("bleu", 1.0, 0.05, 65.0), ("chrf", 1.0, 0.9, 71.0)) == [
        "B is neither better nor worse than A by BLEU or chrF, as far as these sentences tell."
    ]


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer(CFG, Language("de", VECTORS))


def system(name: str, lines: list[str], by: Scorer, **more) -> System:
    return System(name, REFERENCES, [Output(f"{name}.txt", lines, by.score(lines, REFERENCES, 0), **more)])


def judged(scorer: Scorer, *systems: System) -> Comparison:
    return compare("test", list(systems), our_measures(CFG.report), scorer, SOURCE)


def test_every_sentence_has_its_scores_and_plans(scorer):
    """katze to hund is 5 far by hand; the empty line has no plan."""
    trace = Trace(["a", "cat"], ["a", "cat", "</s>"], ["ein", "</s>"], np.eye(2, 3))
    nbest = [[("ein hund", -1.0), ("ein", -2.0)], [("ein hund rennt", -1.0)], [("", 0.0)]]
    page = report_of(
        judged(scorer, system("A", A, scorer), system("B", B, scorer, traces=[trace, trace, None], nbest=nbest)), scorer
    )
    found = page.sentences
    assert [note.partition(":")[0] for note in page.notes if "entropy 0.00" in note] == ["B, attention"]
    assert (found.source, found.references) == (SOURCE, REFERENCES)
    first, second = found.candidates
    assert [first.lines, second.lines] == [A, B]
    assert second.scores["WMD similarity"] == pytest.approx([np.exp(-5), 1, 0])
    assert second.scores["BLEU"][1] == pytest.approx(100)  # three words, all right, though they have no 4-gram
    assert first.scores["chrF"][0] == pytest.approx(100)
    assert second.plans[0].distance == pytest.approx(5)
    assert [second.plans[0].moves, second.plans[1].moves, second.plans[2]] == [
        [("hund", "katze", 1.0, 5.0)],
        [("hund", "hund", 1.0, 0.0)],
        None,
    ]
    assert first.details == []
    assert [detail.weights for detail in second.details] == ["/~C/A", "/~C/A", ""]
    assert second.details[0].nbest == nbest[0]
    assert (found.rarity, found.rarest) == ([1, 1, 1], "rarest word (of the test set)")
    counted = report_of(judged(scorer, system("A", A, scorer)), scorer, Counter(a=5, cat=3)).sentences
    assert (counted.rarity, counted.rarest) == ([3, 0, 0], "rarest word")


def test_the_page_has_a_picture_for_each_metric_and_bucket(scorer):
    found = report_of(judged(scorer, system("A", A, scorer), system("B", B, scorer)), scorer)
    assert found.title == "test: compared with A"
    assert list(found.notes[:2]) == ["A: A.txt", "B: B.txt"]
    assert [panel.caption for panel in found.scores] == ["BLEU", "chrF", "WMD similarity"]
    assert [len(panel.rows) for panel in found.scores] == [2, 2, 2]
    assert found.curves == []
    length = found.groups[0]
    assert (length.heading, [row.label for row in length.panels[0].rows]) == ("source length", ["1-9 (3)"])
    assert found.sentences.groupings[0].bins == {"1-9": [0, 1, 2]}
    assert "repeats of B" in [group.heading for group in found.groups]
    assert [one.heading for one in found.words] == ["What B gets right more often", "What B gets right less often"]
    assert set(found.copies) == {"Markdown", "LaTeX"}
    assert not any(column.number for column in found.costs.columns), "a number's cell does not break"
    assert list(found.signatures) == ["BLEU", "chrF", "WMD similarity"]


def test_every_run_has_its_learning_curve_in_the_colour_of_its_system(scorer):
    runs = [[{"step": 10, "bleu": 1.0, "loss": 4.0}, {"step": 20, "bleu": last}] for last in (2.0, 5.0, 3.0)]
    group = System("B", REFERENCES, [system("B", lines, scorer).outputs[0] for lines in (B, A)], histories=runs[1:])
    found = report_of(judged(scorer, replace(system("A", A, scorer), histories=runs[:1]), group), scorer).curves
    assert [panel.caption for panel in found] == ["loss (dev)", "BLEU (dev)"]
    assert found[1].about == "BLEU (dev) over steps; at the end A 2, B, 1 5, B, 2 3"
    assert [(line.colour, line.name) for line in found[1].lines] == [(0, "A"), (1, "B, 1"), (1, "B, 2")]
    assert [line.path.count("L") for line in found[1].lines] == [1, 1, 1]


def test_how_often_words_were_trained_on_is_a_picture_of_its_own(scorer):
    """By hand: cat 0 times, dog 3, house 12."""
    counts = Counter(a=90, dog=3, runs=9, the=90, old=50, house=12, over=70, there=80)
    systems = [system("A", A, scorer), system("B", B, scorer)]
    judgement = compare("test", systems, our_measures(CFG.report), scorer, SOURCE, counts)
    page = report_of(judgement, scorer, counts)
    (group,) = [one for one in page.groups if one.heading == "rarest word"]
    assert group.about == "how often the training text has the rarest word of the source"
    panel = next(one for one in group.panels if one.caption == "chrF")
    assert [row.label for row in panel.rows] == ["never (1)", "1-9 (1)", "10-99 (1)"]
    alone = MEASURES["chrf"].of_sentences(systems[1].outputs[0].scores["chrf"].statistics_NF)
    assert [row.whiskers[1].told for row in panel.rows] == [f"{value:.2f}" for value in alone]
    assert "<figcaption>chrF</figcaption>" in report_html(Report("", groups=[group]), "")
    assert "never (1)" in report_html(Report("", groups=[group]), "")


def test_the_test_set_made_worse_is_a_group_of_its_own(scorer):
    lines = ["ein hund", "ein haus", ""]
    made = {"typos": Worse(REFERENCES, lines, scorer.score(lines, REFERENCES, 0))}
    group = report_of(judged(scorer, system("A", A, scorer, worse=made), system("B", B, scorer)), scorer).groups[-1]
    assert (group.heading, [row.label for row in group.panels[0].rows]) == ("robustness", ["plain", "typos"])
    assert [one.name for row in group.panels[0].rows for one in row.whiskers] == ["A", "A"]  # B is a file alone


def test_of_several_runs_the_first_is_shown_and_that_is_said(scorer):
    group = System("B", REFERENCES, [system("B", lines, scorer).outputs[0] for lines in (B, A)])
    found = report_of(judged(scorer, system("A", A, scorer), group), scorer)
    assert found.sentences.candidates[1].lines == B
    assert "B: its sentences are those of the first of 2 runs" in found.notes


def test_one_system_alone_is_compared_with_nobody(scorer):
    found = report_of(judged(scorer, system("A", A, scorer)), scorer)
    assert (found.title, list(found.lead), found.score_table) == ("test: A", [], None)
    assert "- Test set: test, 3 sentences.\n" in found.copies["Markdown"]
    assert found.words == []


def test_too_many_transport_plans_are_left_out_and_that_is_said(scorer, monkeypatch):
    monkeypatch.setattr(compare_page, "MOST_PLANS", 2)
    found = report_of(judged(scorer, system("A", A, scorer)), scorer)
    assert not found.sentences.candidates[0].plans
    assert "transport plans: left out of the page, for more than 2 translations" in found.notes
