"""Each mistake on the command line of train.py has its sentence, exit status 2, and no traceback."""

from __future__ import annotations

import logging
import os
import sys
from datetime import datetime
from pathlib import Path

import pytest

from nmt.config import run as run_module
from nmt.config.data import FilesConfig
from nmt.config.mistakes import nearest, show
from nmt.config.overrides import known_keys
from nmt.config.resume import MAY_CHANGE
from nmt.config.root import CommandLine, Config
from nmt.config.saved import read_run_config, write_run_config
from nmt.errors import ConfigError, DataError
from nmt.plumbing.claims import claimed
from tests.unit.config_tools import Edge, quick_hydra, recipes  # noqa: F401 (a fixture)

ONE_OF_GROUPS = "there are data, debug, experiment, metrics, model, resume, search, seed, subword, sweep, train"
EXPERIMENTS = ", ".join(recipes())
DATA = "captions, enja, files, mixture, multi30k, multi30k_tok"
NO_OPTION = "found no option of this name"
RIGHT_OR_OUT = "correct it or leave it out"

STEPS, RATE = Config().train.max_steps, Config().train.learning_rate

MISTAKES = {
    "train.learning_rat=0.1": f"train.learning_rat: {NO_OPTION}, expected an option of train; did you mean "
    "train.learning_rate.",
    "learning_rat=0.1": f"learning_rat: {NO_OPTION}, expected an option or a group of options; did you mean "
    "train.learning_rate.",
    "trian.max_steps=1": f"trian.max_steps: {NO_OPTION}, expected an option or a group of options; did you mean "
    "train.max_steps.",
    "modle=small": f"modle: {NO_OPTION}, expected an option or a group of options; did you mean model.",
    "zzqq=1": f"zzqq: {NO_OPTION}, expected an option or a group of options; {ONE_OF_GROUPS}.",
    "schema/data=files": f"schema/data: {NO_OPTION}, expected an option or a group of options; {ONE_OF_GROUPS}.",
    "train.early_stopping.qqzz=1": f"train.early_stopping.qqzz: {NO_OPTION}, expected an option of "
    "train.early_stopping; there are train.early_stopping.metric, train.early_stopping.min_delta, "
    "train.early_stopping.patience.",
    "train.max_steps.x=3": f"train.max_steps.x: {NO_OPTION}, expected an option or a group of options; see --help.",
    "++search.bema=3": f"search.bema: {NO_OPTION}, expected an option of search; did you mean search.beam.",
    "train.early_stopping={patienc: 3}": f"train.early_stopping.patienc: {NO_OPTION}, expected an option of "
    "train.early_stopping; did you mean train.early_stopping.patience.",
    "data.variant=tok": f"data.variant: {NO_OPTION}, expected data.variant together with data=multi30k; add it.",
    "seed@foo=3": f"seed@foo: {NO_OPTION}, expected an option or a group of options; did you mean seed.",
    "model=smal": "model: found smal, expected one of default, large, small; did you mean model=small.",
    "model=null": "model: found null, expected one of default, large, small; choose one, such as model=default.",
    "data=[captions,files]": f"data: found [captions,files], expected one of {DATA}; did you mean data=captions.",
    "experiment=mult30k": f"experiment: found mult30k, expected one of {EXPERIMENTS}; did you mean "
    "experiment=multi30k.",
    "experiment=[multi30k,qq]": f"experiment: found qq, expected one of {EXPERIMENTS}; choose one, such as "
    "experiment=bench_large.",
    "+experiment=multi30k": "experiment: found an addition (+), expected a choice; write experiment=OPTION.",
    "~data": "data: found nothing, expected a value; give it with data=VALUE.",
    "data.source=files": "data.source: found files, expected what the choice of data sets; choose with data=files.",
    "train.optimizer=adma": "train.optimizer: found adma, expected one of adam, adamw; did you mean adam.",
    "train.device=5": "train.device: found 5, expected one of auto, cpu, gpu; the default is auto.",
    "train.max_steps=abc": f"train.max_steps: found abc, expected an integer; the default is {STEPS}.",
    "train.max_steps=1e3": f"train.max_steps: found 1000.0, expected an integer; the default is {STEPS}.",
    "train.max_steps=null": f"train.max_steps: found null, expected an integer; the default is {STEPS}.",
    "train.max_steps=": f"train.max_steps: found '', expected an integer; the default is {STEPS}.",
    "train.max_hours=long": "train.max_hours: found long, expected a number or null; the default is null.",
    "train.learning_rate=fast": f"train.learning_rate: found fast, expected a number; the default is {RATE}.",
    "train.learning_rate=nan": "train.learning_rate: found nan, expected more than 0; 1e-4 to 3e-3 are usual.",
    "model.residual=maybe": "model.residual: found maybe, expected true or false; the default is false.",
    "metrics.bleu.tokenize=[1]": "metrics.bleu.tokenize: found [1], expected text; the default is auto.",
    "metrics.bleu.tokenize=14a": "metrics.bleu.tokenize: found 14a, expected one of auto, 13a, none, intl, char, "
    "zh, ja-mecab, ko-mecab, flores101, flores200; auto follows the target language, none is for text that is "
    "already tokenised.",
    "train.early_stopping={patience: x}": "train.early_stopping.patience: found x, expected an integer; the default "
    "is 0.",
    "train.early_stopping=3": "train.early_stopping: found 3, expected a value for one of its options (metric, "
    f"patience, min_delta); {RIGHT_OR_OUT}.",
    "data.tests=x": f"data.tests: found x, expected entries {{NAME: text}}; {RIGHT_OR_OUT}.",
    "data.tests.more=x": "data.tests.more: found no entry of this name, expected a + before a new entry; write "
    "+data.tests.more=x.",
    "data.tests={more: x}": "data.tests: found no entry of this name, expected a + before a new entry; write "
    "+data.tests={more: x}.",
    "+data.tests.more=[x]": f"data.tests.more: found [x], expected text; {RIGHT_OR_OUT}.",
    "+data.tests={more: {a: x}}": "data.tests.more: found {'a': 'x'}, expected one value for each entry; correct "
    "the entry.",
    "+train.max_steps=3": "train.max_steps: found an addition (+), expected a change of what is there; drop the +.",
    "~train.max_steps": "train.max_steps: found a deletion (~), expected a value: every option has one; leave it out "
    "for its default.",
    "data.test=???": "data.test: found nothing, expected a value; give it with data.test=VALUE.",
    "data.test=${nothing}": "data.test: found what cannot be resolved (Interpolation key 'nothing' not found), "
    f"expected a value of the option's type; {RIGHT_OR_OUT}.",
    r"data.test='\${x}'": "data.test: found ${x}, expected text without ${; rename what it points to.",
    "foo": "foo: found no '=', expected KEY=VALUE; --help shows examples.",
    "data.dir=~/x": "data.dir: found ~/x, expected a value without special characters, or a text in quotes; write "
    "'data.dir=\"~/x\"'.",
    "data.dir=a(b": "data.dir: found a(b, expected a value without special characters, or a text in quotes; write "
    "'data.dir=\"a(b\"'.",
    "data.dir=a\nb": "data.dir: found 'a\\nb', expected a value without special characters, or a text in quotes; "
    "remove what cannot be printed.",
    "seed=1,2": "seed: found 1,2, expected one value; for a sweep write train.py -m, for a text with a comma "
    "'seed=\"1,2\"'.",
    "--units=3": "--units=3: found an unknown option with dashes, expected KEY=VALUE; write model.units=3.",
    "--qqzz": "--qqzz: found an unknown option with dashes, expected KEY=VALUE; write qqzz=VALUE.",
    "--experimental-rerun=x": "--experimental-rerun: found an unknown option with dashes, expected KEY=VALUE; write "
    "experimental_rerun=VALUE.",
    "hydra.rnu=1": "hydra.rnu: found what cannot be resolved (Key 'rnu' not in 'HydraConf'), expected a value of the "
    f"option's type; {RIGHT_OR_OUT}.",
    "hydra/launcher=bsic": "hydra/launcher: found bsic, expected one of basic, ec2, local, ray_trials, slurm; "
    "did you mean hydra/launcher=basic.",
    "train.warmup_steps=30000": "train.warmup_steps: found 30000, expected 0 <= warmup_steps < train.max_steps "
    f"({STEPS}); shorten the warm-up or train longer.",
    "model.attention=dot": "model.attention: found dot, expected model.units = 2 * model.encoder_units (512), got "
    "256; match the widths or use luong_general.",
}

