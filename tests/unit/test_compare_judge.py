"""Several systems beside the first: one scale for all, any number of them, and what a difference is worth."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from nmt.compare import tables
from nmt.compare.judge import Comparison, compare
from nmt.compare.systems import Output, System, check_same_text, foreign_measures, our_measures, with_segments
from nmt.config.metrics import BleuConfig, ChrfConfig, MetricsConfig, WmdConfig
from nmt.data.text import ParallelText
from nmt.errors import CheckpointError, DataError
from nmt.metrics.agreement import agreement
from nmt.metrics.bootstrap import bootstrap_interval, mean_from_statistics, mean_statistics
from nmt.metrics.metric import Language, Score, Scorer
from nmt.metrics.significance import holm, paired_bootstrap, paired_randomisation
from nmt.metrics.vectors import word_vectors

WORDS = ["hund", "katze", "haus", "baum", "rennt", "schläft", "rot", "alt"]
REFERENCES = [
    f"{WORDS[i % 8]} {WORDS[(i * 3 + 1) % 8]} {WORDS[(i * 5 + 2) % 8]} {WORDS[i // 8 % 8]}" for i in range(60)
]
CFG = MetricsConfig(bootstrap=200, confidence=0.9, wmd=WmdConfig(stop_words="none"))


def scorer(seed: int, cfg: MetricsConfig = CFG) -> Scorer:
    matrix_WD = np.random.default_rng(seed).normal(size=(8, 5))
    return Scorer(cfg, Language("de", word_vectors(WORDS, matrix_WD, "test")))


def output(every: int, by: Scorer, references: list[str] = REFERENCES, first: int = 0) -> Output:
    """Each `every`-th line of the references spoilt, counted from `first`."""
    spoilt = [i % every == first for i in range(len(references))]
    lines = [" ".join(reversed(x.split()[:2])) if bad else x for x, bad in zip(references, spoilt, strict=True)]
    return Output(f"{every}.txt", lines, by.score(lines, [[line] for line in references], 0))


def system(name: str, every: int, by: Scorer, references: list[str] = REFERENCES) -> System:
    return System(name, [[line] for line in references], [output(every, by, references)])


def judged(systems: list[System], by: Scorer, segments: tuple[str, ...] = ()) -> Comparison:
    return compare("test", systems, [*our_measures(by.cfg.report), *foreign_measures(segments)], by)


def test_any_number_of_systems_stands_beside_the_first():
    by = scorer(1)
    systems = [system(name, every, by) for name, every in (("a", 2), ("b", 3), ("c", 8), ("d", 2))]
    found = judged(systems, by)
    assert tables.as_text(found).startswith("test: compared with a\n")
    assert "90 % interval" in tables.as_text(found)
    cells = tables.rows(found)
    assert [row[:2] for row in cells] == [(m, name) for m in ("BLEU", "chrF", "WMD similarity") for name in "bcd"]
    assert all(row[3:7] == (row[3], f"[{row[3]}, {row[3]}]", "1.000", "1.000") for row in cells if row[1] == "d")
    base, *others = (one.outputs[0].scores["wmd"].statistics_NF for one in systems)
    boot = paired_bootstrap(base, others, mean_from_statistics, resamples=200, confidence=0.9, seed=CFG.seed)
    shuffled = paired_randomisation(base, others, mean_from_statistics, trials=10_000, seed=CFG.seed)
    for row, one, two in zip(cells[6:], boot, shuffled, strict=True):
        low, high = one.difference_interval.low, one.difference_interval.high
        assert row[2:4] == (f"{one.score:.4f}", f"{one.difference:+.4f}")
        assert row[4] == f"[{low:+.4f}, {high:+.4f}]"
        p_values = [f"{p:.3f}" if p >= 0.001 else "< 0.001" for p in (one.p_value, two.p_value)]
        assert list(row[5:7]) == p_values
    assert shuffled[1].p_value < 0.05  # c is much better than a


def test_the_correction_is_over_all_systems_and_metrics():
    by = scorer(1)
    found = judged([system(name, every, by) for name, every in (("a", 2), ("b", 3), ("c", 4))], by)
    compared = [one for one in found.verdicts if one.difference is not None]
    assert [one.p_holm for one in compared] == holm([one.p_randomisation for one in compared])
    assert holm([0.01, 0.04, None, 0.03]) == [0.03, 0.06, None, 0.06]  # 3 * .01; 2 * .03; 1 * .04, but not below .06
    assert holm([0.5, 0.6]) == [1.0, 1.0]
    assert holm([]) == []


def test_people_agree_as_the_authors_table_says():
    """Thresholds of the paper's table: the difference at which a share of people agrees."""
    bleu, chrf, wmd = (measure.curve for measure in our_measures(["bleu", "chrf", "wmd"]))
    for curve, told in (
        (bleu, {55: 0.52, 60: 0.78, 65: 1.06, 70: 1.39, 75: 1.79, 80: 2.34, 85: 3.35}),
        (chrf, {55: 0.33, 60: 0.54, 65: 0.76, 70: 1.00, 75: 1.28, 80: 1.63, 85: 2.12, 90: 3.05}),
    ):
        for percent, difference in told.items():
            assert agreement(curve, difference) == pytest.approx(percent, abs=0.2)
            assert agreement(curve, -difference) == agreement(curve, difference)
    assert wmd is None
    assert agreement(wmd, 0.1) is None


