"""The list of commands: quick, true, and helpful to who mistypes."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import nmt
from nmt.programs import COMMANDS, main

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("tensorflow", "hydra", "numpy", "matplotlib")


def test_every_command_is_there(capsys):
    for place, purpose in COMMANDS.values():
        module, _, name = place.partition(":")
        assert callable(getattr(import_module(module), name)), place
        assert purpose
    assert main([]) == 0
    listed = capsys.readouterr().out
    assert main(["--help"]) == 0
    assert capsys.readouterr().out == listed


def test_the_list_imports_nothing_heavy():
    script = f"import sys; from nmt.programs import main; main([]); print([m for m in {HEAVY} if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert told.splitlines()[-1] == "[]"
    assert all(f"  {name} " in told for name in COMMANDS)


def test_the_version_is_told(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"nmt {nmt.__version__}\n"


def test_an_unknown_command_is_named_with_the_nearest(capsys):
    assert main(["translat"]) == 2
    assert capsys.readouterr().err == (
        f"nmt: found translat, expected one of {', '.join(COMMANDS)}; did you mean translate.\n"
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_page(name, capsys):
    try:
        status: object = main([name, "--help"])
    except SystemExit as left:
        status = left.code
    assert status in (0, None)
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_answers_an_unknown_flag_in_one_sentence(name, capsys):
    assert main([name, "--misspelt"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert re.fullmatch(r"[^\n]+: found [^\n]+, expected [^\n]+; [^\n]+\.\n", told.err)
