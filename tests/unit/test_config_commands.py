"""The command lines of evaluate.py and translate.py."""

from __future__ import annotations

import shlex
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from subprocess import PIPE

import pytest

from nmt.config import pages
from nmt.config.commands import Command, EvaluateConfig, Format, TranslateConfig, read_command, run_command
from nmt.config.completion import KINDS
from nmt.config.data import FilesConfig
from nmt.config.pages import evaluate_page, translate_page
from nmt.config.root import Config
from nmt.config.saved import dump, load_config
from nmt.config.train import Device
from nmt.errors import CheckpointError, ConfigError

ROOT = Path(__file__).resolve().parents[2]
FIXED = "found what the checkpoint has fixed, expected an option of this program, or one of"
NO_OPTION = "found no option of this name, expected an option or a group of options"


def _sentence(kind, *argv):
    with pytest.raises(ConfigError) as caught:
        read_command(argv, kind)
    return str(caught.value)


def test_everything_evaluate_takes():
    changes = ["search.beam=1", "data.test=P", "+data.tests.more=Q", "data.dir=D", "metrics.bleu.tokenize=none"]
    command = read_command(["checkpoint=a.h5", "out=there", "device=cpu", "threads=2", *changes], EvaluateConfig)
    assert command == EvaluateConfig(["a.h5"], Device.cpu, 2, changes, "there")


@pytest.mark.parametrize("sign", ["", "+", "++"])
@pytest.mark.parametrize("saved", [{}, {"flickr": "old"}])
def test_a_test_set_is_named_with_a_plus_or_without(sign, saved):
    """Whether the checkpoint has one of that name already is not the user's to know."""
    command = read_command(["checkpoint=a.h5", f"{sign}data.tests.flickr=new"], EvaluateConfig)
    config = load_config(dump(Config(data=FilesConfig(train="a", dev="b", tests=saved))), command.overrides)
    assert config.data.tests == {"flickr": "new"}


@pytest.mark.parametrize(
    ("word", "names"),
    [
        ("[units=64,seed=1/A.h5,C.h5]", ["units=64,seed=1/A.h5", "C.h5"]),
        ("[C.h5,a=1/A.h5]", ["C.h5", "a=1/A.h5"]),
        ("[A (1).h5,B.h5]", ["A (1).h5", "B.h5"]),
        ("[a=1/*.h5]", ["a=1/*.h5"]),
        ("a=1/A.h5", ["a=1/A.h5"]),
    ],
)
def test_the_hint_for_names_with_special_characters_works(word, names, monkeypatch):
    monkeypatch.setattr("glob.glob", lambda name: [name])
    said = _sentence(EvaluateConfig, f"checkpoint={word}")
    (hint,) = shlex.split(said.partition("; write ")[2].removesuffix("."))
    assert read_command([hint], EvaluateConfig).checkpoint == names


def test_everything_translate_takes():
    command = read_command(["checkpoint=a.h5", "format=json", "nbest=5", "search.alpha=1"], TranslateConfig)
    assert command == TranslateConfig(["a.h5"], Device.auto, 0, ["search.alpha=1", "search.nbest=5"], Format.json, 5)


@pytest.mark.parametrize("device", ["auto", "cpu", "gpu"])
def test_every_device(device):
    assert read_command(["checkpoint=a.h5", f"device={device}"], EvaluateConfig).device.value == device


@pytest.mark.parametrize("output", ["text", "json"])
def test_every_format(output):
    assert read_command(["checkpoint=a.h5", f"format={output}"], TranslateConfig).format.value == output


@pytest.mark.parametrize("variant", ["raw", "tok", "lc.norm.tok"])
def test_changes_of_any_source_of_data(variant):
    """Which source a checkpoint has is known only once it is open."""
    words = [f"data.variant={variant}", "data.train_pairs=5", "+data.corpora.a=b"]
    assert read_command(["checkpoint=a.h5", *words], EvaluateConfig).overrides == words


