"""What tests/tiers.py reads from a module's text is what the module has; what asks .ci/run for stages asks for some."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.tiers import is_quick, may_have

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("text", "tiers"),
    [
        ("from nmt.errors import DataError", {"quick", "not long"}),
        ("import subprocess", {"not long"}),
        ("def f():\n    from nmt.app.train import main", {"not long"}),
        ('PROGRAM = """\nimport tensorflow as tf\n"""', {"not long"}),
        ("from tests.system.app_tools import tiny", {"not long"}),
        ("@pytest.mark.long\ndef test(): ...", {"quick", "long", "not long"}),
        ("@pytest.mark.long(minutes=5)\ndef test(): ...", {"quick", "long", "not long"}),
        ("CASES = [1, pytest.param(2, marks=pytest.mark.long)]", {"quick", "long", "not long"}),
        ("pytestmark = pytest.mark.long", {"long"}),
        ("import tensorflow\npytestmark = [\n    needs(),\n    pytest.mark.long,\n]", {"long"}),
        ("pytestmark = pytest.mark.slow  # why", {"not long"}),
        ("slow = pytest.mark.slow", {"quick", "not long"}),
    ],
)
def test_a_module_is_imported_for_the_tiers_that_it_may_have_tests_of(text, tiers, tmp_path):
    module = tmp_path / "test_it.py"
    module.write_text(text, encoding="utf-8")
    assert {tier for tier in ("quick", "long", "not long") if may_have(module, tier)} == tiers
    assert may_have(module, "long and not slow"), "any other expression asks for all"


@pytest.mark.parametrize("folder", ["property", "system"])
def test_the_quick_tier_has_none_of_a_folder(folder, tmp_path):
    (tmp_path / folder).mkdir()
    module = tmp_path / folder / "test_it.py"
    module.write_text("x = 1", encoding="utf-8")
    assert not is_quick(module)


@pytest.mark.parametrize("name", [".github/workflows/ci.yml", "CONTRIBUTING.md"])
def test_each_stage_that_is_asked_for_is_one(name):
    asked = re.findall(r"bash \.ci/run ([a-z_ 0-9]+)", (ROOT / name).read_text(encoding="utf-8"))
    stages = re.findall(r"^(\w+)\(\)", (ROOT / ".ci/run").read_text(encoding="utf-8"), re.MULTILINE)
    wanted = {word for words in asked for word in words.split()}
    assert wanted
    assert wanted <= set(stages)
