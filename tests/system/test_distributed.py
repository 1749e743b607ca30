"""Two processes on loopback train as one does; a worker that is killed leaves what one machine goes on from."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from nmt.checkpoint.file import read_extras, read_parameters
from tests.ports import free_port
from tests.system.app_tools import TINY, read_events

# Adam makes whole steps of gradients that are no larger than rounding; its epsilon keeps such out of the comparison.
ROOT = Path(__file__).resolve().parents[2]
RUN = [*TINY, "train.device=cpu", "train.threads=1", "train.batch_sentences=16", "search.beam=1", "metrics.bootstrap=0"]
RUN += ["model.dropout_embedding=0", "model.dropout_state=0", "model.dropout_output=0", "train.epsilon=1e-6"]
RUN += ["data.dev_pairs=8", "data.test_pairs=8", "train.final_average=2"]
pytestmark = pytest.mark.long
HANGS_S = 600.0  # a wait that ends later than this does not end


def environment(cache: Path, workers=None, index=0) -> dict[str, str]:
    own = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    own.pop("TF_CONFIG", None)
    if workers is not None:
        own["TF_CONFIG"] = json.dumps({"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}})
    return own


def start(folder: Path, words: list[str], where: dict[str, str]) -> subprocess.Popen[str]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "output.txt").open("a") as output:
        return subprocess.Popen(
            [sys.executable, "train.py", *words],
            cwd=ROOT,
            env=where,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )


def output_of(folder: Path) -> str:
    return (folder / "output.txt").read_text(encoding="utf-8")


def alone(folder: Path, *words: str, cache: Path) -> None:
    place = [] if any(word.startswith("resume=") for word in words) else [f"hydra.run.dir={folder}"]
    assert start(folder, [*place, *words], environment(cache)).wait(HANGS_S) == 0, output_of(folder)


def two(folder: Path, stack: ExitStack, *words: str, cache: Path) -> list[subprocess.Popen[str]]:
    """Chief and worker, ended with the stack."""
    workers = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    found = []
    for index in range(2):
        place = folder / f"worker-{index}"
        process = start(place, [f"hydra.run.dir={place}", *words], environment(cache, workers, index))
        stack.callback(process.wait)
        stack.callback(process.kill)
        found.append(process)
    return found


def assert_same_weights(ours: Path, theirs: Path) -> None:
    first, second = (read_parameters(folder / "checkpoints" / "last.h5") for folder in (ours, theirs))
    assert first.keys() == second.keys()
    for name, value in second.items():
        np.testing.assert_allclose(first[name], value, atol=1e-5, rtol=0, err_msg=name)


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    """One machine with the whole batch, and the cache that all share."""
    folder = tmp_path_factory.mktemp("single")
    alone(folder / "run", *RUN, cache=folder / "cache")
    return folder / "run", folder / "cache"


def test_two_workers_have_the_weights_of_one(single, tmp_path):
    whole, cache = single
    with ExitStack() as stack:
        chief, worker = two(tmp_path, stack, *RUN, "train.distribution=multi_worker", cache=cache)
        assert chief.wait(HANGS_S) == 0, output_of(tmp_path / "worker-0")
        assert worker.wait(HANGS_S) == 0, output_of(tmp_path / "worker-1")
    ours = tmp_path / "worker-0"
    assert_same_weights(ours, whole)
    events, expected = read_events(ours), read_events(whole)
    assert [(e["event"], e["step"]) for e in events] == [(e["event"], e["step"]) for e in expected]
    assert (ours / "results.json").exists()
    other = tmp_path / "worker-1"
    for name in ("metrics.jsonl", "results.json", "checkpoints/last.h5", "translations"):
        assert not (other / name).exists(), f"{name} is the chief's"
    assert "worker done at step 12" in output_of(other)


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="a CPU of one core is not split")
def test_two_devices_of_one_machine_too(single, tmp_path):
    whole, cache = single
    alone(tmp_path / "run", *RUN, "train.distribution=mirrored", "train.devices=2", cache=cache)
    assert_same_weights(tmp_path / "run", whole)


def wait_for_step(folder: Path, step: int) -> None:
    log = folder / "metrics.jsonl"
    for _ in range(6000):
        if log.exists() and any(f'"step": {number}' in log.read_text(encoding="utf-8") for number in (step, step + 1)):
            return
        time.sleep(0.1)
    raise AssertionError(output_of(folder))


def test_a_worker_that_is_killed_leaves_a_checkpoint_that_one_machine_goes_on_from(single, tmp_path):
    _, cache = single
    endless = [*RUN, "train.max_steps=5000", "train.save_every=40", "train.validate_every=5000", "train.log_every=1"]
    with ExitStack() as stack:
        chief, worker = two(tmp_path, stack, *endless, "train.distribution=multi_worker", cache=cache)
        wait_for_step(tmp_path / "worker-0", 50)
        worker.send_signal(signal.SIGKILL)
        assert chief.wait(HANGS_S) == 2, output_of(tmp_path / "worker-0")
    folder = tmp_path / "worker-0"
    last = output_of(folder).splitlines()[-1]
    assert last.startswith(
        "train.distribution=multi_worker: found that one of 2 workers is gone or cannot be reached ("
    )
    assert last.endswith("on one machine with train.distribution=one.")
    assert "Traceback" not in output_of(folder)
    step = int(read_extras(folder / "checkpoints" / "last.h5")["step"])
    assert step >= 50
    words = [f"resume={folder}", "train.distribution=one", f"train.max_steps={step + 3}"]
    alone(folder, *words, cache=cache)
    assert int(read_extras(folder / "checkpoints" / "last.h5")["step"]) == step + 3


def test_a_signal_ends_a_worker_whose_peer_does_not_answer(single, tmp_path):
    _, cache = single
    endless = [*RUN, "train.max_steps=5000", "train.save_every=5000", "train.validate_every=5000", "train.log_every=1"]
    with ExitStack() as stack:
        chief, worker = two(tmp_path, stack, *endless, "train.distribution=multi_worker", cache=cache)
        folder = tmp_path / "worker-0"
        wait_for_step(folder, 5)
        worker.send_signal(signal.SIGSTOP)
        chief.send_signal(signal.SIGTERM)
        assert chief.wait(HANGS_S) == 143, output_of(folder)
    step = int(read_extras(folder / "checkpoints" / "last.h5")["step"])
    assert step >= 5
    assert f"stopped by a signal at step {step}; go on with resume={folder}" in output_of(folder)
    assert "Traceback" not in output_of(folder)


def keeps_sigterm_back(process: subprocess.Popen[str]) -> bool:
    """Whether it has a handler for SIGTERM, and its main thread does not take it."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    masks = [int(line.split()[1], 16) for line in status.splitlines() if line.startswith(("SigBlk:", "SigCgt:"))]
    return all(mask >> (signal.SIGTERM - 1) & 1 for mask in masks)


