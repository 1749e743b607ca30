"""What goes to a machine: the files that git would take, and the data that a command names."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from nmt.config.remote import RemoteConfig
from nmt.config.root import Config
from nmt.config.saved import write_run_config
from nmt.config.store import CONFIGS
from nmt.errors import ConfigError, LaunchError
from nmt.launch import upload
from nmt.launch.machine import Machine
from nmt.launch.ssh import Ssh
from nmt.launch.training import limit_s, specification, sync_words
from nmt.launch.upload import Item, plan_training, remember, upload_items


@pytest.mark.skipif(not (shutil.which("rsync") and shutil.which("git")), reason="not installed: rsync or git")
def test_what_is_gone_here_goes_there_and_what_was_made_there_stays(tmp_path, monkeypatch):
    root, there, record = tmp_path / "root", tmp_path / "there", tmp_path / "record"
    for name in ("a.py", "sub/b.py", "sub/c.pyc", "odd [1]/x", "link"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / ".gitignore").write_text("*.pyc\n")

    def local(self: Ssh, words: list[str], doing: str) -> None:
        subprocess.run(["rsync", "-a", *words], check=True)

    monkeypatch.setattr(Ssh, "rsync", local)
    monkeypatch.setattr(Ssh, "path", lambda self, path: path)
    monkeypatch.setattr(upload, "PROJECT", root)
    with pytest.raises(LaunchError, match=r"^upload of the project: found no checkout of it in .*/root, expected"):
        upload.upload_project(Ssh(machine(tmp_path), RemoteConfig()), str(there), record)
    (root / "pyproject.toml").touch()
    for name in ("project/.venv/kept", "project/sub/made.log"):
        (there / name).parent.mkdir(parents=True, exist_ok=True)
        (there / name).write_text(name)

    def sent() -> set[str]:
        upload.upload_project(Ssh(machine(tmp_path), RemoteConfig()), str(there), record)
        return {str(path.relative_to(there / "project")) for path in there.rglob("*") if path.is_file()}

    made = {".venv/kept", "sub/made.log"}
    assert sent() == {".gitignore", "pyproject.toml", "a.py", "sub/b.py", "odd [1]/x", "link"} | made
    (root / "a.py").unlink()
    (root / "sub/b.py").rename(root / "b.py")
    assert sent() == {".gitignore", "pyproject.toml", "b.py", "odd [1]/x", "link"} | made
    (tmp_path / "new/project").mkdir(parents=True)
    other = replace(machine(tmp_path), instance_id="i-0000000000000000f")
    upload.upload_project(Ssh(other, RemoteConfig()), str(tmp_path / "new"), record)
    assert not (tmp_path / "new/project/a.py").exists()


def machine(folder, lane="tf221", usd_per_hour=0.5):
    where = ("box", "eu-west-1", "i-0123456789abcdef0", "192.0.2.7", 22, "ubuntu")
    return Machine(*where, folder / "key", folder / "known_hosts", lane, usd_per_hour, True)


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my corpus").mkdir()
    for name in ("train.en", "train.de.gz", "train-other.en", "dev.en", "dev.de", "vectors.npz"):
        (tmp_path / "my corpus" / name).write_text(name)
    return tmp_path / "my corpus"


def test_the_embedded_corpus_needs_no_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = plan_training(["seed=3", "train.max_steps=500"], "box")
    assert (plan.words, plan.items, plan.resumes) == (["seed=3", "train.max_steps=500"], [], False)
    assert plan.run.startswith("box-")
    assert str(plan.folder) == f"runs/{plan.run}"
    assert plan_training(["seed=4"], "box").run != plan.run, "another command is another run"
    assert plan_training(["seed=3", "train.max_steps=500"], "box").run == plan.run


def test_data_is_found_and_named_as_the_machine_will_know_it(corpus):
    path = str(corpus)
    words = ["data=files", f"data.train='{path}/train'", f"data.dev='{path}/dev'", f"+data.tests.more='{path}/dev'"]
    plan = plan_training([*words, f"metrics.wmd.vectors='{path}/vectors.npz'"], "box")
    place = plan.items[0].target
    assert place.startswith("data/my_corpus-")
    assert [sorted(item.sources) for item in plan.items] == [
        [f"{path}/train.de.gz", f"{path}/train.en"],
        [f"{path}/dev.de", f"{path}/dev.en"],
        [f"{path}/dev.de", f"{path}/dev.en"],
        [f"{path}/vectors.npz"],
    ]
    assert {item.target for item in plan.items} == {place}
    assert plan.words == [
        "data=files",
        f"data.train=../{place}/train",
        f"data.dev=../{place}/dev",
        f"+data.tests.more=../{place}/dev",
        f"metrics.wmd.vectors=../{place}/vectors.npz",
    ]


@pytest.mark.parametrize("flags", [["--config-dir=mine"], ["--config-dir", "mine"], ["-cd", "mine"]])
def test_one_s_own_configurations_go_with_the_command(flags, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    (tmp_path / "mine" / "experiment" / "own.yaml").write_text("# @package _global_\nseed: 7\n")
    plan = plan_training(["experiment=own", *flags, "train.max_steps=900"], "box")
    (item,) = plan.items
    assert item.sources == [f"{tmp_path}/mine/"]
    assert item.target.startswith("configs/mine-")
    assert plan.words == [f"--config-dir=../{item.target}", "experiment=own", "train.max_steps=900"]
    command = specification(machine(tmp_path), RemoteConfig(), plan, 60.0)["command"]
    assert command[3:] == ["train.usd_per_hour=0.5", *plan.words, f"hydra.run.dir=../runs/{plan.run}"]


def test_a_file_of_one_s_own_is_named_as_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "my.yaml").write_text("defaults: [config, _self_]\nseed: 7\n")
    plan = plan_training(["--config-dir=mine", "-cn", "my"], "box")
    assert plan.words == [f"--config-dir=../{plan.items[0].target}", "--config-name=my"]


def test_data_that_one_s_own_configurations_name_goes_up(corpus, tmp_path):
    """Relative or absolute, of a recipe or of the first file; what is typed wins. None of it was seen before."""
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    (tmp_path / "mine" / "my.yaml").write_text(
        "defaults: [config, {override data: files}, _self_]\n"
        f"data: {{train: my corpus/train, dev: '{corpus}/dev', test: nowhere, tests: {{more: my corpus/dev}}}}\n"
    )
    (tmp_path / "mine" / "experiment" / "own.yaml").write_text(
        "# @package _global_\nmetrics: {wmd: {vectors: my corpus/vectors.npz}}\n"
    )
    plan = plan_training(
        ["--config-dir=mine", "--config-name=my", "experiment=own", "data.test='my corpus/dev'", "seed=3"], "box"
    )
    configs, *data = plan.items
    assert configs.sources == [f"{tmp_path}/mine/"]
    place = data[0].target
    assert place.startswith("data/my_corpus-")
    names = [sorted(source.removeprefix(f"{corpus}/") for source in item.sources) for item in data]
    dev = ["dev.de", "dev.en"]
    assert names == [dev, ["train.de.gz", "train.en"], dev, dev, ["vectors.npz"]]
    assert plan.words == [
        f"--config-dir=../{configs.target}", "--config-name=my",
        *("experiment=own", f"data.test=../{place}/dev", "seed=3"),
        f"data.train=../{place}/train", f"data.dev=../{place}/dev", f"data.tests.more=../{place}/dev",
        f"metrics.wmd.vectors=../{place}/vectors.npz",
    ]  # fmt: skip
    with pytest.raises(ConfigError, match=r"data.test: found nowhere, expected files that exist; correct"):
        plan_training(["--config-dir=mine", "--config-name=my"], "box")


def test_our_own_configurations_name_no_data():
    """So that only one's own are looked through."""
    data = re.compile(r"(?m)^ +(train|dev|test|dir|corpora|tests|vectors|dictionary|init_from):")
    texts = {path: path.read_text() for path in CONFIGS.rglob("*.yaml") if path.parent != CONFIGS / "hydra"}
    assert len(texts) > 20
    assert [path for path, text in texts.items() if data.search(text)] == []