SWEEPS = {
    "seed=1,abc": "seed: found abc, expected an integer; the default is 1.",
    "model=small,lrge": "model: found lrge, expected one of default, large, small; did you mean model=large.",
    "seed=choice(1,x)": "seed: found x, expected an integer; the default is 1.",
    "seed=range(3,3)": "seed: found no value in the sweep, expected at least one; name the values, as in seed=1,2,3.",
    "model.units=interval(1,x)": "model.units: found interval(1,x), expected a value without special characters, or a "
    "text in quotes; write 'model.units=\"interval(1,x)\"'.",
    "train.label_smoothing=interval(0.0,1.0)": "train.label_smoothing: found 1.0, expected 0 <= value < 1; 0.1 "
    "is usual, 0 is off.",
    "model.attention=bahdanau,dot": MISTAKES["model.attention=dot"],
    "data.variant=raw,tok": MISTAKES["data.variant=tok"],
    "resume=a,b": "resume: found a sweep (-m), expected one run to continue; leave out -m.",
}


@pytest.fixture
def edge(tmp_path, monkeypatch, quick_hydra):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    return Edge()


def _refused(edge, capsys, *argv):
    """The sentence on stderr; nothing has run and nothing lies in the folder."""
    assert edge(*argv) == 2
    assert edge.calls == []
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err.count("\n") == 1
    return written.err.rstrip("\n")


