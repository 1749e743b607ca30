"""What shells complete: asked of the shells themselves."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from nmt.config.completion import KINDS, SHELLS, offers, values_of
from nmt.config.option import Declared
from nmt.config.reference import Entry
from nmt.config.store import GROUPS, options
from nmt.config.train import Device
from nmt.programs import COMMANDS, main


@pytest.fixture
def script_of(capsys):
    def script_of(shell: str) -> str:
        assert main(["completion", shell]) == 0
        return capsys.readouterr().out

    return script_of


def bash_offers(script: str, *words: str) -> list[str]:
    """What bash would show for the last of these words, which bash itself has split at each `=`."""
    call = '\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _nmt; printf "%s\\n" "${COMPREPLY[@]}"'
    command = ["bash", "--norc", "-c", script + call, "bash", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split()


def test_bash_completes_commands_keys_and_values(script_of):
    script = script_of("bash")
    assert bash_offers(script, "nmt", "") == list(COMMANDS)
    assert bash_offers(script, "nmt", "ex") == ["export"]
    assert bash_offers(script, "nmt", "train", "data.sr") == ["data.src="]
    assert bash_offers(script, "nmt", "train", "data", "=") == options("data")
    assert bash_offers(script, "nmt", "train", "seed=1", "experiment", "=", "multi") == [
        name for name in options("experiment") if name.startswith("multi")
    ]
    assert bash_offers(script, "nmt", "translate", "device", "=", "") == [device.value for device in Device]
    assert bash_offers(script, "nmt", "translate", "search.replace_unknown", "=", "t") == ["true"]
    assert bash_offers(script, "nmt", "export", "lic") == ["licence="]
    assert bash_offers(script, "nmt", "serve", "keys", "=", "") == []  # any file: bash's own completion goes on
    assert bash_offers(script, "nmt", "wmd", "--") == []


@pytest.mark.parametrize("shell", SHELLS)
def test_every_option_is_in_every_script(script_of, shell):
    script = script_of(shell)
    offered = offers()
    assert set(offered) == {"train", "check", "augment", *(name for name, _ in KINDS)}
    for one in offered.values():
        for key in one.values:
            assert f"{key}=" in script
    assert all(name in script for name in COMMANDS)
    assert all(offered["train"].values[group] == options(group) for group in GROUPS)


@pytest.mark.parametrize(
    "shell, ask, expected",
    [
        ("zsh", "autoload -Uz compinit; compinit -D; {script}\nfunctions _nmt >/dev/null && print there", "there"),
        ("fish", "{script}\ncomplete -C 'nmt translate device='", "device=auto device=cpu device=gpu"),
    ],
)
def test_other_shells_take_their_scripts(script_of, shell, ask, expected):
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} on this machine")
    done = subprocess.run(
        [shell, "-c", ask.replace("{script}", script_of(shell))], capture_output=True, text=True, check=True
    )
    assert (" ".join(done.stdout.split()), done.stderr) == (expected, "")


def test_values_are_offered_where_there_are_a_few():
    for hint, expected in ((bool, ["true", "false"]), (Device, ["auto", "cpu", "gpu"]), (int, []), (str | None, [])):
        assert values_of(Entry("key", None, hint, Declared("meaning"))) == expected
    assert values_of(Entry("key", "a", str, Declared("meaning", one_of=("a", "b")))) == ["a", "b"]


@pytest.mark.parametrize("words, found", [([], "no shell"), (["ksh"], "ksh"), (["bash", "zsh"], "bash zsh")])
def test_another_shell_is_refused_in_a_sentence(words, found, capsys):
    assert main(["completion", *words]) == 2
    assert capsys.readouterr().err == (
        f"nmt completion: found {found}, expected one of bash, zsh, fish; write source <(nmt completion bash).\n"
    )
