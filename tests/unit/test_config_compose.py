"""Every file in configs/ composes; choices on the command line win over a recipe's."""

from __future__ import annotations

import re
from dataclasses import replace
from enum import Enum
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from nmt.config.compose import prepare
from nmt.config.data import CaptionsConfig, FilesConfig, MixtureConfig, Multi30kConfig, Variant
from nmt.config.mistakes import members
from nmt.config.model import Decoder, Tie
from nmt.config.overrides import apply_overrides, known_keys, leaves, locate, parse_override
from nmt.config.resume import MAY_CHANGE
from nmt.config.root import Config
from nmt.config.saved import dump, load_config
from nmt.config.store import CONFIGS, GROUPS, LAUNCH_SCHEMAS, SOURCES, folder_name, options, register
from nmt.config.subword import SubwordKind
from nmt.metrics.wmd.command import PRESET_2017
from tests.unit.config_tools import Edge, composed, groups_and_options, quick_hydra  # noqa: F401 (a fixture)

OURS = [pair for pair in groups_and_options() if pair[0] not in {"hydra", *LAUNCH_SCHEMAS}]


@pytest.fixture
def edge(tmp_path, monkeypatch, quick_hydra):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    return Edge()


def test_no_option_gives_the_defaults_of_the_dataclasses():
    assert composed() == Config()


def _rows():
    """Every option of every group in few compositions: the first of each group together, then the second, ..."""
    columns = [[f"{group}={option}" for option in options(group)] for group in GROUPS if group != "experiment"]
    longest = max(len(column) for column in columns)
    return list(zip(*(column + column[:1] * (longest - len(column)) for column in columns), strict=True))


@pytest.mark.parametrize("row", _rows(), ids=lambda row: row[0])
def test_every_option_of_every_group_composes(row):
    config = composed(*row)
    assert load_config(dump(config)) == config


def test_the_rows_hold_every_option():
    assert {word for row in _rows() for word in row} == {f"{g}={o}" for g, o in OURS if g != "experiment"}


def test_every_folder_of_configs_is_a_group_that_can_be_chosen():
    assert {group for group, _ in OURS} == set(GROUPS)
    assert {path.name for path in CONFIGS.iterdir() if path.is_dir()} == {*GROUPS, *LAUNCH_SCHEMAS, "hydra"}


@pytest.mark.parametrize("recipe", options("experiment"))
def test_every_recipe_composes_with_the_quick_preset_and_other_data(recipe):
    config = composed(f"experiment={recipe}", "debug=quick", "data=files", "data.train=/a/b")
    assert config.data == FilesConfig(train="/a/b")
    assert config.train.max_steps == 20


def test_a_choice_of_data_keeps_all_else_of_a_recipe():
    recipe = composed("experiment=multi30k_tok")
    config = composed("experiment=multi30k_tok", "data=files", "data.train=P", "data.tgt=fr", "+data.tests.more=Q")
    assert config.data == FilesConfig(train="P", tgt="fr", tests={"more": "Q"})
    for part in ("subword", "model", "train", "search", "metrics", "seed"):
        assert getattr(config, part) == getattr(recipe, part)
    assert recipe.data == Multi30kConfig(variant=Variant.tok)
    assert (recipe.subword.kind, recipe.subword.joint) == (SubwordKind.bpe, True)
    assert (recipe.model.decoder, recipe.model.tie) == (Decoder.conditional, Tie.all)
    assert recipe.metrics.bleu.tokenize == "none"


def test_single_values_win_over_recipe_and_preset():
    config = composed(
        "experiment=multi30k", "debug=quick", "train.max_steps=7", "train.warmup_steps=0", "model.units=9"
    )
    assert (config.train.max_steps, config.model.units) == (7, 9)


def test_the_raw_recipe_is_scored_on_text():
    config = composed("experiment=multi30k")
    assert config.data == Multi30kConfig(variant=Variant.raw)
    assert config.metrics.bleu.tokenize == "13a"


def test_wmd_of_2017_is_the_preset_of_the_metrics_own_command():
    wmd = composed("metrics=wmd_2017").metrics.wmd
    assert {"norm": wmd.norm.value, "aggregate": wmd.aggregate.value} == {"norm": "raw", "aggregate": "max"}
    assert {"norm": "raw", "aggregate": "max", "sigma": wmd.sigma, "stop_words": wmd.stop_words} == PRESET_2017


@pytest.mark.parametrize("recipe", ["bench_small", "bench_large"])
def test_benchmarks_take_80_sentences_a_step(recipe):
    config = composed(f"experiment={recipe}")
    assert config.train.batch_sentences == 80
    assert isinstance(config.data, Multi30kConfig)


@pytest.mark.parametrize("written", ["lc.norm.tok", "tok"])
def test_the_tokenised_variant_by_either_name(written):
    assert composed("data=multi30k", f"data.variant={written}").data == Multi30kConfig(variant=Variant.tok)


def test_a_mixture_by_entries():
    config = composed("data=mixture", "+data.corpora={a: /x, b: /y}", "+data.ratio={a: 217, b: 124}")
    assert config.data == MixtureConfig(corpora={"a": "/x", "b": "/y"}, ratio={"a": 217, "b": 124})


