"""The launcher and the sweeper as Hydra calls them, with trials that a small program makes up."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib.font_manager  # noqa: F401 -- where it finds no cache it says so, before anybody listens
import pytest

import nmt.sweep.pool
from nmt.config.compose import prepare
from nmt.sweep.results import read_results
from tests.unit.config_tools import Edge, quick_hydra  # noqa: F401 (a fixture)

ROOT = Path(__file__).resolve().parents[2]
# Its score is 10 for each unit and 1 for each seed; 13 units are a failure.
PROGRAM = f"""
import json, sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from tests.unit.sweep_tools import a_config, write_run
given = dict(word.split("=") for word in sys.argv[1:])
units, seed = int(given.get("model.units", 8)), int(given.get("seed", 1))
if units == 13:
    sys.exit("thirteen is too many")
score = 10.0 * units + seed
folder = Path(given["hydra.run.dir"].strip("'"))
write_run(folder, a_config(seed, units), [1.0, score], {{"bleu": score}})
(folder / "argv.json").write_text(json.dumps(sys.argv[1:]))
"""


@pytest.fixture
def edge(tmp_path, monkeypatch, quick_hydra):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    (tmp_path / "program").mkdir()
    (tmp_path / "program" / "train.py").write_text(PROGRAM)
    monkeypatch.setattr(nmt.sweep.pool, "ROOT", tmp_path / "program")
    return Edge()


def test_a_dry_run_lists_the_trials_and_writes_no_ledger(edge, tmp_path, capsys):
    assert edge("-m", "model.units=8,16", "hydra.sweep.dir=s", "hydra/launcher=local", "dry_run=true", "seed=1") == 0
    out = capsys.readouterr().out
    assert out.splitlines()[2].split() == ["1", "new", "unknown", "model.units=8"]
    assert "2 trials to run, " in out
    assert not (tmp_path / "s" / "ledger.jsonl").exists()
    assert edge.calls == [], "trials are processes, not calls"


def test_each_trial_is_composed_as_its_sweep_was(edge, tmp_path):
    """A folder and a file of one's own, and what Hydra was told that is not about the sweep."""
    own = tmp_path / "own"
    (own / "experiment").mkdir(parents=True)
    (own / "my.yaml").write_text("defaults: [config, _self_]\nhydra: {mode: MULTIRUN}\nmodel: {units: 16}\n")
    (own / "experiment" / "mine.yaml").write_text("# @package _global_\nmodel: {cell: lstm}\n")
    flags = ("--config-dir=own", "--config-name=my", "hydra.job.chdir=false", "hydra/launcher=local")
    assert edge(*flags, "experiment=mine", "seed=2,3", "hydra.sweep.dir=s") == 0
    results = read_results(tmp_path / "s")
    assert [result.overrides for result in results] == [("experiment=mine", f"seed={seed}") for seed in (2, 3)]
    wanted = (f"--config-dir={own}", "--config-name=my", "hydra.job.chdir=false", "hydra.mode=RUN")
    assert {result.flags for result in results} == {wanted}
    for result in results:
        given = json.loads((result.folder / "argv.json").read_text())
        assert given == [*wanted, *result.overrides, *given[-2:]], "and its threads, its folder"
        plan = prepare(given[:-2])
        assert (plan.runs, plan.multirun) == (True, False)
    assert edge("--config-name=my", "-cd", str(own), "experiment=mine", "seed=2,3", *flags[2:]) == 0


def test_a_sweep_ends_with_its_leaderboard_and_says_what_failed(edge, tmp_path, capsys):
    words = ("-m", "model.units=8,13,16", "hydra.sweep.dir=s", "hydra/launcher=local", "seed=2")
    assert edge(*words) == 2
    told = capsys.readouterr()
    assert told.err == (
        "sweep: found 1 of 3 trials failed (trial 2), expected all of them to finish; the same command with "
        "retry_failed=true tries them again.\n"
    )
    assert "3 trials: 2 finished, 1 failed" in told.out
    assert "thirteen is too many" in told.out
    assert "uv run train.py model.units=16 seed=2" in told.out
    assert [path.name for path in sorted((tmp_path / "s").glob("*_*"))] == [
        "0_model.units-8",
        "1_model.units-13",
        "2_model.units-16",
    ]
    (tmp_path / "program" / "train.py").write_text(PROGRAM.replace("units == 13", "False"))
    assert edge(*words, "retry_failed=true") == 0
    assert [result.score for result in read_results(tmp_path / "s")] == [82.0, 132.0, 162.0]


def test_optuna_begins_where_it_is_told_to_and_finds_better(edge, tmp_path, capsys):
    pytest.importorskip("optuna")
    words = ["-m", "hydra/sweeper=optuna", "hydra/launcher=local", "hydra.sweep.dir=s", "model.units=interval(20,90)"]
    words += ["sweep.trials=3", "sweep.start='model.units=20'", "sweep.startup=1"]
    assert edge(*words, "dry_run=true") == 0
    told = capsys.readouterr().out
    assert "model.units: 20 to 90\n" in told
    assert "0 of 3 trials are done already" in told
    assert edge(*words) == 0
    results = read_results(tmp_path / "s")
    assert (results[0].overrides, len(results)) == (("model.units=20",), 3)
    best = max(results, key=lambda result: result.score)
    assert f"best of 3 trials: bleu {best.score:.4f} with {best.overrides[0]}" in capsys.readouterr().out
    assert best.score > results[0].score


def test_optuna_tries_each_choice_once_and_refuses_another_space_in_its_folder(edge, tmp_path, capsys):
    pytest.importorskip("optuna")
    words = ("-m", "hydra/sweeper=optuna", "hydra/launcher=local", "hydra.sweep.dir=s", "sweep.trials=2")
    assert edge(*words, "model.units=8,16") == 0
    assert sorted(result.overrides for result in read_results(tmp_path / "s")) == [
        ("model.units=16",),
        ("model.units=8",),
    ]
    before = (tmp_path / "s" / "study.journal").read_bytes()
    capsys.readouterr()
    for further in ((), ("dry_run=true",)):
        assert edge(*words, *further, "model.units=8,24") == 2
        assert capsys.readouterr().err == (
            f"{tmp_path / 's' / 'study.journal'}: found a study of another space (model.units: one of 8, 16), expected "
            "model.units: one of 8, 24; choose another folder with hydra.sweep.dir=FOLDER.\n"
        )
    assert (tmp_path / "s" / "study.journal").read_bytes() == before
    assert edge(*words, "model.units=8,16", "sweep.trials=5") == 0
    assert "each of the 2 combinations of the space has been tried" in capsys.readouterr().out


def test_optuna_through_a_launcher_of_hydras_own(edge, tmp_path, capsys):
    pytest.importorskip("optuna")
    edge.main = lambda config, folder: -abs(config.model.units - 50)
    words = ("-m", "hydra/sweeper=optuna", "hydra.sweep.dir=s", "model.units=interval(20,90)", "sweep.trials=2")
    assert edge(*words) == 0
    assert [config.model.units in range(20, 91) for config, _ in edge.calls] == [True, True]
    assert "none is ended early" in capsys.readouterr().out

    def broken(config, folder):
        raise ValueError("no luck")

    edge.main = broken
    assert edge(*words, "sweep.trials=3") == 2
    assert "sweep: found 1 trial failed, expected all of them to finish; " in capsys.readouterr().err
