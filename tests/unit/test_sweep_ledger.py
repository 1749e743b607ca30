"""The ledger of a sweep: one writer, nothing lost but a torn line, states over several attempts."""

from __future__ import annotations

import json

import pytest

from nmt.errors import SweepError
from nmt.sweep.ledger import Ledger, Standing, Status, at_work, fold, read_standings
from nmt.sweep.trials import identify, place
from tests.unit.sweep_tools import a_trial, renamed

START = {"group": "g", "number": 3, "overrides": ["seed=1"], "folder": "3_seed-1", "where": "cpu 0"}
END = {"status": "finished", "exit_status": 0, "score": 1.5, "seconds": 2.0, "usd": None}


def test_what_is_written_is_read_back(tmp_path):
    with Ledger(tmp_path) as ledger:
        ledger.write("start", "a", START)
        assert read_standings(tmp_path) == {"a": Standing("a", "g", 3, ("seed=1",), "3_seed-1", "cpu 0")}
        ledger.write("end", "a", END)
        assert ledger.standings()["a"] == Standing(
            "a", "g", 3, ("seed=1",), "3_seed-1", "cpu 0", Status.finished, False, 1.5, 0, 2.0
        )


def test_attempts_add_up():
    events = [
        {"event": "start", "trial": "a", **START},
        {"event": "end", "trial": "a", **END, "status": "interrupted", "exit_status": 143, "usd": 0.25},
        {"event": "start", "trial": "a", **START},
        {"event": "start", "trial": "a", **START},
        {"event": "end", "trial": "a", **END, "usd": 0.5},
    ]
    found = fold(events)["a"]
    assert (found.attempts, found.seconds, found.usd, found.status) == (3, 4.0, 0.75, Status.finished)


def test_a_trial_that_only_started_was_interrupted(tmp_path):
    with Ledger(tmp_path) as ledger:
        ledger.write("start", "a", START)
        assert at_work(tmp_path)
    assert not at_work(tmp_path)
    standing = read_standings(tmp_path)["a"]
    assert standing.status is Status.interrupted
    assert not standing.status.done


def test_a_torn_last_line_is_left_out_and_taken_off_by_the_next_writer(tmp_path):
    with Ledger(tmp_path) as ledger:
        ledger.write("start", "a", START)
    path = tmp_path / "ledger.jsonl"
    whole = path.read_bytes()
    for torn in (b'{"event": "end", "tr', b"\xff\xfe", b"x" * 100_000):
        path.write_bytes(whole + torn)
        assert read_standings(tmp_path)["a"].status is Status.interrupted
        with Ledger(tmp_path) as ledger:
            ledger.write("end", "a", END)
        assert read_standings(tmp_path)["a"].status is Status.finished
        assert len(path.read_bytes().splitlines()) == 2
        path.write_bytes(whole)


def test_a_second_launcher_is_told_of_the_first(tmp_path):
    with Ledger(tmp_path), pytest.raises(SweepError) as mistake:
        Ledger(tmp_path)
    assert str(mistake.value) == (
        f"{tmp_path}: found another launcher at work in it, expected one at a time; wait for it or stop it, or choose "
        "another folder with hydra.sweep.dir=FOLDER."
    )


@pytest.mark.parametrize("line", ["nonsense", "[]", '{"event": "end", "trial": "a"}', '{"event": "other"}', "1"])
def test_a_line_that_is_no_event_is_named(tmp_path, line):
    (tmp_path / "ledger.jsonl").write_text(json.dumps({"event": "start", "trial": "a", **START}) + f"\n{line}\n")
    with pytest.raises(SweepError) as mistake:
        read_standings(tmp_path)
    assert str(mistake.value) == (
        f"{tmp_path / 'ledger.jsonl'}, line 2: found {line!r}, expected a JSON object that tells how a trial started "
        "or ended; delete the line; its trial is then run again or resumed."
    )


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(SweepError) as mistake:
        Ledger(tmp_path / "taken")
    assert str(mistake.value).endswith(
        "expected a folder that can be written; choose another one with hydra.sweep.dir=FOLDER."
    )


def test_a_trial_is_what_it_computes_not_where(tmp_path):
    one = a_trial(tmp_path, 0)
    from_elsewhere = a_trial(tmp_path, 5)
    assert one.ident == from_elsewhere.ident
    assert one.ident != a_trial(tmp_path, 0, seed=2).ident
    assert one.group == a_trial(tmp_path, 0, seed=2).group != a_trial(tmp_path, 0, units=65).group


def test_where_it_is_computed_does_not_make_another_trial(tmp_path):
    from tests.unit.sweep_tools import a_config

    config, other = a_config(), a_config()
    other.train.threads, other.train.log_every, other.resume = 7, 3, "somewhere"
    assert identify(config) == identify(other)
    other.train.max_steps += 1
    assert identify(config) != identify(other)


def test_a_trial_keeps_its_folder_and_takes_no_other_one(tmp_path):
    trial = a_trial(tmp_path, 0)
    known = {trial.ident: Standing(trial.ident, "g", 0, (), "first", "cpu 0")}
    assert place(a_trial(tmp_path, 9), known).folder.name == "first"
    other = renamed(a_trial(tmp_path, 0, units=65), "first")
    assert place(other, known).folder.name == "first_2"