def _enum_values():
    """Every key that takes one of some values, with each value and the source of data that has the key."""
    for source, data in SOURCES.items():
        node = OmegaConf.structured(Config(data=data()))
        for key, value in leaves(Config(data=data())):
            if isinstance(value, Enum) and (source == "captions" or key.startswith("data.")):
                place = locate(node, key)
                assert place is not None
                yield from ((source, key, text) for text in members(place.hint))


@pytest.mark.parametrize(("source", "key", "text"), list(_enum_values()))
def test_every_value_of_every_enumeration_can_be_set(source, key, text):
    node = apply_overrides(OmegaConf.structured(Config(data=SOURCES[source]())), [parse_override(f"{key}={text}")])
    assert OmegaConf.select(node, key).value == text


def test_names_that_others_rely_on():
    known = set(known_keys(Config))
    relied = {
        *("train.max_steps", "train.max_hours", "train.learning_rate", "train.device", "train.init_from", "seed"),
        *("model.attention", "model.units", "model.embedding", "search.beam", "metrics.bleu.tokenize", "data.variant"),
        *("data.dir", "data.src", "data.tgt", "data.train", "data.dev", "data.test", "data.tests", "resume"),
    }
    assert relied <= known
    assert set(MAY_CHANGE) <= known
    assert {"multi30k", "multi30k_tok", "tiny_sweep", "bench_small", "bench_large"} <= set(options("experiment"))


def test_a_run_has_a_folder_with_its_configuration_and_log(edge, tmp_path):
    assert edge("seed=3", "model=small") == 0
    ((config, folder),) = edge.calls
    assert (config.seed, config.model.units) == (3, 128)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d", folder.name)
    assert folder.parent == tmp_path / "runs"
    assert config.data.base == str(tmp_path)
    saved = load_config((folder / "config.yaml").read_text())
    assert replace(config, data=replace(config.data, base=None)) == saved
    assert {path.name for path in folder.iterdir()} == {"config.yaml", "train.log"}


def test_the_run_folder_can_be_chosen(edge, tmp_path):
    assert edge("hydra.run.dir=mine") == 0
    assert edge.calls[0][1] == tmp_path / "mine"


def test_a_sweep_runs_each_combination_in_folders_without_equals_or_commas(edge, tmp_path):
    assert edge("-m", "model.units=64,128", "seed=1,2") == 0
    assert [(config.model.units, config.seed) for config, _ in edge.calls] == [(64, 1), (64, 2), (128, 1), (128, 2)]
    folders = [folder for _, folder in edge.calls]
    assert folders[0].name == "0_model.units-64_seed-1"
    assert len({folder.parent for folder in folders}) == 1
    assert re.fullmatch(r"model\.units-64-128_seed-1-2_[0-9a-f]{8}", folders[0].parent.name)
    assert not [path for path in (tmp_path / "runs").rglob("*") if re.search("[=,]", path.name)]


def test_the_same_sweep_has_the_same_folder_and_another_one_another(tmp_path):
    register()
    same = [prepare(["-m", "seed=1,2"]).argv for _ in range(2)]
    other = prepare(["-m", "seed=1,2,3"]).argv
    assert same[0] == same[1] != other
    assert same[0][-1].startswith("hydra.sweep.dir=runs/sweeps/seed-1-2_")


def test_a_sweep_lies_where_the_user_says(edge, tmp_path):
    assert edge("-m", "hydra.sweep.dir=here", "seed=1") == 0
    assert [folder.relative_to(tmp_path) for _, folder in edge.calls] == [Path("here/0_seed-1")]


def test_sweeps_over_groups_ranges_choices_and_patterns(edge):
    assert edge("-m", "model=glob(*all)", "seed=range(1,3)", "search.beam=choice(1)", "search=greedy,default") == 0
    found = {(config.model.units, config.seed, config.search.beam) for config, _ in edge.calls}
    assert found == {(128, 1, 1), (128, 2, 1)}
    assert len(edge.calls) == 4


def test_hydra_may_be_told_to_sweep_without_the_flag():
    register()
    assert prepare(["hydra.mode=MULTIRUN", "seed=4,5"]).multirun


def test_flags_and_overrides_in_any_order():
    register()
    plan = prepare(["seed=1,2", "-m", "model=small"])
    assert plan.argv[:3] == ["-m", "seed=1,2", "model=small"]


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        (["model.units=256", "seed=1"], "model.units-256_seed-1"),
        (["+data.tests.a=/x/y z", "a='b,c'"], "data.tests.a-x-y-z_a-b-c"),
        (["train.learning_rate=1e-3"], "train.learning_rate-1e-3"),
        ([], "default"),
        (["é=è"], "default"),
        (["a=" + "b" * 200], "a-" + "b" * 118),
    ],
)
def test_folder_names(overrides, name):
    assert folder_name(overrides) == name


def test_cfg_shows_and_runs_nothing(edge, capsys, tmp_path):
    assert edge("--cfg", "job", "seed=5") == 0
    assert edge.calls == []
    shown = capsys.readouterr().out
    assert load_config(shown) == Config(seed=5)
    assert not (tmp_path / "runs").exists()


def test_captions_are_the_default():
    assert isinstance(composed().data, CaptionsConfig)
