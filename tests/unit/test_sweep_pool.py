"""Places of a machine, and the process that becomes a trial: alone in its folder, gone with its launcher."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import nmt.sweep.pool
from nmt.config.sweep import SweepConfig
from nmt.config.train import Device
from nmt.errors import ConfigError
from nmt.sweep.pool import CHILD, LocalPool, Place, places, rented_pool, visible_gpus
from tests.unit.sweep_tools import a_config, a_trial

HANGS_S = 120.0  # what ends later than this does not end
TELL = """
import os, pathlib, sys, time
place = pathlib.Path(os.environ["TOLD"])
place.with_suffix(".new").write_text("\\n".join(sys.argv[1:]))
place.with_suffix(".new").replace(place)
time.sleep(float(os.environ.get("STAY", "0")))
"""


@pytest.fixture
def program(tmp_path):
    """A program that writes its arguments to $TOLD, and stays for $STAY seconds."""
    path = tmp_path / "program.py"
    path.write_text(TELL)
    return path


def child(folder: Path, program: Path, told: Path, launcher: int | None = None, stay: float = 0) -> subprocess.Popen:
    words = [
        str(launcher or os.getpid()),
        str(folder),
        json.dumps([str(program)]),
        "resume=it",
        "hydra.run.dir=it",
        "seed=1",
    ]
    environment = {**os.environ, "TOLD": str(told), "STAY": str(stay)}
    return subprocess.Popen([sys.executable, "-I", "-S", str(CHILD), *words], env=environment)


def wait_for(path: Path) -> str:
    until = time.monotonic() + HANGS_S
    while not path.exists():
        assert time.monotonic() < until, f"no {path}"
        time.sleep(0.01)
    return path.read_text()


def test_a_new_folder_begins_a_run_and_what_lies_there_of_another_start_is_gone(tmp_path, program):
    folder = tmp_path / "run"
    (folder / "tensorboard").mkdir(parents=True)
    (folder / "metrics.jsonl").write_text("{}\n")
    assert child(folder, program, tmp_path / "told").wait(HANGS_S) == 0
    assert (tmp_path / "told").read_text().split("\n") == ["seed=1", "hydra.run.dir=it"]
    assert {path.name for path in folder.iterdir()} == {".lock"}


def test_a_folder_with_a_checkpoint_is_gone_on_with(tmp_path, program):
    folder = tmp_path / "run"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "last.h5").touch()
    (folder / "metrics.jsonl").write_text("{}\n")
    assert child(folder, program, tmp_path / "told").wait(HANGS_S) == 0
    assert (tmp_path / "told").read_text() == "resume=it"
    assert (folder / "metrics.jsonl").exists()


def test_a_run_that_has_come_to_its_end_is_not_begun(tmp_path, program):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "report.html").touch()
    assert child(tmp_path / "run", program, tmp_path / "told").wait(HANGS_S) == 0
    assert not (tmp_path / "told").exists()


def test_a_second_process_waits_until_the_first_has_left_the_folder(tmp_path, program):
    folder = tmp_path / "run"
    first = child(folder, program, tmp_path / "first", stay=600)
    wait_for(tmp_path / "first")
    second = child(folder, program, tmp_path / "second")
    with (folder / ".lock").open() as lock, pytest.raises(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert second.poll() is None
    assert not (tmp_path / "second").exists()
    first.kill()
    first.wait()
    assert second.wait(HANGS_S) == 0
    assert (tmp_path / "second").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent has died")
def test_a_killed_launcher_takes_its_trials_with_it(tmp_path, program):
    script = (
        "import os, subprocess, sys, time\n"
        f"subprocess.Popen([sys.executable, '-I', '-S', {str(CHILD)!r}, str(os.getpid()), *sys.argv[1:]])\n"
        "time.sleep(600)\n"
    )
    words = [str(tmp_path / "run"), json.dumps([str(program)]), "resume=it", "hydra.run.dir=it"]
    environment = {**os.environ, "TOLD": str(tmp_path / "told"), "STAY": "600"}
    launcher = subprocess.Popen([sys.executable, "-c", script, *words], env=environment)
    wait_for(tmp_path / "told")
    launcher.send_signal(signal.SIGKILL)
    launcher.wait()
    until = time.monotonic() + HANGS_S
    with (tmp_path / "run" / ".lock").open() as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                assert time.monotonic() < until, "the trial is still there"
                time.sleep(0.02)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent has died")
def test_a_child_whose_launcher_is_gone_already_ends_at_once(tmp_path, program):
    assert child(tmp_path / "run", program, tmp_path / "told", launcher=1).wait(HANGS_S) == 143
    assert not (tmp_path / "told").exists()


def test_a_trial_gets_what_its_place_has_and_its_folder_keeps_what_it_says(tmp_path, monkeypatch):
    fake = tmp_path / "root"
    fake.mkdir()
    (fake / "train.py").write_text("import os, sys; print(os.environ['CUDA_VISIBLE_DEVICES'], *sys.argv[1:])")
    monkeypatch.setattr(nmt.sweep.pool, "ROOT", fake)
    pool = LocalPool([Place("gpu 3", {"CUDA_VISIBLE_DEVICES": "3"}, ("train.threads=2", "seed=9"))], usd_per_hour=3.6)
    trial = a_trial(tmp_path / "it's, a = sweep", 0)
    running = pool.start(trial)
    assert running.process.wait(HANGS_S) == 0
    folder = str(trial.folder).replace("'", "\\'")
    said = (trial.folder / "console.log").read_text()
    assert said == f"3 model.units=64 seed=1 train.threads=2 train.usd_per_hour=3.6 hydra.run.dir='{folder}'\n"
    assert running.usd(1000) == pytest.approx(1.0)
    pool.free(running)
    assert pool.taken == set()


def test_cores_are_shared_out_among_trials(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    monkeypatch.setattr(nmt.sweep.pool, "visible_gpus", list)
    assert [(place.name, place.overrides) for place in places(3, Device.auto)] == [
        ("cpu 0", ("train.threads=2",)),
        ("cpu 1", ("train.threads=2",)),
        ("cpu 2", ("train.threads=2",)),
    ]
    assert places(3, Device.auto)[0].environment["OMP_NUM_THREADS"] == "2"
    assert len(places(None, Device.auto)) == 4
    with pytest.raises(ConfigError, match=r"sweep.jobs: found 9, expected at most 8, the number of cores; "):
        places(9, Device.auto)


def test_each_gpu_is_a_place_unless_the_cpu_is_asked_for(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, GPU-abc")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})
    assert [dict(place.environment) for place in places(None, Device.auto)] == [
        {"CUDA_VISIBLE_DEVICES": "2"},
        {"CUDA_VISIBLE_DEVICES": "GPU-abc"},
    ]
    assert len(places(1, Device.gpu)) == 1
    assert [place.name for place in places(None, Device.cpu)] == ["cpu 0"]
    with pytest.raises(ConfigError, match=r"found 3, expected at most 2, the number of GPUs"):
        places(3, Device.auto)


@pytest.mark.parametrize(("said", "names"), [("", []), ("-1", []), ("0", ["0"]), ("1,0", ["1", "0"])])
def test_gpus_that_are_visible(monkeypatch, said, names):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", said)
    assert visible_gpus() == names


def test_gpus_that_the_driver_tells_of(tmp_path, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert visible_gpus() == []
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho 0\necho 1\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    assert visible_gpus() == ["0", "1"]
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho no driver; exit 9\n")
    assert visible_gpus() == []


def test_a_rented_machine_has_a_process_here_and_a_name_that_follows_from_its_trial(tmp_path, monkeypatch, caplog):
    package = tmp_path / "fake" / "nmt" / "app"
    package.mkdir(parents=True)
    for folder in (package, package.parent):  # a package that is installed goes before a folder that says it is none
        (folder / "__init__.py").touch()
    (package / "rent.py").write_text("import sys; print(*sys.argv[1:])")
    monkeypatch.setattr(nmt.sweep.pool, "ROOT", tmp_path / "fake")
    options = SweepConfig(max_machines=3, rent="machine=g5_xlarge launch.spot=true")
    pool = rented_pool(options, a_config())
    trial = a_trial(tmp_path / "sweep", 0)
    running = pool.start(trial)
    assert (pool.size, running.where, running.process.wait(HANGS_S)) == (3, "machine 0", 0)
    assert (trial.folder / "console.log").read_text() == (
        f"{trial.folder} sweep-{trial.ident} machine=g5_xlarge launch.spot=true -- model.units=64 seed=1 "
        f"hydra.run.dir='{trial.folder}'\n"
    )
    running.kill()
    assert caplog.messages == [
        f"a machine may go on: python -m nmt.launch terminate launch.name=sweep-{trial.ident} machine=g5_xlarge "
        "launch.spot=true ends it"
    ]


def test_mistaken_words_for_a_rented_machine():
    with pytest.raises(ConfigError, match=r"machine: found g9_xlarge, expected one of "):
        rented_pool(SweepConfig(rent="machine=g9_xlarge"), a_config())
