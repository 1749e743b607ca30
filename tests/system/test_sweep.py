"""A sweep whose launcher is killed: the same command finishes what is missing, and nothing else."""

from __future__ import annotations

import csv
import io
import itertools
import re
import signal
import statistics

import pytest

from nmt.checkpoint.file import read_parameters
from nmt.sweep.leaderboard import make_board
from nmt.sweep.report import csv_text
from nmt.sweep.results import read_results
from tests.system.sweep_tools_long import SHORT, count, figures, finish, kill, ledger, run_folder, start, wait

UNITS, SEEDS = (16, 24, 32), (1, 2, 3, 4)


@pytest.mark.long(minutes=10)
def test_a_sweep_whose_launcher_is_killed_ends_as_one_that_was_not(tmp_path):
    words = ["-m", *SHORT, "model.units=16,24,32", "seed=1,2,3,4", "hydra.sweep.dir=sweep", "sweep.jobs=2"]
    sweep = tmp_path / "sweep"
    first = start(tmp_path, *words)
    wait(lambda: count(sweep, "end") >= 3 and count(sweep, "start") > count(sweep, "end"), "three trials")
    kill(first)
    done = {line["trial"] for line in ledger(sweep) if line["event"] == "end"}
    begun = {line["trial"] for line in ledger(sweep) if line["event"] == "start"}
    assert 3 <= len(done) < len(begun) < 12
    with (sweep / "ledger.jsonl").open("a") as file:
        file.write('{"event": "end", "tri')  # as if it had been writing

    said = finish(start(tmp_path, *words))
    assert f"{len(done)} of 12 trials are done already" in said
    starts = [line["trial"] for line in ledger(sweep) if line["event"] == "start"]
    assert all(starts.count(trial) == 1 for trial in done), "what was done is not run again"
    assert all(starts.count(trial) == 2 for trial in begun - done), "what was cut off is taken up once"
    assert len(set(starts)) == 12
    assert {line["status"] for line in ledger(sweep) if line["event"] == "end"} == {"finished"}
    assert not [path for path in sweep.rglob("*") if re.search("[=,]", path.name)]

    assert "12 of 12 trials are done already" in finish(start(tmp_path, *words))
    assert len([line for line in ledger(sweep) if line["event"] == "start"]) == len(starts)
    check_leaderboard(sweep)
    check_against_runs_alone(tmp_path, sweep)


def check_leaderboard(sweep):
    """Means and deviations over seeds, worked out from the runs' own logs."""
    best = {
        (units, seed): max(
            event["chrf"]
            for event in figures(run_folder(sweep, f"model.units={units}", f"seed={seed}"))[0]
            if event["event"] == "validate"
        )
        for units, seed in itertools.product(UNITS, SEEDS)
    }
    board = make_board(read_results(sweep))
    wanted = {f"model.units={units}": [best[units, seed] for seed in SEEDS] for units in UNITS}
    assert [row.name for row in board.rows] == sorted(wanted, key=lambda name: -statistics.mean(wanted[name]))
    for row in board.rows:
        assert row.dev.mean == pytest.approx(statistics.mean(wanted[row.name]))
        assert row.dev.deviation == pytest.approx(statistics.stdev(wanted[row.name]))
    rows = list(csv.DictReader(io.StringIO(csv_text(board))))
    assert {(int(row["model.units"]), int(row["seed"])): float(row["score"]) for row in rows} == best


def check_against_runs_alone(tmp_path, sweep):
    """Each trial, resumed ones among them, found what the run alone finds, to the last digit."""
    for seed_pair, units in itertools.product((SEEDS[:2], SEEDS[2:]), UNITS):
        pair = [(units, seed) for seed in seed_pair]
        alone = {}
        for units, seed in pair:
            own = [f"model.units={units}", f"seed={seed}"]
            folder = f"alone-{units}-{seed}"
            alone[folder] = own, start(tmp_path, *SHORT, *own, f"hydra.run.dir={folder}")
        for folder, (own, process) in alone.items():
            finish(process)
            trial = run_folder(sweep, *own)
            assert figures(trial) == figures(tmp_path / folder)
            ours, theirs = (read_parameters(place / "checkpoints" / "last.h5") for place in (trial, tmp_path / folder))
            assert ours.keys() == theirs.keys()
            assert all((ours[name] == theirs[name]).all() for name in ours)


@pytest.mark.long
def test_an_optuna_sweep_whose_launcher_is_killed_finds_what_one_finds_that_was_not(tmp_path):
    words = ["-m", *SHORT, "hydra/sweeper=optuna", "model.units=interval(8,32)", "sweep.trials=4", "sweep.prune=false"]
    words += ["train.learning_rate=tag(log,interval(1e-4,1e-1))", "sweep.jobs=1", "sweep.startup=2"]
    whole = start(tmp_path, *words, "hydra.sweep.dir=whole")
    killed = start(tmp_path, *words, "hydra.sweep.dir=killed")
    wait(lambda: count(tmp_path / "killed", "start") == 2, "the second trial")
    kill(killed)
    assert "best of 4 trials: chrf " in finish(start(tmp_path, *words, "hydra.sweep.dir=killed"))
    assert "best of 4 trials: chrf " in finish(whole)
    found = [
        [(result.overrides, result.scores.score) for result in read_results(tmp_path / name)]
        for name in ("killed", "whole")
    ]
    assert found[0] == found[1]
    assert len({words for words, _ in found[0]}) == 4


@pytest.mark.long
def test_ctrl_c_saves_and_the_same_command_goes_on(tmp_path):
    words = ["-m", *SHORT, "train.max_steps=4000", "train.validate_every=2000", "seed=1,2", "hydra.sweep.dir=sweep"]
    sweep = tmp_path / "sweep"
    first = start(tmp_path, *words)
    wait(lambda: list(sweep.glob("0_*/checkpoints/last.h5")) != [], "a checkpoint")
    first.send_signal(signal.SIGINT)
    said, _ = first.communicate(timeout=600)
    assert first.returncode == 130, said
    assert "stopping: 1 trial to save and leave" in said
    assert [line["status"] for line in ledger(sweep) if line["event"] == "end"] == ["interrupted"]
    said = finish(start(tmp_path, *words, "dry_run=true"))
    assert re.search(r"1 +interrupted +unknown +seed=1\n2 +new +unknown +seed=2\n", said)
