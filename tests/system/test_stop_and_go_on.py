"""SIGTERM and SIGINT wherever a run may be: it saves, leaves with their status, and goes on as if never stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

import nmt.app.finish
import nmt.app.hooks
import nmt.app.train
import nmt.training.step
from nmt.app.hooks import RunHooks
from nmt.app.run import Run
from nmt.checkpoint import store
from nmt.checkpoint.file import verify
from nmt.tools.sameness import differing, digests
from tests.system.app_tools import TINY, made_once, read_events, read_results, tiny, train_py, without_times

ROOT = Path(__file__).resolve().parents[2]
RUN = ["train.average=0.9", "train.schedule=plateau", "model.dropout_output=0.2", "train.log_every=5", "search.beam=1"]
SIGNALS = [(signal.SIGTERM, 143), (signal.SIGINT, 130)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nobody stops."""
    return made_once(tmp_path_factory, "whole", lambda folder: tiny(folder, *RUN))[0]


def raise_before(patch, place, name, number, when=lambda *_: True):
    """The first call of a function for which `when` holds is preceded by a signal to this process."""
    real, sent = getattr(place, name), []

    def call(*arguments, **named):
        if not sent and when(*arguments):
            sent.append(number)
            os.kill(os.getpid(), number)
            time.sleep(0.01)
        return real(*arguments, **named)

    patch.setattr(place, name, call)


# Where -> (module or class, function that a signal comes before, step of the checkpoint that is then saved).
PLACES = {
    "a step": (RunHooks, "progress", 7, lambda _, state, __: state.step == 7),
    "the loss of a validation": (Run, "loss", 6, lambda *_: True),
    "the decoding of a validation": (nmt.app.hooks, "translate_and_score", 6, lambda *_: True),
    "a save": (store, "save", 6, lambda *_: True),  # in the thread that writes; training goes on meanwhile
}
CASES = [(place, *one) for place in PLACES for one in SIGNALS]


@pytest.mark.long
@pytest.mark.parametrize(("place", "number", "status"), CASES)
def test_stopped_in(place, number, status, whole, tmp_path, monkeypatch):
    where, name, step, when = PLACES[place]
    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        raise_before(patch, where, name, number, when)
        answer = train_py(folder, *TINY, *RUN)
    assert answer.status == status, answer.err
    stopped = read_events(folder)[-1]["step"]
    assert (stopped >= step) if place == "a save" else (stopped == step)
    assert f"stopped by a signal at step {stopped}; go on with resume={folder}" in answer.err
    assert ("validation left for a request to stop" in answer.err) == ("validation" in place)
    assert verify(folder / "checkpoints" / "last.h5") > 0
    assert not (folder / "results.json").exists()
    assert_goes_on_as(whole, folder)


def assert_goes_on_as(whole, folder):
    answer = train_py(None, f"resume={folder}")
    assert answer.status == 0, answer.err
    for name in ("last.h5", "best.h5"):
        ours, theirs = (digests(one / "checkpoints" / name) for one in (folder, whole))
        assert differing(ours, theirs) == []
    assert without_times(read_events(folder)) == without_times(read_events(whole))
    for metric in ("bleu", "chrf", "wmd"):
        assert read_results(folder)[metric] == read_results(whole)[metric]
    assert list((folder / "checkpoints").glob("*.tmp")) == []


@pytest.mark.parametrize(
    ("where", "name", "number", "status"),
    [
        *((nmt.app.train, "load_corpora", *one) for one in SIGNALS),
        (nmt.training.step, "clip", *SIGNALS[0]),  # within the graph of a step, while it is built
    ],
)
def test_stopped_before_there_is_anything_to_save(where, name, number, status, tmp_path, monkeypatch):
    raise_before(monkeypatch, where, name, number)
    answer = train_py(tmp_path / "run", *TINY)
    assert answer.status == status
    assert "Traceback" not in answer.err
    assert not list((tmp_path / "run").glob("checkpoints/*"))
    assert not (tmp_path / "run" / "metrics.jsonl").exists()


@pytest.mark.long
@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_stopped_while_scoring_after_training(number, status, whole, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        raise_before(patch, nmt.app.finish, "translate_and_score", number)
        answer = train_py(tmp_path / "run", *TINY, *RUN)
    assert answer.status == status
    assert f"stopped while scoring; score again with resume={tmp_path / 'run'}" in answer.err
    assert_goes_on_as(whole, tmp_path / "run")


@pytest.mark.long
def test_left_before_the_first_checkpoint_it_begins_anew(whole, tmp_path, monkeypatch):
    """As a kill would: by an exception of which nothing knows."""

    class KilledError(BaseException):
        pass

    def killed(self, state, best):
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(RunHooks, "save", killed)
        with pytest.raises(KilledError):
            train_py(tmp_path / "run", *TINY, *RUN)
    assert read_events(tmp_path / "run")[-1]["event"] == "save"
    assert_goes_on_as(whole, tmp_path / "run")
    log = (tmp_path / "run" / "train.log").read_text(encoding="utf-8")
    assert f"{tmp_path / 'run'} has no checkpoint yet: beginning at step 0" in log


# train.py, on a disk that needs for ever for the second checkpoint.
SLOW = """
import os, sys, time
from nmt.programs import train
real, calls = os.fsync, []
def fsync(fd):
    calls.append(fd)
    if len(calls) > 2:  # the first checkpoint and its folder
        time.sleep(3600)
    real(fd)
os.fsync = fsync
sys.exit(train(sys.argv[1:]))
"""


@pytest.mark.long
def test_a_second_signal_during_a_save_leaves_at_once_and_a_whole_file(tmp_path):
    folder, output = tmp_path / "run", tmp_path / "output.txt"
    words = [f"hydra.run.dir={folder}", *TINY, *RUN, "train.save_every=1", "train.validate_every=100"]
    with open(output, "wb") as file:
        program = subprocess.Popen([sys.executable, "-c", SLOW, *words], cwd=ROOT, stdout=file, stderr=file)
    with program:
        try:
            wait_until(lambda: (folder / "checkpoints/last.h5").exists() and under_way(folder), program)
            program.send_signal(signal.SIGTERM)
            time.sleep(0.2)
            program.send_signal(signal.SIGTERM)  # within two seconds: the same request
            with pytest.raises(subprocess.TimeoutExpired):
                program.wait(2.3)
            assert interrupted(program) == 130, output.read_text()
        finally:
            program.kill()
    assert under_way(folder)
    assert verify(folder / "checkpoints/last.h5") > 0
    answer = train_py(None, f"resume={folder}")
    assert answer.status == 0, answer.err
    assert not under_way(folder)


def interrupted(program):
    """Ctrl-C, and again: it may have been slow to hear the first signal, and take this one for the same request."""
    for _ in range(50):
        program.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            return program.wait(2.3)
    return None


def under_way(folder):
    return list((folder / "checkpoints").glob("*.tmp"))


def wait_until(there, program):
    deadline = time.monotonic() + 600
    while not there():
        assert program.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
