"""What a run prints at its end, letter by letter."""

from __future__ import annotations

from pathlib import Path

import pytest

from nmt.report.console import Sample, samples, scores_table, spent, summary, with_interval

COUNTS = {"num_empty": 2, "num_unknown": 1}
RESULTS = {
    "test": {
        "checkpoint": "best.h5",
        "data": "captions test",
        "sentences": 500,
        "seconds": 3.2,
        "bleu": {"score": 93.456, "signature": "nrefs:1|tok:13a", "ref_len": 12103, "ci95": [92.0, 94.5]},
        "chrf": {"score": 97.1, "signature": "nrefs:1|nc:6", "ci95": [96.0, 98.0]},
        "wmd": {
            "similarity": 0.98,
            "distance": None,
            "coverage": 0.995,
            "signature": "wmd|unit",
            "ci95": None,
            "num_empty": 2,
            "num_unknown": 1,
        },
    }
}


def test_scores_come_with_intervals_signatures_and_reference_length():
    assert scores_table(RESULTS) == (
        "data  sentences                  BLEU                  chrF  WMD similarity  WMD distance  coverage\n"
        "----  ---------  --------------------  --------------------  --------------  ------------  --------\n"
        "test        500  93.46 [92.00, 94.50]  97.10 [96.00, 98.00]          0.9800             -    99.5 %\n"
        "\n"
        "test: BLEU nrefs:1|tok:13a (reference length 12,103)\n"
        "test: chrF nrefs:1|nc:6\n"
        "test: WMD wmd|unit (2 empty, 1 without a known word)"
    )


def test_an_interval_of_any_confidence_is_shown():
    assert with_interval({"score": 1.0, "ci90": [0.5, 1.5]}, "score", 1) == "1.0 [0.5, 1.5]"


def test_the_summary_has_scores_samples_and_places():
    sentences = [Sample("A dog.", "Ein Hund.", "Ein Hund."), Sample("Two.", "Zwei.", "")]
    text = summary(
        RESULTS, sentences, {"report": Path("runs/a/report.html"), "best checkpoint": Path("runs/a/b.h5")}, "5 s"
    )
    assert text.startswith(scores_table(RESULTS) + "\n\n" + samples(sentences) + "\n\n")
    assert "source       A dog.\nreference    Ein Hund.\ntranslation  Ein Hund.\n\nsource       Two." in text
    assert text.endswith("\n\ntraining: 5 s\n\nreport           runs/a/report.html\nbest checkpoint  runs/a/b.h5")


@pytest.mark.parametrize(
    ("figures", "told"),
    [
        ((0.4, 0.0, None), "0 s"),
        ((222.9, 0.0, None), "3 min 42 s"),
        ((3605.0, 3605.2, 0.5267), "1 h 0 min 5 s, 3,605 GPU-seconds, 0.53 US dollars"),
        ((59.9, 0.0, 0.00049), "59 s, 0.0005 US dollars"),
    ],
)
def test_what_training_took(figures, told):
    assert spent(*figures) == told
