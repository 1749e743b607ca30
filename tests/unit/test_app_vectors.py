"""A run that goes on is scored with the vectors that it began with, wherever they lie."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, cast

import pytest

from nmt.app.vectors import scorer_as_before, vectors_of_checkpoint
from nmt.checkpoint.bundle import Bundle, Opened
from nmt.config.metrics import MetricsConfig, WmdConfig
from nmt.config.root import Config
from nmt.config.subword import SubwordKind
from nmt.data.corpora import Corpora
from nmt.data.text import ParallelText
from nmt.errors import MetricError

TABLE = "hund 1 0\nkatze 0 1\n"
SHA256 = hashlib.sha256(TABLE.encode()).hexdigest()


def config_of(path: Path) -> Config:
    return Config(metrics=MetricsConfig(report=["wmd"], wmd=WmdConfig(vectors=str(path))))


def bundle_of(**kept: Any) -> Bundle:
    return Bundle("", SubwordKind.words, False, b"", b"", **kept)


def scorer(path: Path, **kept: Any):
    dev = ParallelText("dev", ["a dog"], ["ein Hund"])
    start = Opened(path, cast("Any", None), bundle_of(**kept))
    return scorer_as_before(start, config_of(path), Corpora([], [], dev, {}))


def test_a_file_that_has_moved_and_one_of_an_older_version(tmp_path):
    (tmp_path / "table").write_text(TABLE)
    for kept in ({"wmd_file": SHA256}, {}):
        vectors = scorer(tmp_path / "table", **kept).language.vectors
        assert (vectors.sha256, "hund" in vectors) == (SHA256, True)


def test_who_translates_has_no_references_and_gets_the_vectors_of_the_file(tmp_path):
    (tmp_path / "table").write_text(TABLE)
    vectors = vectors_of_checkpoint(tmp_path / "best.h5", bundle_of(), config_of(tmp_path / "table"), ())
    assert vectors.select(["katze"])["katze"].tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    "kept, expected",
    [
        ({"wmd_file": "abc"}, "abc, which the run began with"),
        ({"wmd_words": "x"}, "no file: the run learnt its vectors"),
    ],
)
def test_other_vectors_are_refused(tmp_path, kept, expected):
    (tmp_path / "table").write_text(TABLE)
    with pytest.raises(MetricError) as caught:
        scorer(tmp_path / "table", **kept)
    assert str(caught.value) == (
        f"metrics.wmd.vectors: {tmp_path}/table: found a file with SHA-256 {SHA256}, expected {expected}; restore it, "
        "or start a new run with train.init_from to begin at these weights."
    )
