"""A run folder is one process's: runs that begin at once, a second one beside a living run, one after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nmt.config.saved import read_run_config
from nmt.plumbing.locks import is_locked

ROOT = Path(__file__).resolve().parents[2]
SHORT = [
    *("data.train_pairs=60", "data.dev_pairs=6", "data.test_pairs=6", "model.units=8", "model.embedding=8"),
    *("train.warmup_steps=1", "train.log_every=1", "train.threads=1", "train.device=cpu", "search.max_ratio=1"),
    *("metrics.bootstrap=0", "metrics.wmd.dimensions=4", "metrics.wmd.epochs=1"),
]


@pytest.fixture
def start(tmp_path):
    """Starts train.py; none outlives its test."""
    started: list[subprocess.Popen[str]] = []

    def begin(*words: str) -> subprocess.Popen[str]:
        program = [sys.executable, str(ROOT / "train.py"), *words]
        environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
        run = subprocess.Popen(
            program, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )
        started.append(run)
        return run

    yield begin
    for run in started:
        run.kill()
        run.communicate()


def content(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def events(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


def all_at_work(folder: Path, runs: dict[int, subprocess.Popen[str]]) -> list[Path]:
    """Hold each run, by its seed, as soon as it has its folder, so that all live at once and few hold TensorFlow."""
    held: dict[int, Path] = {}
    until = time.monotonic() + 600
    while len(held) < len(runs):
        assert time.monotonic() < until
        for place in (folder / "runs").glob("*"):
            if place not in held.values() and (place / "config.yaml").exists():
                seed = read_run_config(place).seed
                runs[seed].send_signal(signal.SIGSTOP)
                held[seed] = place
        time.sleep(0.02)
    return list(held.values())


@pytest.mark.long(minutes=6)
def test_twenty_runs_at_once_are_twenty_whole_runs(tmp_path, start):
    runs = {seed: start(*SHORT, "train.max_steps=3", f"seed={seed}") for seed in range(1, 21)}
    folders = all_at_work(tmp_path, runs)
    assert len(set(folders)) == 20
    assert all(is_locked(folder / ".lock") for folder in folders)
    for run in runs.values():
        run.send_signal(signal.SIGCONT)
        said, _ = run.communicate(timeout=600)
        assert run.returncode == 0, said
    assert sorted((tmp_path / "runs").iterdir()) == sorted(folders)
    assert sorted(read_run_config(folder).seed for folder in folders) == list(range(1, 21))
    for folder in folders:
        assert [event["step"] for event in events(folder) if event["event"] == "train"] == [1, 2, 3]
        assert [event["event"] for event in events(folder)].count("test") == 1
        assert (folder / "train.log").read_text(encoding="utf-8").count("INFO nmt.app.train: device: CPU") == 1
        assert {"report.html", "results.json"} <= {path.name for path in folder.iterdir()}
        assert not (folder / ".lock").exists()


@pytest.mark.long
def test_a_living_run_is_left_alone_and_a_killed_one_goes_on(tmp_path, start):
    folder = tmp_path / "run"
    words = [*SHORT, "train.max_steps=100000", "train.save_every=5", "train.validate_every=100000"]
    living = start(*words, "hydra.run.dir=run")
    until = time.monotonic() + 600
    while not (folder / "checkpoints" / "last.h5").exists():
        assert living.poll() is None
        assert time.monotonic() < until
        time.sleep(0.1)
    living.send_signal(signal.SIGSTOP)  # so that what the others write, if anything, can be told from its own
    time.sleep(0.5)
    before = content(folder)
    for others in (["resume=run"], [*words, "hydra.run.dir=run", "seed=2"]):
        other = start(*others)
        told, _ = other.communicate(timeout=600)
        assert (other.returncode, told) == (
            2,
            f"{folder}: found another process at work in it, expected one at a time; wait for it or stop it, or "
            "name another folder with hydra.run.dir=FOLDER.\n",
        )
    assert content(folder) == before
    living.kill()
    living.wait()
    step = max(int(str(event["step"])) for event in events(folder) if event["event"] == "save")
    after = start("resume=run", f"train.max_steps={step + 7}")
    told, _ = after.communicate(timeout=600)
    assert after.returncode == 0, told
    assert [event["step"] for event in events(folder) if event["event"] == "train"] == list(range(1, step + 8))
