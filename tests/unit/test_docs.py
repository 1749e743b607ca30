"""What the pages for people name is there: files that links lead to, options, choices, commands and modules."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from nmt.config.launch import Launch
from nmt.config.reference import entries
from nmt.config.root import CommandLine
from nmt.config.store import CONFIGS
from nmt.programs import COMMANDS

ROOT = Path(__file__).parents[2]
PAGES = [path for pattern in ("*.md", "*/*.md", "nmt/checkpoint/*.md") for path in sorted(ROOT.glob(pattern))]
OPTIONS = {entry.key for kind in (CommandLine, Launch) for entry in entries(kind)}
GROUPS = "|".join(sorted({path.name for path in CONFIGS.iterdir() if path.is_dir()} - {"hydra"}))
TABLES = ("data.tests.", "data.corpora.", "launch.tags.")  # a name of one's own follows
ENDINGS = {"py", "h5", "en", "de", "fr", "gz", "txt", "log", "jsonl", "md", "fit"}  # train.py is no option of train
CODE = re.compile(r"(?m)```[^`]*```|`[^`]+`|^ {4}.*$")

pages = pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))


def code_of(path: Path) -> str:
    """Without what chooses from a folder of one's own."""
    return "\n".join(code for code in CODE.findall(path.read_text(encoding="utf-8")) if "--config-dir" not in code)


@pages
def test_links_lead_to_files(path):
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", CODE.sub("", path.read_text(encoding="utf-8")))
    assert [link for link in links if not (path.parent / link).exists()] == []


@pages
def test_options_and_choices_are_those_that_there_are(path):
    code = code_of(path)
    named = re.findall(rf"(?<![\w./])((?:{GROUPS})(?:\.[a-z0-9_]+)+)(?![\w.*/])", code)
    asked = [key for key in named if not key.startswith(TABLES) and key.rpartition(".")[2] not in ENDINGS]
    assert [key for key in asked if not any(f"{option}.".startswith(f"{key}.") for option in OPTIONS)] == []
    choices = re.findall(rf"(?<![\w./])({GROUPS})=([a-z][a-z0-9_]*)", code)
    assert [choice for choice in choices if not (CONFIGS / choice[0] / f"{choice[1]}.yaml").exists()] == []


@pages
def test_commands_and_modules_are_those_that_there_are(path):
    code = code_of(path)
    assert set(re.findall(r"(?m)(?:^|`|uv run |\$ )nmt ([a-z][a-z-]+)", code)) <= COMMANDS.keys()
    modules = set(re.findall(r"-m ((?:nmt|benchmarks|docs)(?:\.\w+)*)", code))
    assert [name for name in modules if find_spec(name) is None] == []