@pytest.mark.parametrize("word", MISTAKES, ids=ascii)
def test_each_mistake_has_its_sentence(edge, capsys, tmp_path, word):
    assert _refused(edge, capsys, word) == MISTAKES[word]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("word", SWEEPS)
def test_one_bad_value_of_a_sweep_is_found_before_any_run(edge, capsys, tmp_path, word):
    assert _refused(edge, capsys, "-m", "search.beam=1", word) == SWEEPS[word]
    assert list(tmp_path.iterdir()) == []


def test_what_only_hydra_refuses_is_one_sentence_too(edge, capsys):
    assert _refused(edge, capsys, "data@foo=captions") == (
        "command line: found what Hydra refuses (Could not override 'data@foo'. Did you mean to override data? To "
        "append to your default list use +data@foo=captions), expected overrides that compose to a configuration; "
        "--help shows examples."
    )


def test_an_unwritable_run_folder(edge, capsys, tmp_path):
    (tmp_path / "file").touch()
    assert _refused(edge, capsys, "hydra.run.dir=file/run") == (
        "file/run: found not a directory, expected a run folder that can be written; choose another one with "
        "hydra.run.dir=FOLDER."
    )


def test_no_permission_for_the_log_or_the_configuration(edge, capsys, tmp_path, monkeypatch):
    """Injected: root may write everywhere."""

    def denied(folder, config):
        raise PermissionError(13, "Permission denied", str(folder / "config.yaml"))

    monkeypatch.setattr("nmt.config.saved.write_text", lambda path, text: denied(path.parent, None))
    assert _refused(edge, capsys, "hydra.run.dir=run") == (
        f"{tmp_path}/run/config.yaml: found permission denied, expected a run folder that can be written; choose "
        "another one with hydra.run.dir=FOLDER."
    )
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run" / "train.log").unlink()
    (tmp_path / "run" / "train.log").mkdir()
    assert _refused(edge, capsys, "hydra.run.dir=run") == (
        f"{tmp_path}/run/train.log: found a folder, expected a run folder that can be written; choose another "
        "one with hydra.run.dir=FOLDER."
    )


def test_a_folder_with_checkpoints_is_not_overwritten(edge, capsys, tmp_path):
    assert edge("hydra.run.dir=run") == 0
    assert edge("hydra.run.dir=run", "seed=2") == 0  # nothing was saved: begin again
    edge.calls.clear()
    (tmp_path / "run" / "checkpoints").mkdir()
    (tmp_path / "run" / "checkpoints" / "last.h5").touch()
    run = f"{tmp_path}/run"
    assert _refused(edge, capsys, "hydra.run.dir=run") == (
        f"{run}: found the checkpoints of an earlier run, expected a new run folder; continue that run with "
        f"resume={run}, or name another folder."
    )


