"""The command line of a sweep: its space, its recipes, its folder, and what a user gets wrong about it."""

from __future__ import annotations

import pytest

import nmt.config.sweep_line
from nmt.config.compose import prepare
from nmt.config.resume import continued
from nmt.config.root import Config
from nmt.config.saved import dump, load_config, write_run_config
from nmt.config.store import options, register
from nmt.config.sweep import HOW, SHORT, SweepConfig
from tests.unit.config_tools import Edge, composed, quick_hydra, recipes  # noqa: F401 (a fixture)


@pytest.fixture
def edge(tmp_path, monkeypatch, quick_hydra):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    return Edge()


MISTAKES = {
    ("-m", "model.units=interval(8,16)"): "model.units: found interval(8,16), expected values that can be listed, such "
    "as 1,2,3 or range(1,4); add hydra/sweeper=optuna, which searches intervals.",
    ("-m", "hydra/sweeper=optuna", "model.units=interval(16,8)"): "model.units: found interval(16,8), expected a lower "
    "end below the upper one; swap them.",
    ("-m", "hydra/sweeper=optuna", "model.units=interval(0,8)"): "model.units: found 0, expected at least 1; see "
    "configs/model for sizes that work.",
    ("-m", "seed=1,2", "hydra/launcher=basic", "fail_fast=true"): "sweep.fail_fast: found true, expected a launcher "
    "that heeds it; leave it out, or use hydra/launcher=local.",
    ("sweep=seeds",): "sweep: found several values of seed, expected a sweep, or one value for each; add -m.",
    ("-m", "sweep=sedes"): "sweep: found sedes, expected one of optuna, rates, seeds; did you mean sweep=seeds.",
    ("-m", "sweep.trails=3", "seed=1,2"): "sweep.trails: found no option of this name, expected an option of sweep; "
    "did you mean sweep.trials.",
    ("-m", "sweep.jobs=0", "seed=1,2"): "sweep.jobs: found 0, expected at least 1, or null for as many as "
    "there are GPUs, or pairs of cores; 1 runs one after another.",
    (
        "-m",
        "sweep.prune_after_steps=-1",
        "seed=1,2",
    ): "sweep.prune_after_steps: found -1, expected at least 0; 0 lets a trial be ended at any step.",
    ("-m", "seed=1,2", "dry_run=maybe"): "sweep.dry_run: found maybe, expected true or false; the default is false.",
    ("-m", "seed=1,2", "hydra/launcher=slurm"): "hydra/launcher: found slurm, whose package "
    "(hydra_plugins.hydra_submitit_launcher) is not installed, expected what `uv sync` alone does not bring; install "
    "it with: uv sync --extra slurm.",
}


@pytest.mark.parametrize("words", MISTAKES, ids=" ".join)
def test_each_mistake_has_its_sentence(edge, capsys, words, monkeypatch):
    monkeypatch.setattr(nmt.config.sweep_line, "_is_there", lambda module: module == "optuna")
    assert edge(*words) == 2
    assert capsys.readouterr().err == f"{MISTAKES[words]}\n"
    assert edge.calls == []


def test_a_recipe_brings_its_space_and_the_command_line_wins(edge):
    assert edge("-m", "sweep=seeds", "seed=7,8") == 0
    assert [config.seed for config, _ in edge.calls] == [7, 8]
    edge.calls.clear()
    assert edge("-m", "sweep=seeds", "model=small") == 0
    assert [(config.seed, config.model.units) for config, _ in edge.calls] == [(seed, 128) for seed in range(1, 6)]


def test_one_trial_of_a_recipe_is_a_run_alone(edge):
    words = ("sweep=optuna", "train.learning_rate=0.001", "model.units=32", "model.dropout_output=0.1")
    assert edge(*words) == 0
    config = edge.calls[0][0]
    assert (config.train.early_stopping.metric, config.model.units) == ("wmd_similarity", 32)
    assert type(config) is Config


@pytest.mark.parametrize("recipe", options("sweep"))
def test_a_recipe_changes_nothing_of_the_model_it_sweeps(recipe):
    assert composed(f"sweep={recipe}").model == Config().model


@pytest.fixture
def own(tmp_path):
    """A user's own folder of configurations: a file to begin with, a recipe and a space."""
    files = {
        "my.yaml": "defaults: [config, _self_]\nmodel: {units: 48}\n",
        "bare.yaml": "train: {max_steps: 5}\n",
        "experiment/mine.yaml": "# @package _global_\nmodel: {units: 24}\n",
        "sweep/two.yaml": "# @package _global_\nsweep: {space: {seed: '3,4'}}\n",
    }
    for name, text in files.items():
        path = tmp_path / "own" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "own"


