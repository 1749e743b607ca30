"""Several systems beside the first: one scale for all, and any number of them."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from nmt.app.comparison import compare
from nmt.app.translated import Translated
from nmt.config.metrics import BleuConfig, MetricsConfig, WmdConfig
from nmt.data.text import ParallelText
from nmt.errors import CheckpointError
from nmt.metrics.bootstrap import mean_from_statistics
from nmt.metrics.metric import Language, Scorer
from nmt.metrics.significance import paired_bootstrap, paired_randomisation
from nmt.metrics.vectors import word_vectors

WORDS = ["hund", "katze", "haus", "baum", "rennt", "schläft", "rot", "alt"]
REFERENCES = [f"{WORDS[i % 8]} {WORDS[(i * 3 + 1) % 8]} {WORDS[(i * 5 + 2) % 8]} {WORDS[i // 8]}" for i in range(40)]
CFG = MetricsConfig(bootstrap=200, confidence=0.9, wmd=WmdConfig(stop_words="none"))


def scorer(seed: int, cfg: MetricsConfig = CFG) -> Scorer:
    matrix_WD = np.random.default_rng(seed).normal(size=(8, 5))
    return Scorer(cfg, Language("de", word_vectors(WORDS, matrix_WD, "test")))


def scored(every: int, by: Scorer, references: list[str] = REFERENCES) -> Translated:
    """Each `every`-th line of the references spoilt."""
    lines = [" ".join(reversed(line.split()[:2])) if i % every == 0 else line for i, line in enumerate(references)]
    best = [SimpleNamespace(text=line) for line in lines]
    scores = by.score(lines, [[line] for line in references], 0)
    return Translated(ParallelText("test", references, references), best, scores, 1.0)


def rows(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in text.split("\n")[3:]]


def test_any_number_of_systems_stands_beside_the_first():
    by = scorer(1)
    systems = {name: scored(every, by) for name, every in (("a", 2), ("b", 3), ("c", 8), ("d", 2))}
    text = compare("dev", systems, by)
    assert text.startswith("dev: compared with a\n")
    assert "90 % interval" in text
    found = rows(text)
    assert [row[:2] for row in found] == [
        [metric, name] for metric in ("BLEU", "chrF", "WMD similarity") for name in "bcd"
    ]
    assert all(row[3:] == [row[3], f"[{row[3]}, {row[3]}]", "1.0000", "1.0000"] for row in found if row[1] == "d")
    base, *others = (systems[name].scores["wmd"].statistics_NF for name in "abcd")
    options = {"seed": CFG.seed}
    boot = paired_bootstrap(base, others, mean_from_statistics, resamples=200, confidence=0.9, **options)
    shuffled = paired_randomisation(base, others, mean_from_statistics, trials=10_000, **options)
    for row, one, two in zip(found[6:], boot, shuffled, strict=True):
        low, high = one.difference_interval.low, one.difference_interval.high
        assert row[2:4] == [f"{one.score:.4f}", f"{one.difference:+.4f}"]
        assert row[4] == f"[{low:+.4f}, {high:+.4f}]"
        assert row[5:] == [f"{one.p_value:.4f}", f"{two.p_value:.4f}"]
    assert float(found[7][6]) < 0.05  # c is much better than a


def test_scores_of_other_vectors_or_settings_are_not_compared_as_they_are():
    """Two runs learn vectors of their own: the same lines would differ by them alone."""
    other = replace(CFG, bleu=BleuConfig(lowercase=True))
    systems = {"a": scored(2, scorer(1)), "b": scored(2, scorer(2, other))}
    assert systems["a"].scores["wmd"].value != systems["b"].scores["wmd"].value
    text = compare("test", systems, scorer(1))
    assert "\nWMD similarity of b is by the word vectors and settings of a here" in text
    assert "\nBLEU of b is by the settings of a here" in text
    assert "chrF of b" not in text
    assert [row[3] for row in rows(text)[:3]] == ["+0.00", "+0.00", "+0.0000"]


def test_a_test_set_that_one_system_alone_has_is_not_compared():
    by = scorer(1)
    assert compare("flickr", {"b.h5": scored(2, by)}, by) == "flickr: not compared, since only b.h5 has this test set"


def test_other_sentences_are_refused():
    by = scorer(1)
    systems = {"a": scored(2, by), "b": scored(2, by, references=REFERENCES[::-1])}
    with pytest.raises(CheckpointError) as caught:
        compare("test", systems, by)
    assert str(caught.value) == (
        "checkpoint: found test sets that differ between the checkpoints, expected the same sentences for all; "
        "name one test set with data.test=PREFIX."
    )


def test_without_resamples_the_usual_number_is_taken():
    none, usual = (scorer(1, replace(CFG, bootstrap=number)) for number in (0, 1000))
    systems = {"a": scored(2, none), "b": scored(8, none)}
    assert compare("test", systems, none) == compare("test", systems, usual)


def test_a_metric_that_only_the_first_reports_is_computed_of_the_others():
    """Fewer edits are better: TER falls where BLEU rises."""
    first = scorer(1, replace(CFG, report=["ter", "bleu"]))
    systems = {"a": scored(2, first), "b": scored(8, scorer(1))}
    text = compare("test", systems, first)
    assert [row[0] for row in rows(text)[:2]] == ["TER", "BLEU"]
    assert float(rows(text)[0][3]) < 0 < float(rows(text)[1][3])
    assert "\nTER of b is by the settings of a here" in text