def test_a_mistake_that_main_finds(edge, capsys):
    def main(config, folder):
        raise DataError("x.en, line 3", found="bytes", expected="UTF-8", next_step="convert it")

    edge.main = main
    assert edge("hydra.run.dir=run") == 2
    assert capsys.readouterr().err == "x.en, line 3: found bytes, expected UTF-8; convert it.\n"


def test_a_mistake_in_a_job_of_a_sweep_does_not_stop_the_others(edge, capsys):
    def main(config, folder):
        if config.seed == 1:
            raise DataError("seed 1", found="bad luck", expected="better", next_step="try another")

    edge.main = main
    assert edge("-m", "seed=1,2") == 2
    assert [config.seed for config, _ in edge.calls] == [1, 2]
    assert capsys.readouterr().err.endswith("\nseed 1: found bad luck, expected better; try another.\n")


@pytest.mark.parametrize("bug", [KeyError("ours"), OSError(5, "ours")])
def test_our_own_bugs_keep_their_traceback(edge, bug):
    def main(config, folder):
        raise bug

    edge.main = main
    with pytest.raises(type(bug), match="ours") as caught:
        edge("hydra.run.dir=run")
    assert caught.value is bug


@pytest.mark.parametrize("status", [130, 143])
def test_the_exit_status_of_a_signal_passes(edge, status):
    def main(config, folder):
        raise SystemExit(status)

    edge.main = main
    with pytest.raises(SystemExit) as caught:
        edge("hydra.run.dir=run")
    assert caught.value.code == status


def test_an_interruption_before_training_listens(edge, capsys):
    def main(config, folder):
        raise KeyboardInterrupt

    edge.main = main
    assert edge("hydra.run.dir=run") == 130
    assert capsys.readouterr().err == ""


def test_hydra_is_left_as_it_was(edge, monkeypatch):
    before = list(sys.argv)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    assert edge("hydra.run.dir=run") == 0
    assert sys.argv == before
    assert os.environ["HYDRA_FULL_ERROR"] == "0"


class TestResume:
    @pytest.fixture
    def folder(self, tmp_path):
        folder = tmp_path / "old run"
        folder.mkdir()
        write_run_config(folder, Config(seed=7))
        return folder

    def test_the_run_goes_on_in_its_folder_with_its_configuration(self, edge, folder):
        assert edge("resume='old run'", "train.max_steps=30000", "train.log_every=5") == 0
        ((config, where),) = edge.calls
        assert where == folder
        assert (config.seed, config.train.max_steps, config.train.log_every) == (7, 30_000, 5)
        assert config.resume == "old run"
        assert not (folder.parent / "runs").exists()

    def test_it_goes_on_where_checkpoints_lie(self, edge, folder):
        (folder / "checkpoints").mkdir()
        (folder / "checkpoints" / "last.h5").touch()
        assert edge("resume='old run'") == 0

    def test_the_same_value_again_is_no_change(self, edge, folder):
        assert edge("resume='old run'", "seed=7", "hydra.verbose=false") == 0

    def test_no_resume_is_a_run_as_any_other(self, edge, tmp_path):
        assert edge("resume=null") == 0
        assert edge.calls[0][1].parent == tmp_path / "runs"

    def test_cfg_shows_the_configuration_of_the_run(self, edge, folder, capsys):
        assert edge("resume='old run'", "--cfg", "job") == 0
        assert "\nseed: 7\n" in capsys.readouterr().out
        assert edge.calls == []

    def test_other_changes_are_refused_with_their_difference(self, edge, folder, capsys):
        sentence = _refused(
            edge, capsys, "resume='old run'", "train.learning_rate=0.5", "seed=8", "train.max_steps=9000"
        )
        assert sentence == (
            f"resume=old run: found train.learning_rate {RATE} -> 0.5, seed 7 -> 8, expected no change but of "
            "data.dir, data.train, data.dev, data.test, data.tests, data.corpora, metrics.wmd.vectors, "
            "train.max_steps, train.max_hours, train.usd_per_hour, train.max_usd, train.log_every, train.save_every, "
            "train.keep, train.on_disk_error, train.early_stopping.patience, train.device, train.distribution, "
            "train.devices, train.worker_wait_s, train.threads, train.xla; start a new run, with train.init_from to "
            "begin at these weights."
        )

    def test_data_may_have_moved(self, edge, tmp_path):
        write_run_config(tmp_path, Config(data=FilesConfig(train="a", dev="b", tests={"t": "c"})))
        assert edge(f"resume={tmp_path}", "data.train=x", "data.dev=y", "data.tests.t=z") == 0
        ((config, _),) = edge.calls
        assert (config.data.train, config.data.dev, config.data.tests) == ("x", "y", {"t": "z"})
        assert config.data.base == str(tmp_path), "the current folder of these tests"

    def test_the_documentation_names_what_may_change(self):
        text = (Path(__file__).resolve().parents[2] / "docs" / "checkpoints.md").read_text(encoding="utf-8")
        listed = text.partition("may change: ")[2].partition(". ")[0].partition(".\n")[0].split()
        assert [word.strip("`,") for word in listed] == list(MAY_CHANGE)

    def test_a_new_test_set_is_a_change(self, edge, folder, capsys):
        assert "data.tests.a null -> x" in _refused(edge, capsys, "resume='old run'", "+data.tests.a=x")

    @pytest.mark.parametrize("word", ["data=files", "model=large", "hydra.run.dir=x"])
    def test_choices_are_refused(self, edge, folder, capsys, word):
        key, _, value = word.partition("=")
        assert _refused(edge, capsys, "resume='old run'", word) == (
            f"{key}: found {value}, expected the run's own choice with resume; leave it out."
        )

    def test_misspelt(self, edge, folder, capsys):
        assert _refused(edge, capsys, "resume='old run'", "train.max_step=3") == (
            f"train.max_step: {NO_OPTION}, expected an option of train; did you mean train.max_steps."
        )
        assert _refused(edge, capsys, "resume=a,b").startswith("resume: found a,b, expected one value; ")
        assert _refused(edge, capsys, "resume='old run'", "hydra.x=1").startswith("hydra.x: found what cannot")

    def test_no_such_run(self, edge, tmp_path, capsys):
        expected = "expected the folder of an earlier run; name the folder that holds its config.yaml and checkpoints."
        assert _refused(edge, capsys, "resume=gone") == f"resume=gone: found no folder of this name, {expected}"
        (tmp_path / "bare").mkdir()
        assert _refused(edge, capsys, "resume=bare") == f"resume=bare: found no readable config.yaml in it, {expected}"