def test_a_folder_goes_with_all_that_it_holds(corpus):
    plan = plan_training(["data=multi30k", f"data.dir='{corpus}'"], "box")
    assert plan.items[0].sources == [f"{corpus}/"]
    assert plan.words[1] == f"data.dir=../{plan.items[0].target}"


def test_a_run_that_goes_on_takes_its_folder_with_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "runs" / "an older one"
    folder.mkdir(parents=True)
    write_run_config(folder, Config())
    plan = plan_training([f"resume='{folder}'", "train.max_steps=900"], "box")
    assert (plan.resumes, plan.run, plan.folder) == (True, "an_older_one", folder)
    assert plan.items[0].sources == [f"{folder}/"]
    assert plan.items[0].target == "runs/an_older_one"
    spec = specification(machine(tmp_path), RemoteConfig(), plan, 60.0)
    assert spec["command"] == spec["resume_command"]
    assert spec["command"][2:] == [
        *("train.py", "resume=../runs/an_older_one", "train.usd_per_hour=0.5", "train.max_steps=900")
    ]


def test_a_run_that_goes_on_takes_its_data_with_it(corpus, tmp_path):
    plan = plan_training(
        ["data=files", f"data.train='{corpus}/train'", f"data.dev='{corpus}/dev'", "hydra.run.dir=mine"], "box"
    )
    remember(plan)
    write_run_config(tmp_path / "mine", Config())
    again = plan_training(["resume=mine"], "other-box")
    assert again.items[:-1] == plan.items
    assert again.items[-1].sources == ["mine/"]
    (corpus / "train.en").unlink()
    with pytest.raises(ConfigError) as caught:
        plan_training(["resume=mine"], "other-box")
    assert str(caught.value) == (
        f"resume=mine: found no {corpus}/train.en, expected the data that the run was given; "
        "put it back, or correct the path in mine/machine/data.json."
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["data=multi30k", "data.dir=nowhere"], "data.dir: found nowhere, expected a folder that exists; correct"),
        (
            ["data=files", "data.train=no/such", "data.dev=no/dev"],
            "data.train: found no/such, expected files that exist; correct",
        ),
        (
            ["hydra.searchpath=[file://.]"],
            "hydra.searchpath: found a folder that is not uploaded, expected --config-",
        ),
        (
            ["search.replace_unknown=true", "search.dictionary=no.tsv"],
            "search.dictionary: found no.tsv, expected files that exist",
        ),
        (["train.init_from=no.h5"], "train.init_from: found no.h5, expected files that exist"),
        (
            ["data=files", "+data.tests={a: x}", "data.train=a", "data.dev=a"],
            "data.tests: found several at once, expected one word each; wr",
        ),
        (["data=files", "data.dev=b"], "data.train: found nothing, expected a PREFIX"),
        (
            ["data=files", "data.train=a", "data.dev=a", "data.dir=."],
            "data.dir: found ., expected nothing with data=files",
        ),
        (["data=mixture"], "data.corpora: found nothing, expected a PREFIX for each name"),
        (["seed=x"], "seed: found x, expected an integer"),
        (["-m", "seed=1,2"], "training command: found a sweep, expected one run"),
        (["--cfg", "job"], "training command: found a command that trains nothing, expected one run"),
        (["resume=nowhere"], "resume=nowhere: found no folder of this name"),
        (["--hydra-help"], "training command: found --hydra-help, expected overrides, --config-dir or -cd or"),
        (["--config-dir=nowhere"], "--config-dir: found nowhere, expected a folder"),
        (["--config-name=none", "seed=1"], "--config-name"),
    ],
)
def test_a_mistaken_command_is_told_before_it_costs(words, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        plan_training(words, "box")
    assert sentence in str(caught.value)


@pytest.mark.parametrize("word", ["train.init_from=MY.KEY", "data.test=id_rsa"])
def test_a_file_that_is_named_as_secrets_are_is_told_and_not_left_out(word, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("MY.KEY", "id_rsa.en", "id_rsa.de", "a.en", "a.de"):
        Path(name).touch()
    with pytest.raises(ConfigError) as caught:
        plan_training(["data=files", "data.train=a", "data.dev=a", word], "box")
    assert "a name such as secrets have, which are never uploaded, expected data under another name; rename" in str(
        caught.value
    )


def test_what_the_agent_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = plan_training(["hydra.run.dir=mine", "seed=2"], "box")
    spec = specification(machine(tmp_path), RemoteConfig(), plan, 7200.0)
    assert spec["command"] == [
        *(".venv/bin/python", "-u", "train.py", "train.usd_per_hour=0.5", "seed=2", "hydra.run.dir=../runs/mine")
    ]
    assert spec["resume_command"][2:] == ["train.py", "resume=../runs/mine", "train.usd_per_hour=0.5"]
    assert (spec["run"], spec["limit_s"]) == ("runs/mine", 7200.0)
    priced = plan_training(["train.usd_per_hour=9"], "box")
    assert "train.usd_per_hour=0.5" not in specification(machine(tmp_path), RemoteConfig(), priced, 1.0)["command"]
    unknown = specification(machine(tmp_path, usd_per_hour=None), RemoteConfig(), plan, 1.0)
    assert not any("usd" in word for word in unknown["command"])


def test_each_lane_is_installed_as_the_readme_says(tmp_path):
    offline = RemoteConfig(offline=True, cuda=False)
    assert sync_words(machine(tmp_path), RemoteConfig(), "3.12") == ["-p", "3.12", "--extra", "gpu"]
    assert sync_words(machine(tmp_path), offline, "3.13") == ["-p", "3.13", "--offline"]
    assert sync_words(machine(tmp_path, "tf214"), RemoteConfig(), "3.11") == [
        *("--no-default-groups", "--group", "tf214", "-p", "3.11", "--extra", "k80")
    ]


def test_the_limit_is_the_nearer_one(tmp_path):
    assert limit_s(machine(tmp_path), 2.0, None) == 7200
    assert limit_s(machine(tmp_path), 2.0, 0.25) == 1800
    assert limit_s(machine(tmp_path), 2.0, 50.0) == 7200
    with pytest.raises(Exception, match=r"launch.max_usd: found 5.0 US dollars, and no price an hour on record"):
        limit_s(machine(tmp_path, usd_per_hour=None), 2.0, 5.0)


@pytest.mark.skipif(shutil.which("rsync") is None, reason="no rsync: apt-get install rsync")
def test_of_a_folder_of_configurations_only_what_hydra_reads_goes_up(tmp_path):
    own, there = tmp_path / "own", tmp_path / "there"
    kept = ["my.yaml", "experiment/own.yaml", "machine/g9.yaml"]
    for name in [*kept, ".env", "key.pem", ".git/config.yaml", "data/train.en", "runs/a/last.h5", "notes.tmp"]:
        (own / name).parent.mkdir(parents=True, exist_ok=True)
        (own / name).write_text("content")

    class Here:
        """Copies on this machine, with rsync itself."""

        def path(self, name: str) -> str:
            return f"{there}/{name}"

        def rsync(self, words: list[str], what: str) -> None:
            subprocess.run(["rsync", "-rt", *words], check=True)

    def sent(item: Item) -> list[str]:
        (there / "box" / item.target).mkdir(parents=True)
        upload_items(Here(), "box", [item])
        found = (there / "box" / item.target).rglob("*")
        return sorted(str(path.relative_to(there / "box" / item.target)) for path in found if path.is_file())

    assert sent(Item([f"{own}/"], "configs/own")) == sorted(kept)
    for name in (".aws/credentials", "sub/.SSH/id_rsa", "ID_RSA.pub", "Key.PEM"):
        (own / name).parent.mkdir(parents=True, exist_ok=True)
        (own / name).write_text("secret")
    held = ["data/train.en", "experiment/own.yaml", "machine/g9.yaml", "my.yaml", "runs/a/last.h5"]
    assert sent(Item([f"{own}/"], "data/own")) == [one for one in held if not one.startswith("machine/")], "no secrets"