def test_files_lists_and_patterns(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b.h5", "a.h5", "c[1].h5"):
        (tmp_path / name).touch()
    assert read_command(["checkpoint=[x.h5,y.h5]"], EvaluateConfig).checkpoint == ["x.h5", "y.h5"]
    assert read_command(["checkpoint=?.h5"], EvaluateConfig).checkpoint == ["a.h5", "b.h5"]
    assert read_command(["checkpoint=[b.h5,'?.h5']"], EvaluateConfig).checkpoint == ["b.h5", "a.h5", "b.h5"]
    assert read_command(["checkpoint='c[1].h5'"], EvaluateConfig).checkpoint == ["c[1].h5"]


NOTHING = "checkpoint: found nothing, expected a file; write checkpoint=RUN/checkpoints/best.h5."
EVALUATE = {
    ("out=x",): NOTHING,
    ("checkpoint=",): NOTHING,
    ("checkpoint=null",): NOTHING,
    ("checkpoint=none-*.h5",): "checkpoint: found no file that matches none-*.h5, expected at least one; check the "
    "folder.",
    ("checkpoint=a.h5,b.h5",): "checkpoint: found a.h5,b.h5, expected a file or a list; write "
    "'checkpoint=[a.h5,b.h5]'.",
    ("checkpoint={a: 1}",): "checkpoint: found checkpoint={a: 1}, expected a file or a list; write checkpoint=FILE.",
    ("+checkpoint=a.h5",): "checkpoint: found +checkpoint=a.h5, expected a file or a list; write checkpoint=FILE.",
    ("chekpoint=a.h5",): f"chekpoint: {NO_OPTION}; did you mean checkpoint.",
    ("beam=1",): f"beam: {NO_OPTION}; did you mean search.beam.",
    ("overrides=[a]",): f"overrides: {NO_OPTION}; there are checkpoint, data, device, groups, "
    "metrics, out, outputs, references, robustness, search, segments, signatures, threads, training.",
    ("checkpoint=a.h5", "robustness=[typo]"): "robustness: found [typo], expected some of typos, capitals, lowercase, "
    "no_punctuation, doubled, nfd, each at most once, or all; write robustness=[all].",
    ("+outputs.a=a.txt", "robustness=[all]"): "robustness: found no checkpoint, expected one: files of translations "
    "cannot translate other text; add checkpoint=FILE, or leave it out.",
    ("search.bem=1",): "search.bem: found no option of this name, expected an option of search; did you mean "
    "search.beam.",
    ("search.beam=x",): "search.beam: found x, expected an integer; the default is 5.",
    ("search.beam=1,2",): "search.beam: found 1,2, expected one value; for a sweep write train.py -m, for a text with "
    "a comma 'search.beam=\"1,2\"'.",
    ("+search.beam=3",): "search.beam: found an addition (+), expected a change of what is there; drop the +.",
    ("train.max_steps=3",): f"train.max_steps: {FIXED} data.*, search.*, metrics.*; leave it out.",
    ("data=files",): f"data: {FIXED} data.*, search.*, metrics.*; leave it out.",
    ("experiment=multi30k",): f"experiment: {FIXED} data.*, search.*, metrics.*; leave it out.",
    ("device=cup",): "device: found cup, expected one of auto, cpu, gpu; did you mean cpu.",
    ("checkpoint=a.h5", "threads=-1"): "threads: found -1, expected at least 0; 0 takes all cores.",
    ("out=[1]",): "out: found [1], expected text or null; the default is null.",
    ("a.h5",): "a.h5: found no '=', expected KEY=VALUE; write checkpoint=a.h5.",
    ("in.en",): "in.en: found no '=', expected KEY=VALUE; --help shows examples.",
    ("--beam=3",): "--beam=3: found an unknown option with dashes, expected KEY=VALUE; write search.beam=3.",
}
TRANSLATE = {
    ("data.test=x",): f"data.test: {FIXED} search.*; leave it out.",
    ("format=jsn",): "format: found jsn, expected one of text, json, pharaoh; did you mean json.",
    ("checkpoint=a.h5", "nbest=0"): "nbest: found 0, expected at least 1; 1 is the best alone.",
    ("checkpoint=a.h5", "nbest=5"): "nbest: found 5, expected 1 with format=text, which writes one line for each "
    "line; add format=json.",
}


@pytest.mark.parametrize("argv", EVALUATE, ids=" ".join)
def test_each_mistake_with_evaluate(argv):
    assert _sentence(EvaluateConfig, *argv) == EVALUATE[argv]


@pytest.mark.parametrize("argv", TRANSLATE, ids=" ".join)
def test_each_mistake_with_translate(argv):
    assert _sentence(TranslateConfig, *argv) == TRANSLATE[argv]


def test_a_mistake_is_one_line_and_status_2(capsys):
    seen: list[Command] = []
    assert run_command(seen.append, EvaluateConfig, evaluate_page, ["chekpoint=a.h5"]) == 2
    assert capsys.readouterr() == ("", f"chekpoint: {NO_OPTION}; did you mean checkpoint.\n")
    assert seen == []


def test_what_main_finds_and_what_goes_well(capsys):
    def main(command):
        raise CheckpointError("a.h5", found="text", expected="HDF5", next_step="look again")

    assert run_command(main, TranslateConfig, translate_page, ["checkpoint=a.h5"]) == 2
    assert capsys.readouterr().err == "a.h5: found text, expected HDF5; look again.\n"
    assert run_command(lambda command: None, TranslateConfig, translate_page, ["checkpoint=a.h5"]) == 0


@pytest.mark.parametrize(
    ("kind", "page", "part"),
    [(EvaluateConfig, evaluate_page, "out=FOLDER"), (TranslateConfig, translate_page, "format=text|json")],
)
def test_help(kind, page, part, capsys):
    for flag in ("-h", "--help"):
        assert run_command(lambda command: pytest.fail("help runs nothing"), kind, page, [flag]) == 0
        assert part in capsys.readouterr().out


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_help_names_each_option_of_the_program(name, kind):
    page = getattr(pages, f"{name}_page")()
    own = [part.name for part in fields(kind) if part.name != "overrides"]
    assert [key for key in own if f"{key}=" not in page and f"+{key}." not in page] == []


def test_help_of_a_package_speaks_of_its_command(monkeypatch, tmp_path):
    """Where nmt is installed there is no translate.py; a program that an export has written is another one."""
    monkeypatch.setattr(pages, "CONFIGS", tmp_path / "configs")
    assert "  nmt translate checkpoint=best.h5 < in.en > out.de" in pages.translate_page()
    assert ".py" not in pages.translate_page() + pages.evaluate_page() + pages.train_page()
    assert "  python model-en-de/translate.py < in.en > out.de" in pages.export_page()


def test_help_all_tells_what_a_checkpoint_has_fixed_from_what_it_has_not(capsys):
    argv = ["-h", "all"]
    assert run_command(lambda command: pytest.fail("help runs nothing"), TranslateConfig, translate_page, argv) == 0
    keys = {line.partition("=")[0] for line in capsys.readouterr().out.splitlines()[:-2]}
    assert {"checkpoint", "device", "format", "nbest", "threads", "search.beam"} <= keys
    assert {key.partition(".")[0] for key in keys if "." in key} == {"search"}


def test_an_interruption_has_its_status_and_no_traceback(capsys):
    def main(command):
        raise KeyboardInterrupt

    assert run_command(main, TranslateConfig, translate_page, ["checkpoint=a.h5"]) == 130
    assert capsys.readouterr().err == ""


def test_a_reader_that_leaves_early_is_no_error():
    program = (
        "import sys\n"
        "from nmt.config.commands import TranslateConfig, run_command\n"
        "def main(command):\n"
        "    while True:\n"
        "        sys.stdout.write('a line\\n' * 999)\n"
        "sys.exit(run_command(main, TranslateConfig, str, ['checkpoint=a.h5']))\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=PIPE, stderr=PIPE, text=True) as running:
        assert running.stdout.readline() == "a line\n"
        running.stdout.close()
        assert (running.stderr.read(), running.wait(timeout=60)) == ("", 0)