def test_a_curve_is_that_of_the_metric_as_it_is_set():
    pieces = MetricsConfig(bleu=BleuConfig(tokenize="flores200"), chrf=ChrfConfig(word_order=2))
    most, slope = pieces.curve("bleu")
    assert (round(most, 2), round(slope, 4)) == (91.0, 0.8079)
    assert pieces.curve("chrf") is None
    usual = MetricsConfig()
    assert [usual.curve(name) for name in ("bleu", "chrf")] == [one.curve for one in our_measures(["bleu", "chrf"])]


def test_scores_of_other_vectors_or_settings_are_not_compared_as_they_are():
    """Two runs learn vectors of their own: the same lines would differ by them alone."""
    other = scorer(2, replace(CFG, bleu=BleuConfig(lowercase=True)))
    systems = [system("a", 2, scorer(1)), system("b", 2, other)]
    own, others = (one.outputs[0].scores["wmd"].value for one in systems)
    assert own != others
    found = judged(systems, scorer(1))
    assert "WMD similarity of 2.txt is by the word vectors and settings of a here" in found.notes
    assert "BLEU of 2.txt is by the settings of a here" in found.notes
    assert not any("chrF" in note for note in found.notes)
    assert [row[3] for row in tables.rows(found)] == ["+0.00", "+0.00", "+0.0000"]


def test_other_sentences_are_refused():
    by = scorer(1)
    with pytest.raises(CheckpointError) as caught:
        judged([system("a", 2, by), system("b", 2, by, REFERENCES[::-1])], by)
    assert str(caught.value) == (
        "checkpoint: found test sets that differ between the checkpoints, expected the same sentences for all; "
        "name one test set with data.test=PREFIX."
    )


def test_without_resamples_the_usual_number_is_taken():
    none, usual = (scorer(1, replace(CFG, bootstrap=number)) for number in (0, 1000))
    systems = [system("a", 2, none), system("b", 8, none)]
    assert tables.as_text(judged(systems, none)) == tables.as_text(judged(systems, usual))


def test_a_metric_that_only_the_first_reports_is_computed_of_the_others():
    """Fewer edits are better: TER falls where BLEU rises."""
    first = scorer(1, replace(CFG, report=["ter", "bleu"]))
    found = judged([system("a", 2, first), system("b", 8, scorer(1))], first)
    edits, bleu = (row[3] for row in tables.rows(found))
    assert float(edits) < 0 < float(bleu)
    assert "TER of 8.txt is by the settings of a here" in found.notes


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (1, ["one sentence proves little, whatever the tests say: take at least 50"]),
        (49, ["49 sentences prove little, whatever the tests say: take at least 50"]),
        (50, []),
    ],
)
def test_few_sentences_prove_little(number, said):
    by = scorer(1)
    assert judged([system(name, 2, by, REFERENCES[:number]) for name in "ab"], by).notes == said


