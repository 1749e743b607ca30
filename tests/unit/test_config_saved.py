"""Saved configurations: what cannot be read back has its sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from nmt.config.data import FilesConfig, MixtureConfig, Multi30kConfig, Variant
from nmt.config.metrics import MetricsConfig, WmdConfig
from nmt.config.model import Attention
from nmt.config.overrides import leaves
from nmt.config.root import Config
from nmt.config.saved import dump, load_config, read_run_config, write_run_config
from nmt.config.search import SearchConfig
from nmt.errors import ConfigError

RESTORE = "expected the configuration of a run; restore the file as it was written."
UPDATE = "expected the options of this version; use the version that wrote it, or remove the line."

BROKEN = {
    "a: [": f"saved configuration, line 1: found text that is not YAML, {RESTORE}",
    "a: 1\nb:\n  - c: [1": f"saved configuration, line 3: found text that is not YAML, {RESTORE}",
    "": f"saved configuration: found no data.source that is known, {RESTORE}",
    "- 1": f"saved configuration: found no data.source that is known, {RESTORE}",
    "data: 3": f"saved configuration: found no data.source that is known, {RESTORE}",
    "data: {source: tatoeba}": f"saved configuration: found no data.source that is known, {RESTORE}",
    "data: {source: files}\nlater: 1": f"saved configuration: later: found no option of this name, {UPDATE}",
    "data: {source: files, variant: tok}": f"saved configuration: data.variant: found no option of this name, {UPDATE}",
    "data: {source: files}\ntrain: 3": f"saved configuration: found values where groups of options belong, {RESTORE}",
    "data: {source: files}\nsearch: {beam: x}": "saved configuration: search.beam: found x, expected an integer; the "
    "default is 5.",
    "data: {source: files}\nsearch: {beam: 0}": "search.beam: found 0, expected 1 <= value <= 1000; "
    "1 is greedy, 5 is usual.",
    "data: {source: files, tests: {a: [1]}}": "data.tests.a: found [1], expected one value for each entry; correct "
    "the entry.",
}


@pytest.mark.parametrize("text", BROKEN, ids=ascii)
def test_each_broken_text_has_its_sentence(text):
    with pytest.raises(ConfigError) as caught:
        load_config(text)
    assert str(caught.value) == BROKEN[text]


def test_the_place_says_which_file():
    with pytest.raises(ConfigError, match=r"^a/config.yaml: found no data.source"):
        load_config("x: 1", origin="a/config.yaml")


def test_changes_are_applied_and_checked():
    text = dump(Config(data=Multi30kConfig()))
    changed = load_config(text, ["search.beam=1", "data.variant=lc.norm.tok", "+data.tests.more=P", "data.dir=D"])
    assert changed == Config(
        data=Multi30kConfig(variant=Variant.tok, tests={"more": "P"}, dir="D"), search=SearchConfig(beam=1)
    )
    with pytest.raises(ConfigError, match=r"^search.bem: found no option"):
        load_config(text, ["search.bem=1"])
    with pytest.raises(ConfigError, match=r"^search.nbest: found 9, expected at most search.beam \(5\)"):
        load_config(text, ["search.nbest=9"])


def test_an_entry_can_be_taken_out():
    text = dump(Config(data=FilesConfig(tests={"a": "P", "b": "Q"})))
    assert load_config(text, ["~data.tests.a"]).data.tests == {"b": "Q"}
    with pytest.raises(ConfigError, match=r"^data.tests.c: found a deletion"):
        load_config(text, ["~data.tests.c"])


def test_what_the_text_does_not_name_has_its_default():
    assert load_config("data: {source: files}\nseed: 4") == Config(data=FilesConfig(), seed=4)


def test_enumerations_are_written_by_name():
    assert "\n  attention: dot\n" in dump(Config()).replace("bahdanau", "dot")
    assert load_config(dump(Config()).replace("bahdanau", "luong_general")).model.attention is Attention.luong_general


def test_the_file_of_a_run_folder(tmp_path):
    config = Config(seed=9, data=FilesConfig(train="Größe"))
    write_run_config(tmp_path, config)
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]
    assert read_run_config(tmp_path) == config
    write_run_config(tmp_path, Config(seed=10))
    assert read_run_config(tmp_path, ["model.units=8"]).seed == 10


def test_relative_paths_start_where_the_run_was_started_and_those_of_a_command_line_here(tmp_path, monkeypatch):
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    monkeypatch.chdir(here)
    mixture = {"corpora": {"m": "c/m", "n": "/n"}, "ratio": {"m": 1, "n": 2}}
    data = MixtureConfig(base=str(there), dev="/x/dev", test="c/test", tests={"a": "c/a"}, **mixture)
    text = dump(Config(data=data, metrics=MetricsConfig(wmd=WmdConfig(vectors="v.txt"))))
    found = load_config(text, ["+data.tests.b=c/b"])
    assert (found.data.dev, found.data.test) == ("/x/dev", f"{there}/c/test")
    assert found.data.tests == {"a": f"{there}/c/a", "b": "c/b"}
    assert isinstance(found.data, MixtureConfig)
    assert (found.data.corpora, found.data.base) == ({"m": f"{there}/c/m", "n": "/n"}, None)
    assert (found.metrics.wmd.vectors, found.data.train) == (f"{there}/v.txt", None)
    there.rename(tmp_path / "moved")
    assert load_config(text).data.test == "c/test", "as on another machine"


def test_nobody_but_a_run_says_where_it_was_started():
    with pytest.raises(ConfigError) as caught:
        load_config(dump(Config()), ["data.base=/x"])
    assert str(caught.value) == (
        "data.base: found /x, expected nothing: a run keeps the folder that it was started in; write the folder in "
        "front of each PREFIX."
    )


def test_no_such_folder_no_such_file_no_text(tmp_path):
    rest = "expected the folder of an earlier run; name the folder that holds its config.yaml and checkpoints."
    for folder, found in ((tmp_path / "gone", "no folder of this name"), (tmp_path, "no readable config.yaml in it")):
        with pytest.raises(ConfigError) as caught:
            read_run_config(folder)
        assert str(caught.value) == f"resume={folder}: found {found}, {rest}"
    (tmp_path / "config.yaml").write_bytes(b"\xff")
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last.h5").touch()
    for place, found in (("checkpoints/last.h5", "a file"), ("checkpoints", "no readable config.yaml in it")):
        with pytest.raises(ConfigError) as caught:
            read_run_config(tmp_path / place)
        assert str(caught.value) == (
            f"resume={tmp_path / place}: found {found}, expected the folder of an earlier run; "
            f"write resume={tmp_path}, which goes on from its newest checkpoint."
        )
    with pytest.raises(ConfigError, match=r"no readable config.yaml"):
        read_run_config(tmp_path)
    (tmp_path / "config.yaml").write_text("a: [")
    with pytest.raises(ConfigError, match=rf"^{tmp_path}/config.yaml, line 1: found text that is not YAML"):
        read_run_config(tmp_path)


def test_a_folder_that_cannot_be_written(tmp_path):
    with pytest.raises(ConfigError) as caught:
        write_run_config(tmp_path / "gone", Config())
    assert str(caught.value) == (
        f"{tmp_path}/gone/config.yaml: found no such file or directory, expected a run folder that can be written; "
        "choose another one with hydra.run.dir=FOLDER."
    )


def test_leaves_have_full_keys():
    found = dict(leaves(Config(data=FilesConfig(tests={"a": "P"}))))
    assert (found["data.tests.a"], found["metrics.bleu.tokenize"], found["seed"]) == ("P", "13a", 1)
    assert "data.tests" not in found


def test_a_folder_whose_name_is_too_long_is_none():
    with pytest.raises(ConfigError, match="found no folder of this name, expected the folder of an earlier run"):
        read_run_config(Path("x" * 300))


@pytest.mark.parametrize(
    "text, found",
    [
        *(pytest.param(sign * 3_000, "text that is not YAML", marks=pytest.mark.slow) for sign in ("[", "- ", "{a: ")),
        *((f"a: !!{tag}", "text that is not YAML") for tag in ("int x", "float x", "timestamp x", "set [x]")),
        *((f"data: {part}", "text that is not YAML") for part in ("${data}", "{source: '${data.source}'}")),
        ("data: {source: captions}\nseed: " + "9" * 5_000, "text that is not YAML"),
        (f"data: {{source: captions}}\ntrain: {{beta1: {'9' * 400}}}", "an integer that is too large for a number"),
        ("data: {source: [captions]}", "no data.source that is known"),
        ("a: &a {b: *a}", "an alias (*), which no configuration of ours has"),
        ("a: &a [x, x]\nb: &b [*a, *a]\ndata: {source: captions}", "an alias (*), which no configuration of ours has"),
    ],
)
def test_hostile_text_is_no_configuration(text, found):
    with pytest.raises(ConfigError) as refused:
        load_config(text)
    assert (refused.value.found, refused.value.place.partition(",")[0]) == (found, "saved configuration")


@pytest.mark.parametrize(
    "value", ["9" * 400, "9" * 5_000, pytest.param("[" * 2_000 + "]" * 2_000, marks=pytest.mark.slow)]
)
def test_hostile_words_of_a_command_line(value):
    with pytest.raises(ConfigError, match=r"^train.learning_rate: found [9\[]+ \.\.\. [9\]]+, expected"):
        load_config("data: {source: captions}", [f"train.learning_rate={value * 3 if len(value) == 400 else value}"])
