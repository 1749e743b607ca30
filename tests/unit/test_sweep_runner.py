"""The queue of trials: what is skipped, started, told and ended, with trials that run nowhere."""

from __future__ import annotations

import logging
import os
import signal

import pytest

import nmt.sweep.runner
from nmt.errors import SweepError
from nmt.sweep.ledger import Ledger, Status
from nmt.sweep.outcome import read_scores
from nmt.sweep.plan import listing
from nmt.sweep.runner import Runner, duration, verdict
from tests.unit.sweep_tools import FakePool, a_config, a_trial, write_run


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch, caplog):
    monkeypatch.setattr(nmt.sweep.runner, "POLL_S", 0.0)
    caplog.set_level(logging.INFO, logger="nmt.sweep")


def sweep(folder, pool, trials, *, fail_fast=False, retry_failed=False, hopeless=None):
    with Ledger(folder) as ledger:
        return Runner(pool, ledger, fail_fast, retry_failed).run(trials, hopeless)


def four(folder):
    return [
        a_trial(folder, number, units, seed) for number, (units, seed) in enumerate([(1, 1), (1, 2), (2, 1), (2, 2)])
    ]


def test_every_trial_runs_once_as_many_at_once_as_there_are_places(tmp_path):
    pool = FakePool({number: (0, 3, 10.0 + number) for number in range(4)})
    outcomes = sweep(tmp_path, pool, four(tmp_path))
    assert [(one.trial.number, one.status, one.score) for one in outcomes] == [
        (number, Status.finished, 10.0 + number) for number in range(4)
    ]
    assert (pool.started, pool.most_at_once, pool.taken) == ([0, 1, 2, 3], 2, 0)


def test_the_same_sweep_again_skips_what_is_done(tmp_path, caplog):
    trials = four(tmp_path)
    sweep(tmp_path, FakePool({0: (0, 1, 1.0), 1: (0, 1, 2.0)}), trials[:2])
    pool = FakePool({2: (0, 1, 3.0), 3: (0, 1, 4.0)})
    assert [one.score for one in sweep(tmp_path, pool, trials)] == [1.0, 2.0, 3.0, 4.0]
    assert pool.started == [2, 3]
    assert "2 of 4 trials are done already" in caplog.text
    assert sweep(tmp_path, FakePool({}), trials)[3].score == 4.0


def test_a_failure_is_told_with_the_end_of_its_log_and_the_others_go_on(tmp_path, caplog):
    trials = four(tmp_path)
    trials[0].folder.mkdir()
    (trials[0].folder / "console.log").write_text("".join(f"line {number}\n" for number in range(30)))
    outcomes = sweep(tmp_path, FakePool({n: (2 if n == 0 else 0, 1, 1.0) for n in range(4)}), trials)
    assert [one.status for one in outcomes] == [Status.failed, *[Status.finished] * 3]
    assert "trial 1 failed with exit status 2: model.units=1 seed=1\n  line 18\n" in caplog.text
    assert f"  line 29\nmore in {trials[0].folder / 'console.log'}" in caplog.text


def test_failed_trials_are_tried_again_on_request_alone(tmp_path):
    trials = four(tmp_path)[:1]
    assert sweep(tmp_path, FakePool({0: (1, 1, None)}), trials)[0].status is Status.failed
    assert sweep(tmp_path, FakePool({}), trials)[0].status is Status.failed
    pool = FakePool({0: (0, 1, 5.0)})
    assert sweep(tmp_path, pool, trials, retry_failed=True)[0].score == 5.0
    with Ledger(tmp_path) as ledger:
        assert ledger.standings()[trials[0].ident].attempts == 2


def test_fail_fast_saves_the_others_and_says_which_failed(tmp_path):
    trials = four(tmp_path)
    pool = FakePool({0: (0, 10_000, 1.0), 1: (1, 2, None), 2: (0, 1, 1.0), 3: (0, 1, 1.0)})
    with pytest.raises(SweepError) as mistake:
        sweep(tmp_path, pool, trials, fail_fast=True)
    assert str(mistake.value) == (
        "trial 2 (model.units=1 seed=2): found a failure, expected none, since fail_fast=true; see "
        f"{trials[1].folder / 'console.log'}; the same command with retry_failed=true tries it again."
    )
    assert pool.started == [0, 1]
    assert pool.runs[0].asked == 1
    with Ledger(tmp_path) as ledger:
        standings = ledger.standings()
    assert standings[trials[0].ident].status is Status.interrupted
    assert trials[2].ident not in standings


