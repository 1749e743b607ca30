"""A run of 28 November 2026 (version 0.1.0), as its folder was left: it is scored and goes on as that version did.

    train.py data.train_pairs=100 data.dev_pairs=8 data.test_pairs=8 model.embedding=8 model.encoder_units=8
        model.units=16 model.attention_units=8 model.dropout_state=0.1 train.max_steps=150 train.warmup_steps=2
        train.learning_rate=0.02 train.batch_tokens=400 train.log_every=25 train.validate_every=75 train.save_every=75
        train.average=0.9 train.precision=float16 train.micro_batch_gb=0.0005 search.beam=2 search.max_ratio=1
        metrics.bootstrap=0 metrics.wmd.dimensions=4 metrics.wmd.epochs=1

Its file has every group of keys. `best.h5` was the same file as `last.h5`.
"""

from __future__ import annotations

import collections
import hashlib
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from nmt.checkpoint.bundle import GROUPS, KEYS, key_in_file, opened
from nmt.checkpoint.file import read_extras, read_parameters
from nmt.checkpoint.parameters import Setter
from tests.system.app_tools import evaluate_py, read_events, read_results, train_py

FOLDER = Path(__file__).with_name("run_v1")
LAST = FOLDER / "checkpoints" / "last.h5"
SHA256 = "c294334e343920a81c9b3e8f2197072618d1e7ba4e4ebb7bbd1195ba22a58839"
SCORES = {"bleu": 1.024181356373469, "chrf": 12.283255331406943, "wmd": 0.3684640873131014}
LINES = """\
Am Morgen Morgen Morgen Junge die Brief, die einen müden Ball.
Ein fröhlicher Junge ein Fahrrad ohne.
Die die ein Buch.
Ein fröhlicher Junge.
Die Katze, die einen müden Brief, die der
Am Morgen Morgen Junge Maler die einen schwarzen Ball.
Am Morgen arbeitet.
Ein fröhlicher ohne die müden Brief, die der
"""
# Ten steps later, with train.max_steps=160, by the version that wrote the file.
LATER = {"bleu": 1.4476547946093554, "chrf": 14.015695262709652, "wmd": 0.36472012382966196}
DEV_LOSS, TEST_LOSS = 3.9388089266690343, 4.351791496563675


@pytest.fixture
def run(tmp_path):
    shutil.copytree(FOLDER, tmp_path / "run")
    shutil.copy(LAST, tmp_path / "run" / "checkpoints" / "best.h5")
    return tmp_path / "run"


@pytest.fixture
def opens(monkeypatch):
    """How often each checkpoint is opened for reading, by name."""
    counts, real = collections.Counter(), os.open

    def counting(path, flags, *more, **named):
        if str(path).endswith(".h5") and not flags & (os.O_WRONLY | os.O_RDWR):
            counts[Path(path).name] += 1
        return real(path, flags, *more, **named)

    monkeypatch.setattr(os, "open", counting)
    return counts


def scores(results):
    assert (results["data"], results["sentences"]) == ("test", 8)
    return {"bleu": results["bleu"]["score"], "chrf": results["chrf"]["score"], "wmd": results["wmd"]["similarity"]}


def test_the_file_is_untouched_and_each_of_its_keys_has_its_line():
    assert hashlib.sha256(LAST.read_bytes()).hexdigest() == SHA256
    extras = read_extras(LAST)
    known = {*KEYS, "tf_version", "format_version"}
    assert known - extras.keys() == {"leaks", "made_by", "sizes", "tests", "wmd_file"}, "none, or not yet"
    assert {name.partition(" ")[0] for name in extras.keys() - known} == set(GROUPS)
    with opened(LAST) as found:
        assert (found.bundle.step, found.bundle.xla, found.bundle.micro_batch_tokens) == (150, False, 158)
        assert np.shape(found.bundle.wmd_vectors) == (len(str(found.bundle.wmd_words).split("\n")), 4)


def test_it_is_scored_to_the_last_digit_and_opened_once(tmp_path, opens):
    answer = evaluate_py(f"checkpoint={LAST}", f"out={tmp_path}")
    assert answer.status == 0, answer.err
    assert scores(read_results(tmp_path)) == SCORES
    assert (tmp_path / "translations" / "test.txt").read_text(encoding="utf-8") == LINES
    assert opens == {"last.h5": 1}


def test_it_goes_on_as_it_did_opened_twice_and_every_variable_is_set_once(run, opens, monkeypatch):
    assigned, real = collections.Counter(), Setter.__call__

    def counting(setter, value):
        assigned[key_in_file(setter.variable.name.removesuffix(":0"))] += 1
        real(setter, value)

    monkeypatch.setattr(Setter, "__call__", counting)
    answer = train_py(None, f"resume={run}", "train.max_steps=160")
    assert answer.status == 0, answer.err
    assert f"going on from {run}/checkpoints/last.h5, step 150" in answer.err
    assert opens == {"last.h5": 2, "best.h5": 1}, "checked, then read; and the best one for its scores"
    weights = {key_in_file(name) for name in read_parameters(LAST)}
    slots = {f"<{name}>" for name in read_extras(LAST) if name.partition(" ")[0] in GROUPS}
    assert assigned == dict.fromkeys(slots, 1) | dict.fromkeys(weights, 2)  # once more, for the scores
    assert scores(read_results(run)) == LATER
    # The last bits of losses are the processor's: the largest difference seen between two releases was 2e-5.
    losses = {event["event"]: event["loss"] for event in read_events(run) if "loss" in event}
    assert [losses["validate"], losses["test"]] == pytest.approx([DEV_LOSS, TEST_LOSS], rel=2e-4)
