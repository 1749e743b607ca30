"""What a run knows of sentences that stand in its training text."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from types import SimpleNamespace

import pytest

from nmt.app import evaluate, leaks
from nmt.app.continuation import Origin, digest_of
from nmt.app.leaks import Leaks, leaked_rows, leaked_to_any, leaks_of, sizes_of
from nmt.checkpoint.bundle import Bundle
from nmt.config.data import CaptionsConfig, FilesConfig
from nmt.config.root import Config
from nmt.config.subword import SubwordConfig
from nmt.data.corpora import Corpora, is_apart
from nmt.data.text import ParallelText
from nmt.report.console import scores_table

TEST = ParallelText("test", ["one more", "held out"], ["noch eins", "verwahrt"])
CORPORA = Corpora(
    [ParallelText("train", ["a b", "Held out."], ["x y", "etwas anderes"])],
    [1],
    ParallelText("dev", ["new"], ["neu"]),
    {"test": TEST},
)
ORIGIN = Origin({}, "text", {"test": digest_of(TEST)})
BUNDLE = Bundle("", SubwordConfig().kind, False, b"", b"", tests=ORIGIN.tests, leaks={"dev": [], "test": [1]})


@pytest.fixture
def config(tmp_path):
    return Config(data=FilesConfig(), subword=SubwordConfig(cache=str(tmp_path)))


def test_a_run_that_begins_looks_and_one_that_goes_on_knows(config, caplog):
    with caplog.at_level(logging.INFO):
        found = leaks_of(config, CORPORA, ORIGIN, None)
    assert found.rows == {"dev": [], "test": [1]}
    assert caplog.messages == [
        "leaked sentences: 0 of dev, 1 of test; of 2 training pairs: 1 a sentence of a dev or test set; "
        "`nmt check` with the same words shows them"
    ]
    known = replace(BUNDLE, leaks={"dev": [0], "test": []})
    told = Leaks({"dev": [0], "test": []}, "leaked sentences: 1 of dev, 0 of test")
    assert leaks_of(config, CORPORA, ORIGIN, known) == told
    assert leaks_of(config, CORPORA, ORIGIN, replace(BUNDLE, leaks=None)) == Leaks(None, "")


def test_it_can_be_turned_off_and_is_off_where_the_grammar_keeps_its_sets_apart(config):
    assert leaks_of(replace(config, data=FilesConfig(check=False)), CORPORA, ORIGIN, None) == Leaks(None, "")
    assert leaks_of(replace(config, data=CaptionsConfig()), CORPORA, ORIGIN, None) == Leaks(None, "")
    assert not is_apart(CaptionsConfig(test="PREFIX"))
    assert not is_apart(CaptionsConfig(dev="PREFIX"))
    assert not is_apart(CaptionsConfig(tests={"more": "PREFIX"}))


def test_what_was_found_in_much_text_is_kept(config, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(leaks, "LEAST", 1)
    found = leaks_of(config, CORPORA, ORIGIN, None)
    with monkeypatch.context() as patch:
        patch.setattr(leaks, "check", lambda *_: pytest.fail("it has been looked for"))
        assert leaks_of(config, CORPORA, ORIGIN, None) == found
    other = replace(config, data=FilesConfig(max_ratio=3.0))
    leaks_of(other, CORPORA, ORIGIN, None)
    kept = sorted((tmp_path / "checks").iterdir())
    assert len(kept) == 2, "other settings are another entry"
    for path in kept:
        path.write_text("{")
    assert leaks_of(config, CORPORA, ORIGIN, None) == found
    assert "looked through anew" in caplog.text


def test_a_checkpoint_knows_of_the_test_sets_of_its_run_alone(caplog):
    assert leaked_rows(BUNDLE, "test", TEST) == [1]
    assert leaked_rows(replace(BUNDLE, leaks=None), "test", TEST) == ()
    assert not caplog.messages
    assert leaked_rows(BUNDLE, "test", ParallelText("test", ["other"], ["anderer"])) == ()
    assert leaked_rows(BUNDLE, "more", TEST) == ()
    assert leaked_rows(replace(BUNDLE, leaks={"test": [2]}), "test", TEST) == (), "it has two sentences"
    assert len(caplog.messages) == 3


def test_what_any_model_of_a_system_has_seen_is_leaked(monkeypatch):
    by_file = {"a.h5": BUNDLE, "b.h5": replace(BUNDLE, leaks={"test": [0]}), "c.h5": replace(BUNDLE, leaks=None)}

    def opened(files, overrides, with_vectors):
        bundles = [by_file[str(file)] for file in files]
        return SimpleNamespace(first=SimpleNamespace(bundle=bundles[0], vocabularies=None), bundles=bundles)

    monkeypatch.setattr(evaluate, "open_system", opened)
    monkeypatch.setattr(evaluate, "evaluate", lambda made, command: ({}, {}, None))
    for files, rows in {("a.h5+b.h5",): [0, 1], ("c.h5", "b.h5"): [0], ("c.h5",): []}.items():
        runs = evaluate.translate_all(files, SimpleNamespace(overrides=()))
        assert leaked_to_any(runs.bundles, "test", TEST) == rows


def test_a_test_set_called_train_is_not_the_training_text():
    assert sizes_of(CORPORA) == {"train": 2, "dev": 1, "test": 2}
    one = ParallelText("train", ["new"], ["neu"])
    assert sizes_of(replace(CORPORA, tests={"train": one, "more": one})) == {"train": 2, "dev": 1, "more": 1}


@pytest.mark.parametrize(
    ("leaked", "line"),
    [
        (
            {"sentences": 3, "without": {"bleu": 41.204}},
            "test: 3 of 1,000 sentences stand in the training text; without them BLEU 41.20",
        ),
        (
            {"sentences": 1000, "without": {"bleu": None}},
            "test: 1,000 of 1,000 sentences stand in the training text",
        ),
    ],
)
def test_it_is_told_below_the_scores(leaked, line):
    bleu = {"score": 42.0, "signature": "s", "ref_len": 9, "ci95": None}
    content = json.loads(json.dumps({"sentences": 1000, "bleu": bleu, "leaked": leaked}))
    assert scores_table({"test": content}).splitlines()[-1] == line
