"""Every command in every state of a machine: what it is for it does, anything else it refuses and leaves alone."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from nmt.launch.assignment import Assignment
from nmt.launch.states import ALLOWED, State
from tests.system.aws_unkind import KIND, UNKIND
from tests.system.launch_walk import walking
from tests.system.walk_tools import PLACES, files

DESK = PLACES[0]
NO_MACHINE = {"preflight", "selftest"}  # about no machine that is on record; each has tests of its own
WORDS = {
    "up": ["--yes"], "run": ["--", "seed=1"], "relaunch": ["--yes"], "terminate": ["--yes", "--no-fetch"],
    "sweep-orphans": ["--yes"],
}  # fmt: skip


@pytest.fixture(params=[KIND, UNKIND], ids=["kind", "unkind"])
def it(request, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with walking(0, monkeypatch, request.param) as it:
        it.typed = dict.fromkeys(PLACES, 48.0)
        monkeypatch.setattr("sys.stdin", type("Terminal", (), {"isatty": lambda self: True})())
        for name in ("terminal", "stream"):
            monkeypatch.setattr(f"nmt.launch.ssh.Ssh.{name}", lambda ssh, words, doing, *_: it.reach(ssh, doing) and 0)
        yield it


def bring(it, state):
    """A machine into a state; there is a training that `relaunch` can go on with."""
    Assignment(["seed=2"], "nmt-1", "runs", "/home/x").save(DESK.records.parent, "nmt")
    stays = {State.pending: {"pending_s": 100.0}, State.ending: {"shutting_down_s": 100.0}}  # while it is looked at
    it.ec2.nature.pace = replace(it.ec2.nature.pace, **stays.get(state, {}))
    if state in (State.asked, State.pending):
        path, answered = DESK.records / "starting.json", 0
        while not path.exists() or (state is State.pending and not json.loads(path.read_text())["instance_id"]):
            it.give(DESK, "up", "--yes", fault=("killed before", answered := answered + 1))
        return
    it.give(DESK, "up", "--yes")
    if state is not State.running:
        it.give(DESK, "run", "--", "seed=1")
    if state in (State.saved, State.stopped):
        it.give(DESK, "halt")
    if state is State.stopped:
        it.give(DESK, "stop")
    if state in (State.ending, State.gone):
        it.taken_away(DESK)
    if state is State.gone:
        it.sleep(60.0)
    if state is State.unknown:
        it.ec2.account = "210987654321"


@pytest.mark.parametrize("state", State, ids=lambda state: state.name)
@pytest.mark.parametrize("command", sorted(set(ALLOWED) - NO_MACHINE))
def test_a_command_does_what_the_table_says(it, command, state):
    bring(it, state)
    before = held(it)
    status, said = it.give(DESK, command, *WORDS.get(command, []))
    if state in ALLOWED[command]:
        assert status == 0, said
    else:
        assert status == 2, said
        assert held(it) == before, "nothing is changed"


def held(it):
    """What AWS holds, and what is on record here, but for the bill, on which an end that was seen is noted."""
    kept = {path: data for path, data in files().items() if path.name not in ("bill.jsonl", ".lock")}
    boxes = [(box.id, box.state, box.trains, box.rings) for box in it.ec2.boxes.values()]
    return boxes, dict(it.ec2.groups), dict(it.ec2.keys), kept