def test_numbers_from_elsewhere_are_resampled_as_a_mean_and_not_called_ours():
    by = scorer(1)
    values = np.linspace(0, 1, 60)
    scores = [
        Score(float(each.mean()), "COMET 22|x", mean_statistics(each), {}, None) for each in (values, values**2, values)
    ]
    systems = [system(name, 2, by) for name in "abc"]
    told = [
        replace(one, outputs=[replace(one.outputs[0], scores={**one.outputs[0].scores, "comet": score})])
        for one, score in zip(systems[:2], scores, strict=False)
    ]
    found = judged([*told, systems[2]], by, ("comet",))
    (base, other) = [one for one in found.verdicts if one.measure.name == "comet"]
    interval = bootstrap_interval(scores[0].statistics_NF, mean_from_statistics, 200, 0.9, CFG.seed)
    assert (base.score, base.interval) == (pytest.approx(0.5), interval)
    assert other.difference == pytest.approx(float((values**2 - values).mean()))
    assert other.p_randomisation < 0.01
    assert "comet: no scores of c" in found.notes
    text = tables.as_text(found)
    assert "comet: numbers from a file, not computed here; signature: COMET 22|x" in text
    assert found.signatures["comet"] == "COMET 22|x"


# ---- seeds


@pytest.mark.parametrize("called", ["one-best", "A.h5"])
def test_segments_are_of_a_system_by_its_name_or_its_file(called, tmp_path):
    (tmp_path / "s.txt").write_text("0.25\n0.75\n")
    systems = [System("one-best", [["eins"], ["zwei"]], [Output("A.h5", ["eins", "zwei"], {})])]
    (found,) = with_segments(systems, {"people": {called: str(tmp_path / "s.txt")}}, {"people": "ESA"})
    score = found.outputs[0].scores["people"]
    assert (score.value, score.signature) == (0.5, "ESA")


def test_two_files_of_a_metric_for_one_system_are_refused(tmp_path):
    (tmp_path / "s.txt").write_text("0.25\n0.75\n")
    systems = [System("one-best", [["eins"], ["zwei"]], [Output("A.h5", ["eins", "zwei"], {})])]
    with pytest.raises(DataError, match=r"segments\.people\.A\.h5: found a second file for one-best, expected one"):
        with_segments(systems, {"people": dict.fromkeys(["one-best", "A.h5"], str(tmp_path / "s.txt"))}, {})


def test_runs_of_one_configuration_are_one_system():
    by = scorer(1)
    runs = [output(every, by, first=first) for every, first in ((3, 0), (3, 1), (4, 0))]
    systems = [system("a", 2, by), System("b", [[line] for line in REFERENCES], runs)]
    found = judged(systems, by)
    base, group = [one for one in found.verdicts if one.measure.name == "bleu"]
    values = [one.scores["bleu"].value for one in runs]
    assert (group.num_seeds, group.p_randomisation) == (3, None)
    assert_allclose([group.score, group.deviation], [np.mean(values), np.std(values, ddof=1)], rtol=1e-12)
    assert (base.deviation, base.num_seeds) == (None, 1)
    assert f"{group.score:.2f} ± {group.deviation:.2f} over 3 seeds" in tables.as_text(found)
    assert "a has one run: the seed's part of its differences is unknown" in found.notes
    assert 0 < group.p_holm <= 1


# ---- what is written


@pytest.mark.parametrize(
    ("others", "found"),
    [([["eins", "drei"]], "test sets that differ between its runs"), ([], "this test set in 1 of 2 runs")],
)
def test_runs_of_a_group_have_one_test_set(others, found):
    texts = [ParallelText("test", ["one", "two"], lines) for lines in (["eins", "zwei"], *others)]
    with pytest.raises(CheckpointError) as caught:
        check_same_text("base", "test", ["a.h5", "b.h5"], texts)
    assert str(caught.value) == (
        f"groups.base, test: found {found}, expected the same sentences for all; narrow the pattern, or name one test "
        "set with data.test=PREFIX."
    )
    check_same_text("base", "test", ["a.h5", "b.h5"], [texts[0], texts[0]])


def test_of_a_group_of_one_run_the_seeds_part_is_unknown():
    by = scorer(1)
    pair = [system("a", 2, by), replace(system("b", 3, by), group=True)]
    assert "b has one run: the seed's part of its differences is unknown" in judged(pair, by).notes
    assert judged([pair[0], replace(pair[1], group=False)], by).notes == []