def test_help_asks_for_nothing(capsys, monkeypatch):
    monkeypatch.setattr(run_module, "register", lambda: pytest.fail("help needs no Hydra"))
    parts = ("experiment=multi30k", f"train.max_steps={STEPS}", "captions, enja, files, mixture", "resume=RUN_FOLDER")
    for flag in ("--help", "-h"):
        assert run_module.run(lambda config, folder: None, ["modle=small", flag]) == 0
        page = capsys.readouterr().out
        assert [part for part in parts if part not in page] == []


def test_help_all_has_every_option(capsys):
    assert run_module.run(lambda config, folder: None, ["--help", "all"]) == 0
    lines = capsys.readouterr().out.splitlines()
    known = set(known_keys(CommandLine))
    options = {key for key in known if not any(other.startswith(f"{key}.") for other in known)}
    assert {line.partition("=")[0] for line in lines} == options
    assert len(lines) == len(options)
    assert [line for line in lines if "  " not in line] == [], "each has a meaning"
    told = {line.partition("=")[0]: " ".join(line.split()) for line in lines}
    assert told["train.average"].startswith("train.average=0.0 decay of the moving average of the weights, 0 is off; ")
    assert told["train.average"].endswith(" (a number, 0 <= value < 1)")
    assert told["data.variant"].startswith("data.variant=raw with data=multi30k: ")
    assert told["train.batch_sentences"].endswith("null: by tokens (an integer or null, at least 1)")
    assert told["metrics.wmd.tokenize"].endswith("(one of auto, 13a, none, intl, char, zh, ja-mecab, ko-mecab)")


def test_a_flag_of_hydra_that_is_mistaken_is_answered_in_a_sentence(edge, capsys):
    for words, found in (
        (["--info=nothing"], "argument --info/-i: invalid choice: 'nothing'"),
        (["--cfg"], "argument --cfg/-c: expected one argument"),
    ):
        assert edge(*words) == 2
        told = capsys.readouterr().err
        assert told.startswith(f"command line: found {found}")
        assert told.endswith(", expected flags as --hydra-help shows them; --help shows examples.\n")
        assert told.count("\n") == 1