def test_configurations_of_ones_own_are_composed_checked_and_named(edge, own, tmp_path):
    assert edge("-m", f"--config-dir={own}", "--config-name=my", "seed=1,2") == 0
    assert [(config.model.units, config.seed) for config, _ in edge.calls] == [(48, 1), (48, 2)]
    folder = edge.calls[0][1].relative_to(tmp_path).parent
    assert str(folder).startswith("runs/sweeps/config-name-my_seed-1-2_")
    edge.calls.clear()
    assert edge("-m", "--config-dir", "own", "experiment=mine", "sweep=two") == 0
    assert [(config.model.units, config.seed) for config, _ in edge.calls] == [(24, 3), (24, 4)]
    edge.calls.clear()
    assert edge(f"--config-dir={own}", "-cn", "my", "experiment=mine") == 0
    assert edge.calls[0][0].model.units == 48, "a file of one's own comes after its defaults"


OWN_MISTAKES = {
    ("--config-dir=gone", "seed=1"): "--config-dir: found gone, expected a folder; check how it is written.",
    ("--config-dir=own", "--config-name=mine"): "--config-name: found mine, expected a file of the folder of "
    "--config-dir; check that mine.yaml is in it.",
    ("--config-dir=own", "--config-name=bare"): "--config-name=bare: found a file that does not build on ours, "
    "expected defaults that begin with config; write `defaults: [config, _self_]` at its top.",
    ("--config-dir=own", "experiment=min"): "experiment: found min, expected one of "
    f"{', '.join(recipes('mine'))}; did you mean experiment=mine.",
    ("--config-dir=own", "--config-name=my", "train.max_step=3"): "train.max_step: found no option of this name, "
    "expected an option of train; did you mean train.max_steps.",
    ("--config-dir=own", "resume=gone"): "resume=gone: found no folder of this name, expected the folder of an earlier "
    "run; name the folder that holds its config.yaml and checkpoints.",
    ("--config-path=own", "seed=1"): "--config-path: found own, expected a folder beside configs/, not in its place; "
    "write --config-dir=own.",
    ("-m", "--config-dir=own", "hydra/launcher=ec2", "seed=1,2"): "--config-dir: found {own} with hydra/launcher=ec2, "
    "expected files of this project, which is what a rented machine gets; put them into configs/, in a folder of their "
    "group.",
    ("--run", "-m", "seed=1,2"): "--run: found -m beside it, expected one of them; leave out -m.",
    ("--resolve", "seed=1"): "--resolve: found no --cfg beside it, expected both; add --cfg job.",
}


@pytest.mark.parametrize("words", OWN_MISTAKES, ids=" ".join)
def test_each_mistake_about_hydras_flags_has_its_sentence(edge, own, capsys, words):
    assert edge(*words) == 2
    assert capsys.readouterr().err == OWN_MISTAKES[words].replace("{own}", str(own)) + "\n"
    assert edge.calls == []


def test_how_a_sweep_is_run_does_not_change_its_folder():
    register()
    plain = prepare(["-m", "seed=1,2"]).argv[-1]
    for word in ("dry_run=true", "fail_fast=true", "retry_failed=true", "sweep.jobs=1", "sweep.trials=9"):
        assert prepare(["-m", "seed=1,2", word]).argv[-1] == plain
    assert prepare(["-m", "seed=1,2", "sweep.seed=2"]).argv[-1] != plain


def test_the_options_of_how_are_options():
    assert {*HOW, *SHORT} <= set(SweepConfig.__dataclass_fields__)


def test_what_a_run_keeps_says_nothing_of_its_sweep(edge, capsys):
    assert edge("sweep.jobs=1", "--cfg", "job") == 0
    shown = capsys.readouterr().out
    assert "sweep:\n" in shown
    assert load_config(shown) == Config()
    assert "sweep" not in dump(composed("sweep.jobs=1"))


def test_a_job_goes_on_with_the_run_that_its_folder_holds(tmp_path):
    config = Config(seed=3)
    assert continued(tmp_path, config) is config
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last.h5").touch()
    elsewhere = Config(seed=3)
    elsewhere.train.threads = 5
    write_run_config(tmp_path, elsewhere)
    found = continued(tmp_path, config)
    assert (found.resume, found.train.threads) == (str(tmp_path), 5)
    assert continued(tmp_path, Config(seed=4)).resume is None


def test_jobs_of_other_launchers_note_their_words_and_go_on(edge, tmp_path):
    def leave_a_checkpoint(config, folder):
        (folder / "checkpoints").mkdir(exist_ok=True)
        (folder / "checkpoints" / "last.h5").touch()

    edge.main = leave_a_checkpoint
    assert edge("-m", "seed=1,2", "hydra.sweep.dir=here") == 0
    assert edge("-m", "seed=1,2", "hydra.sweep.dir=here") == 0
    assert (tmp_path / "here" / "1_seed-2" / "overrides.json").read_text() == '["seed=2"]\n'
    assert [config.resume for config, _ in edge.calls] == [None, None, *(str(folder) for _, folder in edge.calls[2:])]