def test_the_json_has_the_layout_of_the_contract():
    by = scorer(1, replace(CFG, confidence=0.95))
    content = tables.as_json(judged([system("a", 2, by), system("b", 3, by)], by))
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert (content["baseline"], content["systems"]) == ("a", ["a", "b"])
    assert content["files"] == {"a": ["2.txt"], "b": ["3.txt"]}
    assert list(content["metrics"]) == ["bleu", "chrf", "wmd"]
    keys = ("score", "ci95", "difference", "difference_ci95", "p_bootstrap", "p_randomisation", "p_holm", "agreement")
    one = content["metrics"]["bleu"]["b"]
    assert set(keys) <= one.keys()
    assert len(one["ci95"]) == len(one["difference_ci95"]) == 2
    assert [content["metrics"]["bleu"]["a"][key] for key in keys[2:]] == [None] * 6


def test_the_table_for_reviewers_is_markdown_and_latex():
    by = scorer(1, replace(CFG, report=["bleu"]))
    facts = {"data": "own en-de", "training pairs": "29,000", "hardware": "1 x T4 & 4 cores", "hours": "1.50"}
    systems = [
        replace(system("a_1", 2, by), facts={**facts, "US$": "0.79"}, leaked=[3, 4]),
        system("b", 3, by),
    ]
    found = judged(systems, by)
    one = next(verdict for verdict in found.verdicts if verdict.difference is not None)
    told = f"{one.score:.2f} ({one.difference:+.2f}, p "
    told_p = "< 0.001" if one.p_holm < 0.001 else f"= {one.p_holm:.3f}"
    markdown, latex = tables.as_markdown(found), tables.as_latex(found)
    assert "| system | data | training pairs | dev pairs | seeds | hardware | hours | US$ | BLEU |" in markdown
    assert "| a\\_1 | own en-de | 29,000 | - | 1 | 1 x T4 & 4 cores | 1.50 | 0.79 |" in markdown
    assert told in markdown
    assert "60 sentences" in markdown
    assert tables.paragraph(found) == (
        f"We compare b with a_1 on the 60 sentences of test. BLEU: a_1 {found.verdicts[0].score:.2f}; "
        f"b {one.score:.2f} ({tables.cells(one)[3]}, {tables.cells(one)[4]} at 90 %, p {told_p}). "
        "In brackets: difference, its interval, and p by paired approximate randomisation over sentences, corrected by "
        f"Holm over all systems and metrics. Signatures: bleu {found.signatures['bleu']}. "
        "a_1: 2 of the sentences stand in its training text, exactly or nearly, on either side."
    )
    assert "- a\\_1: 2 of the sentences stand in its training text" in markdown
    assert "nrefs:1\\|case:mixed" in markdown
    assert "a\\_1 & own en-de & 29,000 & - & 1 & 1 x T4 \\& 4 cores & 1.50 & 0.79 &" in latex
    assert "US\\$" in latex
    assert told in latex


def test_small_p_values_are_not_told_as_nought():
    by = scorer(1, replace(CFG, report=["bleu"]))
    found = judged([system("x-best", 2, by), system("b", 3, by)], by)
    for p, cell, told in (
        (3e-6, "< 0.001", "p < 0.001)"),
        (0.0124, "0.012", "p = 0.012)"),
        (1.0, "1.000", "p = 1.000)"),
    ):
        verdicts = [one if one.difference is None else replace(one, p_holm=p) for one in found.verdicts]
        again = replace(found, verdicts=verdicts)
        assert tables.rows(again)[0][7] == cell
        assert told in tables.paragraph(again)
    assert tables.paragraph(found).startswith("We compare b with x-best on the 60 sentences of test. BLEU: x-best ")
    assert tables.latex("1 % < a|b > c_d ± 0") == r"1 \% \textless{} a\textbar{}b \textgreater{} c\_d $\pm$ 0"


def test_each_test_that_was_used_is_named():
    """Beside one run of the baseline stand one run and three."""
    by = scorer(1, replace(CFG, report=["bleu"]))
    several = System("c", [[line] for line in REFERENCES], [output(every, by) for every in (3, 4, 5)])
    mixed = judged([system("a", 2, by), system("b", 3, by), several], by)
    paired, grouped = (
        "paired approximate randomisation over sentences",
        "hierarchical bootstrap over sentences and seeds",
    )
    both = f"p by {paired} where both systems have one run, {grouped} elsewhere, corrected by Holm"
    assert both in tables.paragraph(mixed)
    assert f"p by {grouped}, corrected" in tables.paragraph(judged([system("a", 2, by), several], by))
    assert any(one.startswith("where p (randomisation) is -: p (bootstrap)") for one in tables.remarks(mixed))
