"""The command line of `python -m nmt.launch`, its profiles and its mistakes."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import fields

import pytest

from nmt.config.launch import Family, Lane, Launch, LaunchConfig, MachineConfig, Shutdown
from nmt.config.launch_line import profiles, read_launch
from nmt.config.store import LAUNCH_SCHEMAS, options
from nmt.errors import ConfigError
from nmt.launch.commands import COMMANDS, Command, page, run
from tests.hydra_answers import keep_answers


@pytest.fixture(autouse=True)
def _quick_hydra(monkeypatch):
    keep_answers(monkeypatch)


def test_no_option_gives_the_defaults_of_the_dataclasses():
    assert read_launch([]) == (Launch(), frozenset())


@pytest.mark.parametrize(("group", "option"), [(g, o) for g in LAUNCH_SCHEMAS for o in options(g)])
def test_every_option_of_every_group_composes(group, option):
    config, _ = read_launch([f"{group}={option}"])
    if group == "machine":
        assert config.machine.name == option == config.machine.instance_type.replace(".", "_")


def test_the_four_machines():
    found = {name: read_launch([f"machine={name}"])[0].machine for name in options("machine")}
    assert found == profiles()
    rows = {
        name: (one.gpu, one.gpu_memory_gb, one.compute_capability, one.vcpus, one.family, one.lane, one.python)
        for name, one in found.items()
    }
    assert rows == {
        "g4dn_xlarge": ("T4", 16, 7.5, 4, Family.g, Lane.tf221, "3.12"),
        "g5_xlarge": ("A10G", 24, 8.6, 4, Family.g, Lane.tf221, "3.12"),
        "g6_xlarge": ("L4", 24, 8.9, 4, Family.g, Lane.tf221, "3.12"),
        "p2_xlarge": ("K80", 12, 3.7, 4, Family.p, Lane.tf214, "3.11"),
    }
    assert [name for name, one in found.items() if one.withdrawn] == ["p2_xlarge"]


def test_flags_values_and_the_command_behind_two_dashes():
    words = ["--yes", "launch.spot=true", "launch.zones=[eu-west-1a,eu-west-1b]", "+launch.tags.team=mt"]
    config, flags = read_launch([*words, "--", "experiment=multi30k", "--yes"], ["--yes", "--force"])
    assert flags == {"--yes"}
    assert config.launch.command == ["experiment=multi30k", "--yes"]
    assert config.launch.zones == ["eu-west-1a", "eu-west-1b"]
    assert config.launch.tags == {"team": "mt"}
    assert config.launch.spot


def test_every_shutdown():
    assert [read_launch([f"launch.shutdown={value.value}"])[0].launch.shutdown for value in Shutdown] == list(Shutdown)


MISTAKES = {
    "machine=g4dn": "machine: found g4dn, expected one of g4dn_xlarge, g5_xlarge, g6_xlarge, p2_xlarge; choose one, "
    "such as machine=g4dn_xlarge.",
    "machine=p2_xlage": "machine: found p2_xlage, expected one of g4dn_xlarge, g5_xlarge, g6_xlarge, p2_xlarge; did "
    "you mean machine=p2_xlarge.",
    "launch.regoin=x": "launch.regoin: found no option of this name, expected an option of launch; did you mean "
    "launch.region.",
    "seed=1": "seed: found no option of this name, expected an option or a group of options; there are launch, "
    "machine, remote.",
    "launch.disk_gb=10": "launch.disk_gb: found 10, expected at least 50; image, CUDA wheels and checkpoints need "
    "launch.disk_gb=50.",
    "launch.zones=3": "launch.zones: found 3, expected a list [text, ...]; the default is [].",
    "launch.spot=maybe": "launch.spot: found maybe, expected true or false; the default is false.",
    "launch.max_hours=0": "launch.max_hours: found 0.0, expected more than 0; say how long it may run at most: "
    "1.25 is 75 minutes.",
    "launch.max_hours=nan": "launch.max_hours: found nan, expected more than 0; say how long it may run at most: "
    "1.25 is 75 minutes.",
    "launch.max_usd=-1": "launch.max_usd: found -1.0, expected more than 0, or null for no limit but max_hours; "
    "0.526 is 52.6 US cents.",
    "launch.usd_per_hour=0": "launch.usd_per_hour: found 0.0, expected more than 0, or null to have it asked; 0.526 is "
    "52.6 US cents.",
    "launch.timeout_s=0": "launch.timeout_s: found 0.0, expected more than 0; 20 is patient enough.",
    "launch.name=My_Machine": "launch.name: found My_Machine, expected 2 to 40 of a-z, 0-9 and -, a letter first, no - "
    "last; nmt is the default.",
    "launch.port=0": "launch.port: found 0, expected 1 <= value <= 65535; 22 is what images listen at.",
    "launch.address=home": "launch.address: found home, expected an IPv4 address or a network such as 192.0.2.0/28; "
    "leave it out to have it asked.",
    "launch.address=0.0.0.0/0": "launch.address: found 0.0.0.0/0, which is everybody, expected your own address; leave "
    "it out to have it asked, or add launch.allow_world=true if you must.",
    "launch.public_key=a.pub": "launch.public_key: found one half of a pair, expected launch.public_key and "
    "launch.key_file together; name both, or neither for a new pair.",
    "launch.key_file=a": "launch.key_file: found one half of a pair, expected launch.public_key and "
    "launch.key_file together; name both, or neither for a new pair.",
    "launch.s3=bucket": "launch.s3: found bucket, expected s3://BUCKET/PREFIX; name a bucket of your own.",
    "+launch.tags.Name=x": "launch.tags.Name: found a tag that is kept, expected another key; nmt:*, aws:* and Name "
    "are set for you.",
    "machine.image=ubuntu": "machine.image: found ubuntu, expected an image such as ami-0123456789abcdef0; leave it "
    "out for the one that machine.image_parameter names.",
    "machine.vcpus=0": "machine.vcpus: found 0, expected at least 1; the profiles in configs/machine are right for "
    "their types.",
    "--yse": "--yse: found an unknown flag, expected one of --yes; did you mean --yes.",
    "--what": "--what: found an unknown flag, expected --yes or KEY=VALUE; --help shows all.",
    "launch.region=a,b": "launch.region: found a,b, expected one value; for a sweep write train.py -m, for a text with "
    "a comma 'launch.region=\"a,b\"'.",
}  # fmt: skip


@pytest.mark.parametrize("word", MISTAKES)
def test_each_mistake(word):
    with pytest.raises(ConfigError) as caught:
        read_launch([word], ["--yes"])
    assert str(caught.value) == MISTAKES[word]


def test_everybody_when_forced():
    config, _ = read_launch(["launch.address=0.0.0.0/0", "launch.allow_world=true"])
    assert config.launch.address == "0.0.0.0/0"


@pytest.fixture
def table(monkeypatch):
    monkeypatch.setitem(COMMANDS, "try", Command(lambda config, flags: 3, "Tries.", {"--yes": "do not ask"}))


def test_a_command_is_found_and_its_status_returned(table):
    assert run(["try", "--yes"]) == 3


def test_a_mistake_is_one_line_and_status_2(table, capsys):
    assert run(["try", "launch.port=0"]) == 2
    assert capsys.readouterr().err == MISTAKES["launch.port=0"] + "\n"
    assert run(["tri"]) == 2
    assert capsys.readouterr().err.endswith("; did you mean try.\n")


def test_an_interrupt_is_130(table, monkeypatch):
    def interrupted(config, flags):
        raise KeyboardInterrupt

    monkeypatch.setitem(COMMANDS, "try", Command(interrupted, "Tries."))
    assert run(["try"]) == 130


def test_a_reader_that_has_seen_enough_is_no_error():
    command = [
        sys.executable,
        "-c",
        "import sys\nfrom nmt.launch.commands import run\nsys.exit(run(['preflight', '--policy']))",
    ]
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_page_names_every_command_and_flag(table, capsys):
    assert run([]) == run(["--help"]) == 0
    assert all(word in page() for name, command in COMMANDS.items() for word in (name, *command.flags))
    assert "the machine powers itself off then, whatever happens; without: after 12 hours\n" in page()


def test_help_shows_every_option_or_those_of_one_group(capsys):
    assert run(["--help", "all"]) == 0
    lines = capsys.readouterr().out.splitlines()
    keys = [f"{group.name}.{part.name}=" for group in fields(Launch) for part in fields(group.default_factory)]
    assert [line.split("=")[0] + "=" for line in lines] == keys
    assert run(["up", "--help", "remote"]) == 0
    assert capsys.readouterr().out.splitlines() == [line for line in lines if line.startswith("remote.")]
    assert run(["--help", "launch.nam"]) == 2
    assert "did you mean launch.name" in capsys.readouterr().err


def test_the_defaults_are_a_g4dn():
    assert MachineConfig().instance_type == "g4dn.xlarge"
    assert LaunchConfig().shutdown is Shutdown.terminate
