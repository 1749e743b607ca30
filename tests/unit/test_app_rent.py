"""A trial on a rented machine: in which order the steps come, and that the machine is ended whatever happens."""

from __future__ import annotations

import json
import os
import signal

import pytest

from nmt.app.rent import main, rent
from tests.hydra_answers import keep_answers

NAME = "launch.name=sweep-1"
UP = ["up", "--yes", NAME, "machine=g4dn_xlarge"]
RUN = ["run", NAME, "machine=g4dn_xlarge", "--", "seed=1"]
FETCH = ["fetch", "--every", NAME, "machine=g4dn_xlarge"]
HALT = ["halt", NAME, "machine=g4dn_xlarge"]
END = ["terminate", "--yes", NAME, "machine=g4dn_xlarge"]


@pytest.fixture(autouse=True)
def _quick_hydra(monkeypatch):
    keep_answers(monkeypatch)


class Steps:
    """Notes each command line; `does` says what one of them does, and its exit status."""

    def __init__(self, **does):
        self.does, self.seen = does, []

    def __call__(self, words):
        self.seen.append(list(words))
        answer = self.does.get(words[0], 0)
        return answer() if callable(answer) else answer


def rented(folder, steps):
    return rent(folder, "sweep-1", ["machine=g4dn_xlarge"], ["seed=1"], steps)


def test_a_run_that_ends_comes_home_and_its_machine_is_ended(tmp_path):
    def fetched():
        (tmp_path / "report.html").touch()
        return 0

    steps = Steps(fetch=fetched)
    assert rented(tmp_path, steps) == 0
    assert steps.seen == [UP, RUN, FETCH, END]


@pytest.mark.parametrize(("failing", "steps_seen"), [("up", [UP, END]), ("run", [UP, RUN, END])])
def test_a_step_that_fails_ends_the_machine(tmp_path, failing, steps_seen):
    steps = Steps(**{failing: 2})
    assert rented(tmp_path, steps) == 2
    assert steps.seen == steps_seen


def test_a_mistaken_training_rents_nothing(tmp_path, monkeypatch, capsys):
    """It was told once a machine was paid for."""
    monkeypatch.chdir(tmp_path)
    steps = Steps()
    words = ["data=files", "data.train=no/train", "data.dev=no/dev"]
    assert rent(tmp_path, "sweep-1", ["machine=g4dn_xlarge"], words, steps) == 2
    assert steps.seen == []
    assert capsys.readouterr().err.startswith("data.train: found no/train, expected files that exist; ")
    records = tmp_path / "runs" / "launch" / "sweep-1"
    records.mkdir(parents=True)
    asked = {"InstanceType": "t3.micro", "BlockDeviceMappings": [{"Ebs": {"VolumeSize": 50}}]}
    (records / "starting.json").write_text(json.dumps({"region": "eu-west-1", "zone": "", "parameters": asked}))
    rent(tmp_path, "sweep-1", ["machine=g4dn_xlarge"], words, steps)
    assert steps.seen == [END], "what an earlier one may have left"
    (records / "starting.json").unlink()
    (records / "machine.json").write_text("{")
    assert rent(tmp_path, "sweep-1", ["machine=g4dn_xlarge"], words, steps) == 2
    assert steps.seen == [END, END], "a record that cannot be read is one"


def test_where_the_project_is_no_checkout_nothing_is_rented(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("nmt.launch.upload.PROJECT", tmp_path)
    steps = Steps()
    assert rented(tmp_path, steps) == 2
    assert steps.seen == []
    assert "found no checkout of it in " in capsys.readouterr().err


def test_a_signal_while_it_looks_for_an_earlier_machine_ends_that(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("nmt.app.rent.on_record", lambda _: os.kill(os.getpid(), signal.SIGTERM))
    steps = Steps()
    assert rent(tmp_path, "sweep-1", ["machine=g4dn_xlarge"], ["seed=x"], steps) == 143
    assert steps.seen == [HALT, END]


def test_a_training_that_failed_hands_its_exit_status_on(tmp_path):
    def fetched():
        (tmp_path / "machine").mkdir()
        (tmp_path / "machine" / "status.json").write_text(json.dumps({"exit_status": 2}))
        return 1

    assert rented(tmp_path, Steps(fetch=fetched)) == 2


def test_a_training_that_left_nothing_to_read_failed(tmp_path):
    assert rented(tmp_path, Steps(fetch=1)) == 1


def test_a_signal_between_steps_saves_and_ends_the_machine(tmp_path):
    def told():
        os.kill(os.getpid(), signal.SIGTERM)
        return 0

    steps = Steps(run=told)
    assert rented(tmp_path, steps) == 143
    assert steps.seen == [UP, RUN, HALT, END]


def test_a_signal_within_a_step_saves_and_ends_the_machine(tmp_path):
    steps = Steps(fetch=130)  # what the commands of nmt.launch answer when they are interrupted
    assert rented(tmp_path, steps) == 143
    assert steps.seen == [UP, RUN, FETCH, HALT, END]


def test_a_bug_ends_the_machine_and_keeps_its_traceback(tmp_path):
    def broken():
        raise ZeroDivisionError

    steps = Steps(run=broken)
    with pytest.raises(ZeroDivisionError):
        rented(tmp_path, steps)
    assert steps.seen == [UP, RUN, END]


def test_a_machine_that_could_not_be_ended_is_told_by_the_exit_status(tmp_path):
    (tmp_path / "report.html").touch()
    assert rented(tmp_path, Steps(terminate=2)) == 2


def test_the_words_of_its_command_line(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr("nmt.app.rent.rent", lambda *words: seen.append(words) or 0)
    assert main([str(tmp_path), "sweep-1", "machine=g5_xlarge", "--", "seed=1", "hydra.run.dir=x"]) == 0
    assert seen == [(tmp_path, "sweep-1", ["machine=g5_xlarge"], ["seed=1", "hydra.run.dir=x"])]
