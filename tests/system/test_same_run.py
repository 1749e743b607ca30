"""What may not change when a run goes on, and what may but is told; disks that refuse while a run is under way."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nmt.checkpoint.file import read_extras, read_parameters, save
from nmt.config.data import CaptionsConfig
from nmt.data.captions import write_captions
from nmt.tools.sameness import differing, digests
from tests.system.app_tools import TINY, read_events, train_py, write_pair

ROOT = Path(__file__).resolve().parents[2]
SHORT = ["train.max_steps=4", "train.validate_every=2", "train.save_every=1", "train.log_every=1", "search.beam=1"]


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    folder = tmp_path_factory.mktemp("text")
    train, dev, _ = write_captions(CaptionsConfig(train_pairs=100, dev_pairs=10, test_pairs=1))
    write_pair(folder / "train", train.src, train.tgt)
    write_pair(folder / "dev", dev.src, dev.tgt)
    return folder


@pytest.fixture(scope="module")
def first(text, tmp_path_factory):
    """A run that has ended."""
    folder = tmp_path_factory.mktemp("runs") / "first"
    files = ["data=files", f"data.train={text / 'train'}", f"data.dev={text / 'dev'}"]
    answer = train_py(folder, *files, *TINY[3:], *SHORT, "train.usd_per_hour=3600")
    assert answer.status == 0, answer.err
    return folder


@pytest.fixture
def copy(first, tmp_path):
    return Path(shutil.copytree(first, tmp_path / "run"))


def sentence_of(answer) -> str:
    assert answer.status == 2
    assert "Traceback" not in answer.err
    return answer.err.removesuffix("\n").rpartition("\n")[2]


def test_a_checkpoint_tells_where_it_comes_from_and_what_it_cost(first):
    extras = read_extras(first / "checkpoints" / "last.h5")
    assert json.loads(extras["versions"]).keys() == {"nmt", "python", "tensorflow", "numpy", "sentencepiece", "device"}
    assert len(extras["corpus"]) == 32
    state = json.loads(extras["state"])
    assert state["usd"] == pytest.approx(state["seconds"])
    events = read_events(first)
    assert all("usd" in event for event in events)
    usd = [event["usd"] for event in events if event["event"] != "test"]
    assert usd == sorted(usd)


def test_other_text_is_refused(copy, text):
    (text / "dev.en").rename(text / "kept")
    try:
        (text / "dev.en").write_bytes((text / "kept").read_bytes().replace(b"A ", b"The ", 1))
        answer = train_py(None, f"resume={copy}", "train.max_steps=5")
    finally:
        (text / "kept").rename(text / "dev.en")
    assert sentence_of(answer) == (
        "data: found other text than the run began with, expected the training and dev sentences of the checkpoint, in "
        "their order; restore them, or start a new run with train.init_from to begin at these weights."
    )


def test_a_run_goes_on_where_its_data_has_moved(copy, text, tmp_path):
    shutil.copytree(text, tmp_path / "moved")
    paths = [f"data.{name}={tmp_path / 'moved' / name}" for name in ("train", "dev")]
    answer = train_py(None, f"resume={copy}", *paths, "train.max_steps=5", "metrics.bootstrap=0")
    assert sentence_of(answer).startswith(f"resume={copy}: found metrics.bootstrap"), "text alone may move"
    answer = train_py(None, f"resume={copy}", *paths, "train.max_steps=5")
    assert answer.status == 0, answer.err
    assert f"train: {tmp_path}/moved/train" in (copy / "config.yaml").read_text()


def test_an_edited_configuration_is_refused_with_its_difference(copy):
    place = copy / "config.yaml"
    place.write_text(place.read_text().replace("learning_rate: 0.003", "learning_rate: 0.1"))
    answer = sentence_of(train_py(None, f"resume={copy}", "train.max_steps=5"))
    assert answer.startswith(f"{place}: found train.learning_rate 0.003 -> 0.1, expected no change but of data.dir, ")


@pytest.mark.long
def test_other_versions_are_told(copy):
    place = copy / "checkpoints" / "last.h5"
    extras = {name: value for name, value in read_extras(place).items() if name not in ("tf_version", "format_version")}
    versions = json.dumps({**json.loads(extras["versions"]), "device": "CPU, 64 threads"})
    save(place, read_parameters(place), {**extras, "versions": versions})
    answer = train_py(None, f"resume={copy}", "train.max_steps=5")
    assert answer.status == 0, answer.err
    assert "since the checkpoint: device CPU, 64 threads -> CPU; the last bits of numbers may differ" in answer.err
    assert read_events(copy)[-2]["step"] == 5
    assert read_events(copy)[-2]["usd"] > read_events(copy)[4]["usd"] > 0


@pytest.mark.long
def test_a_broken_last_falls_back_and_says_so(copy):
    """best.h5 is of step 2 or 4; what came after is done again."""
    place = copy / "checkpoints" / "last.h5"
    content = bytearray(place.read_bytes())
    content[-1] ^= 1
    place.unlink()
    place.write_bytes(content)
    answer = train_py(None, f"resume={copy}", "train.max_steps=5")
    assert answer.status == 0, answer.err
    step = read_extras(copy / "checkpoints" / "best.h5", only=lambda name: name == "step")["step"]
    assert f"{place} is missing or broken: going on from best.h5, of step {step}" in answer.err
    assert f"going on from {copy / 'checkpoints' / 'best.h5'}, step {step}" in answer.err


@pytest.mark.long
def test_a_run_ends_at_its_price_saved_and_scored(tmp_path):
    """A dollar a second: the first step takes more than half a second."""
    words = ["train.usd_per_hour=3600", "train.max_usd=0.5", "train.max_steps=1000"]
    answer = train_py(tmp_path / "run", *TINY, *SHORT, *words)
    assert answer.status == 0, answer.err
    state = json.loads(read_extras(tmp_path / "run/checkpoints/last.h5")["state"])
    assert 1 <= state["step"] < 1000
    assert 0.5 <= state["usd"] == pytest.approx(state["seconds"])
    assert "US dollars" in answer.out
    assert (tmp_path / "run/results.json").exists()
    answer = train_py(None, f"resume={tmp_path / 'run'}", "train.usd_per_hour=null")
    assert sentence_of(answer).startswith(
        "train.max_usd: found 0.5 without a price, expected train.usd_per_hour beside"
    )


@pytest.mark.long
def test_two_runs_that_are_to_be_deterministic_are_equal(tmp_path):
    """In processes of their own, since it holds for all that a process computes. On a CPU it changes nothing."""
    folders = [tmp_path / name for name in ("a", "b", "c")]
    for folder, choice in zip(folders, ("true", "true", "false"), strict=True):
        words = [f"hydra.run.dir={folder}", *TINY, *SHORT, f"train.deterministic={choice}"]
        subprocess.run([sys.executable, "train.py", *words], cwd=ROOT, check=True, capture_output=True)
    found = [digests(folder / "checkpoints/last.h5") for folder in folders]
    assert differing(found[0], found[1]) == []
    assert differing(found[0], found[2]) == ["<config>"]


def full_disk(patch, first_step: int, last_step: int) -> None:
    """No new name is given to a file while the run is at these steps; the log is no file with a new name."""
    real, steps = os.replace, []

    def replace(source, target, **named):
        if Path(target).name == "last.h5":
            steps.append(len(steps) + 1)  # a save a step
            if first_step <= steps[-1] <= last_step:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(source, target, **named)

    patch.setattr(os, "replace", replace)


FULL = (
    "last.h5: found no space left on device, expected room and permission to write the checkpoint; "
    "free some space; what was there before is untouched."
)


def run_on_a_full_disk(folder, monkeypatch, first, last, *words):
    with monkeypatch.context() as patch:
        full_disk(patch, first, last)
        return train_py(folder, *TINY, *SHORT, "train.max_steps=8", *words)


@pytest.mark.long
def test_a_full_disk_stops_the_run_and_the_checkpoint_before_stays(tmp_path, monkeypatch):
    answer = run_on_a_full_disk(tmp_path / "run", monkeypatch, 3, 99)
    assert sentence_of(answer).endswith(FULL)
    assert read_extras(tmp_path / "run/checkpoints/last.h5")["step"] == 2
    assert list((tmp_path / "run/checkpoints").glob("*.tmp")) == []
    answer = train_py(None, f"resume={tmp_path / 'run'}")  # when there is room again
    assert answer.status == 0, answer.err


def test_or_training_goes_on_says_so_each_time_and_saves_when_there_is_room(tmp_path, monkeypatch):
    words = ["train.on_disk_error=go_on", "train.validate_every=8"]
    answer = run_on_a_full_disk(tmp_path / "run", monkeypatch, 3, 5, *words)
    assert answer.status == 0, answer.err
    assert answer.err.count(f"{FULL} Training goes on, since train.on_disk_error=go_on.") == 3
    assert read_extras(tmp_path / "run/checkpoints/last.h5")["step"] == 8
    assert [event["step"] for event in read_events(tmp_path / "run") if event["event"] == "train"] == list(range(1, 9))


@pytest.mark.long
def test_but_what_a_run_has_at_its_end_must_be_saved(tmp_path, monkeypatch):
    answer = run_on_a_full_disk(tmp_path / "run", monkeypatch, 3, 99, "train.on_disk_error=go_on")
    assert sentence_of(answer).endswith(FULL)
    assert read_events(tmp_path / "run")[-1] | {"event": "end", "step": 8} == read_events(tmp_path / "run")[-1]