@pytest.mark.skipif(sys.platform != "linux", reason="a process is looked at through Linux's /proc")
def test_a_signal_ends_a_worker_whose_peer_has_met_it_and_goes_before_they_connect(single, tmp_path):
    """There TensorFlow has set a handler of its own, and waits with Python's lock."""
    _, cache = single
    workers = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    words = [f"hydra.run.dir={tmp_path}", *RUN, "train.distribution=multi_worker"]
    chief = start(tmp_path, words, environment(cache, workers, 0))
    try:
        with meets(chief, workers[0]) as peer, peer.makefile("rb") as told:
            peer.sendall(b"1\n")
            assert told.readline() == b"\n"
        wait_until(chief, keeps_sigterm_back)
        chief.send_signal(signal.SIGTERM)
        assert chief.wait(HANGS_S) == -signal.SIGINT, output_of(tmp_path)
    finally:
        chief.kill()
        chief.wait()
    assert "Traceback" not in output_of(tmp_path)


def wait_until(process: subprocess.Popen[str], holds: Callable[[subprocess.Popen[str]], bool]) -> None:
    for _ in range(6000):
        assert process.poll() is None
        if holds(process):
            return
        time.sleep(0.05)
    raise AssertionError("it never came to that")


def meets(chief: subprocess.Popen[str], address: str) -> socket.socket:
    """A connection to a chief that waits for the others."""
    host, port = address.split(":")
    for _ in range(6000):
        assert chief.poll() is None
        try:
            return socket.create_connection((host, int(port)), 120)
        except OSError:
            time.sleep(0.05)
    raise AssertionError("no chief")