def test_help_takes_its_topic_with_a_sign_too(capsys):
    for words in (["--help", "train.xla"], ["--help=train.xla"]):
        assert run_module.run(lambda config, folder: None, words) == 0
        assert capsys.readouterr().out.startswith("train.xla=")


def test_help_of_a_group_and_of_a_key(capsys):
    for topic, count in (("train.early_stopping", 3), ("train.xla", 1)):
        assert run_module.run(lambda config, folder: None, ["--help", topic]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == count
        assert all(line.startswith(topic) for line in lines)
    assert run_module.run(lambda config, folder: None, ["-h", "trian"]) == 2
    assert capsys.readouterr().err == (
        "trian: found no option of this name, expected an option or a group of options; did you mean train.\n"
    )


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("learning_rat", "train.learning_rate"),
        ("train.learning_rat", "train.learning_rate"),
        ("trian.learning_rate", "train.learning_rate"),
        ("units", "model.units"),
        ("model.dropout_embeding", "model.dropout_embedding"),
        ("wmd.sigma", "metrics.wmd.sigma"),
        ("qqzz", None),
        ("train.qqzz", None),
    ],
)
def test_the_nearest_known_name(name, near):
    assert nearest(name, known_keys(Config)) == near


def test_nothing_is_near_where_nothing_is_known():
    assert nearest("x", []) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "null"), (True, "true"), (0.5, "0.5"), ("", "''"), (" a", "' a'"), ("a b", "a b"), ("a\nb", r"'a\nb'")],
)
def test_values_are_shown_on_one_line(value, text):
    assert show(value) == text


def test_a_mistake_is_one_sentence():
    mistake = ConfigError("a.b", found=3, expected="at least 5", next_step="raise it")
    assert str(mistake) == "a.b: found 3, expected at least 5; raise it."


def test_a_folder_is_one_runs_at_a_time(edge, capsys, tmp_path):
    """Refused, and nothing written: neither by a new run, nor by one that would go on."""
    assert edge("hydra.run.dir=run") == 0
    edge.calls.clear()
    with claimed(tmp_path / "run", "hydra.run.dir=FOLDER"):
        before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in (tmp_path / "run").iterdir()}
        for words in (["hydra.run.dir=run", "seed=2"], ["resume=run"]):
            assert _refused(edge, capsys, *words) == (
                f"{tmp_path}/run: found another process at work in it, expected one at a time; wait for it or stop it, "
                "or name another folder with hydra.run.dir=FOLDER."
            )
        after = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in (tmp_path / "run").iterdir()}
        assert before == after
    assert edge("hydra.run.dir=run", "seed=2") == 0
    assert edge("resume=run") == 0
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["config.yaml", "train.log"]


def test_runs_of_one_second_get_a_folder_each(edge, tmp_path, monkeypatch):
    """The default names a folder after the second; each has its own log and configuration."""

    class Noon(datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2026, 1, 2, 12)

    monkeypatch.setattr("hydra.core.utils.datetime", Noon)
    edge.main = lambda config, folder: logging.getLogger("nmt").warning("seed %d", config.seed)
    for seed in (1, 2, 3):
        assert edge(f"seed={seed}") == 0
    folders = [folder for _, folder in edge.calls]
    assert folders == [
        tmp_path / "runs" / name for name in ("2026-01-02_12-00-00", "2026-01-02_12-00-00_2", "2026-01-02_12-00-00_3")
    ]
    for seed, folder in enumerate(folders, start=1):
        assert (folder / "train.log").read_text().endswith(f" WARNING nmt: seed {seed}\n")
        assert (folder / "train.log").read_text().count("\n") == 1
        assert read_run_config(folder).seed == seed


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_log_on_a_full_disk_is_told_once_and_the_run_goes_on(edge, capsys, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "train.log").symlink_to("/dev/full")

    def work(config, folder):
        for number in (1, 2, 3):
            logging.getLogger("nmt").info("line %d", number)

    edge.main = work
    assert edge("hydra.run.dir=run") == 0
    told = capsys.readouterr().err.splitlines()
    sentence = (
        f"{tmp_path}/run/train.log: found no space left on device, expected a log that can be written; free some "
        "space; until then the lines of the log are on the screen alone."
    )
    assert sorted(told) == sorted(["line 1", "line 2", "line 3", sentence])
