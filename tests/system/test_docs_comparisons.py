"""The tutorial of docs/comparisons.md, as it stands there."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import pytest

from tests.system.app_tools import evaluate_py, train_py

DOC = Path(__file__).resolve().parents[2] / "docs" / "comparisons.md"


def commands() -> list[list[str]]:
    """Those of the first block of the tutorial."""
    block = DOC.read_text(encoding="utf-8").split("## From two checkpoints", 1)[1].split("```")[1]
    return [shlex.split(line.removeprefix("uv run ")) for line in block.strip().splitlines()]


@pytest.mark.long
def test_the_commands_of_the_tutorial_lead_to_a_paragraph(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    shown = ""
    for program, *words in commands():
        if program == "cp":
            shutil.copy(*words)
        elif program == "cat":
            shown = Path(words[0]).read_text(encoding="utf-8")
        else:
            assert program in ("train.py", "evaluate.py")
            answer = train_py(None, *words) if program == "train.py" else evaluate_py(*words)
            assert answer.status == 0, answer.err
    found = json.loads(Path("compared/comparison.json").read_text(encoding="utf-8"))
    assert found["systems"] == ["one-best", "two-best", "tool"]
    assert shown.startswith("We compare two-best, tool with one-best on the 60 sentences of test. BLEU: one-best ")
    same = found["metrics"]["bleu"]["tool"]
    assert (same["difference"], same["p_randomisation"]) == (0.0, 1.0), "a copy of the baseline"
    table = Path("compared/table.md").read_text(encoding="utf-8")
    assert table.count("| captions en-de | 300 | 30 | 1 |") == 2, "both runs, not the file"