@pytest.mark.parametrize(("number", "exit_status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_asks_once_waits_and_leaves(tmp_path, number, exit_status):
    pool = FakePool(dict.fromkeys(range(4), (0, 10000, 1.0)))
    before = signal.getsignal(number)

    def hopeless(trial):
        os.kill(os.getpid(), number)
        return False

    with pytest.raises(SystemExit) as left:
        sweep(tmp_path, pool, four(tmp_path), hopeless=hopeless)
    assert left.value.code == exit_status
    assert pool.started == [0, 1]
    assert signal.getsignal(number) is before
    with Ledger(tmp_path) as ledger:
        assert {one.status for one in ledger.standings().values()} <= {Status.interrupted, Status.failed}


def test_a_hopeless_trial_is_ended_and_not_run_again(tmp_path):
    trials = four(tmp_path)[:2]
    pool = FakePool({0: (0, 10_000, 1.0), 1: (0, 3, 2.0)})
    outcomes = sweep(tmp_path, pool, trials, hopeless=lambda trial: trial.number == 0)
    assert [one.status for one in outcomes] == [Status.pruned, Status.finished]
    assert pool.runs[0].asked == 1
    assert sweep(tmp_path, FakePool({}), trials)[0].status is Status.pruned


def test_a_configuration_that_comes_twice_is_run_once(tmp_path):
    twins = [a_trial(tmp_path, 0), a_trial(tmp_path, 1)]
    pool = FakePool({0: (0, 1, 3.0)})
    assert [one.score for one in sweep(tmp_path, pool, twins)] == [3.0, 3.0]


def test_what_a_sweep_would_do(tmp_path):
    trials = four(tmp_path)
    pool = FakePool({0: (0, 1, 1.0), 1: (1, 1, None)})
    sweep(tmp_path, pool, trials[:2])
    with Ledger(tmp_path) as ledger:
        standings = ledger.standings()
    for standing in standings.values():
        object.__setattr__(standing, "seconds", 120.0)
    told = listing(trials, standings, pool, retry_failed=False)
    assert told.splitlines()[2].split() == ["1", "finished", "-", "model.units=1", "seed=1"]
    assert told.splitlines()[3].split() == ["2", "failed", "-", "model.units=1", "seed=2"]
    assert told.splitlines()[4].split() == ["3", "new", "2", "min", "model.units=2", "seed=1"]
    assert told.endswith("2 trials to run, 2 at once; about 2 min, about $0.07")
    assert listing(trials, standings, pool, retry_failed=True).endswith(
        "3 trials to run, 2 at once; about 3 min, about $0.10"
    )
    assert listing(trials, {}, pool, retry_failed=False).endswith("time and cost unknown until one has finished")


@pytest.mark.parametrize(
    ("exit_status", "pruned", "complete", "status"),
    [
        (0, False, True, Status.finished),
        (0, True, True, Status.finished),
        (0, False, False, Status.failed),
        (143, False, False, Status.interrupted),
        (143, True, False, Status.pruned),
        (-15, False, False, Status.interrupted),
        (130, False, False, Status.interrupted),
        (-9, False, False, Status.failed),
        (2, True, False, Status.failed),
    ],
)
def test_what_an_exit_status_means(tmp_path, exit_status, pruned, complete, status):
    write_run(tmp_path, a_config(), [1.0], {"bleu": 1.0} if complete else None)
    assert verdict(exit_status, pruned, read_scores(tmp_path)) is status


@pytest.mark.parametrize(("seconds", "told"), [(8.4, "8 s"), (95, "2 min"), (5400, "1.5 h")])
def test_durations(seconds, told):
    assert duration(seconds) == told
