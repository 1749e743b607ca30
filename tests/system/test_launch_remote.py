"""The launcher and a machine: a real SSH server, rsync and tmux; uv and the trainer are small programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from machine_tools import FakeMachine, fake_machine, needs_a_server

from nmt.launch.assignment import load_assignment
from nmt.launch.fetch import follow
from nmt.launch.ssh import Ssh
from nmt.launch.training import run

pytestmark = [needs_a_server(), pytest.mark.long]


@pytest.fixture
def box(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with fake_machine(tmp_path, steps=60) as machine:
        yield machine


def launch(box: FakeMachine, *words: str, hours: float = 1.0) -> dict:
    records = Path("records")
    return run(box.server.machine(), box.config, hours * 3600, words, records, lambda said: None)


def test_a_run_is_started_once_outlives_the_connection_and_comes_home(box):
    first = launch(box, "seed=3")
    assert first["started"]
    assert first["state"] == "running"
    again = launch(box, "seed=3")
    assert (again["started"], again["trainer"]) == (False, first["trainer"])
    assert box.lines("uv.log") == ["sync --extra gpu"], "what runs is left alone"
    box.server.drop()
    assignment = load_assignment(Path("records"), "box")
    ssh = Ssh(box.server.machine(), box.config)
    status = follow(ssh, assignment, 0.5, lambda said: None)
    assert (status["state"], status["reason"], status["exit_status"]) == ("ended", "finished", 0)
    home = Path(assignment.folder)
    assert json.loads((home / "results.json").read_text()) == {"steps": 60}
    assert (home / "machine" / "train.out").read_text().splitlines()[0] == (
        f"words train.usd_per_hour=0.526 seed=3 hydra.run.dir=../runs/{home.name}"
    )
    assert [int(seconds) for seconds in box.lines("armed")] == [pytest.approx(3600, abs=5)]
    assert not launch(box, "seed=3")["started"], "it has finished"
