"""Numbers of a file reach a variable through its setter and in no other way."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.architecture.floors import Module, read_project

ROOT = Path(__file__).resolve().parents[2]
SETTERS = "nmt/checkpoint/parameters.py"
COMPUTING = ("nmt/training/step.py", "nmt/training/optimizer.py", "nmt/training/loss_scale.py")  # what training changes
ASSIGNING = (
    "assign",
    "assign_add",
    "assign_sub",
    "set_weights",
    "load_weights",
    "scatter_update",
    "batch_scatter_update",
)


def assigning(module: Module) -> list[int]:
    """Lines where a method of a variable is named that changes it."""
    return [node.lineno for node, _ in module.nodes if isinstance(node, ast.Attribute) and node.attr in ASSIGNING]


def test_what_assigns_is_a_setter_or_has_no_file():
    found = {
        module.path: module for module in read_project(ROOT) if module.path.startswith("nmt/") and assigning(module)
    }
    assert sorted(found) == sorted((SETTERS, *COMPUTING))
    assert len(assigning(found[SETTERS])) == 1
    for path in COMPUTING:
        read = [one.name for one in found[path].imports if one.name.startswith(("nmt.checkpoint", "numpy", "pathlib"))]
        assert not read, f"{path} reads no file and has no numbers of one: {read}"


@pytest.mark.parametrize("text", ["variable.assign(value)", "set = model.set_weights", "map(v.assign_add, values)"])
def test_a_planted_assignment_is_found(text):
    assert assigning(Module("nmt/app/planted.py", text)) == [1]
