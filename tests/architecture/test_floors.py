"""The house stands: imports go down, nothing hides, everything fits on its page."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture.floors import FLOORS, Module, read_project, violations

ROOT = Path(__file__).resolve().parents[2]
LONG = "def f():\n" + "    x = 1\n" * 50


def test_the_project_keeps_to_its_floors():
    assert violations(read_project(ROOT)) == []


def test_every_part_of_the_project_is_read():
    names = {module.name for module in read_project(ROOT)}
    assert {"nmt.errors", "nmt.config.root", "nmt.model.indexing", "train", "evaluate", "translate"} <= names
    assert {path.name for path in (ROOT / "nmt").iterdir() if (path / "__init__.py").exists()} <= FLOORS.keys()


def test_configs_have_no_targets():
    assert [path for path in (ROOT / "configs").rglob("*.yaml") if "_target_" in path.read_text()] == []


@pytest.mark.parametrize(
    ("path", "text", "found"),
    [
        ("nmt/model/a.py", "from nmt.search.beam import f",
         "nmt/model/a.py:1: floor 2 imports nmt.search.beam.f of floor 3"),
        ("nmt/data/a.py", "import nmt.model", "nmt/data/a.py:1: floor 1 imports nmt.model of floor 2"),
        ("nmt/errors.py", "from nmt import __version__", None),
        ("nmt/metrics/a.py", "import nmt", None),
        ("nmt/__init__.py", "from nmt.data import f", "nmt/__init__.py:1: floor 0 imports nmt.data.f of floor 1"),
        ("nmt/errors.py", "from nmt.config.root import Config", None),
        ("nmt/data/a.py", "from nmt.errors import DataError", None),
        ("nmt/app/a.py", "from nmt.training.loop import train", None),
        ("nmt/training/a.py", "from nmt.app.train import f",
         "nmt/training/a.py:1: floor 5 imports nmt.app.train.f of floor 9"),
        ("nmt/metrics/a.py", "from nmt.data.text import f",
         "nmt/metrics/a.py:1: floor 6 imports nmt.data.text.f of floor 1"),
        ("nmt/metrics/a.py", "from nmt.config.metrics import WmdConfig", None),
        ("nmt/report/a.py", "from nmt.metrics import f", "nmt/report/a.py:1: floor 7 imports nmt.metrics.f of floor 6"),
        ("nmt/sweep/a.py", "from nmt.report.html import f", None),
        ("nmt/sweep/a.py", "from nmt.launch import f", "nmt/sweep/a.py:1: floor 8 imports nmt.launch.f of floor 8"),
        ("nmt/attic/a.py", "x = 1", "nmt/attic/a.py:1: nmt.attic has no floor"),
        ("nmt/data/a.py", "from nmt.attic import f", "nmt/data/a.py:1: floor 1 imports nmt.attic.f of floor None"),
        ("nmt/data/a.py", "from . import b", "nmt/data/a.py:1: relative import"),
        ("nmt/config/a.py", "import tensorflow as tf", "nmt/config/a.py:1: imports tensorflow, which costs seconds"),
        ("nmt/metrics/a.py", "from keras import x", "nmt/metrics/a.py:1: imports keras, which costs seconds"),
        ("nmt/model/a.py", "import tensorflow as tf", None),
        ("nmt/model/a.py", "def f():\n  import json", "nmt/model/a.py:2: json is imported inside f"),
        ("nmt/model/a.py", "class A:\n  def f(self):\n    if 1:\n      from json import x",
         "nmt/model/a.py:4: json.x is imported inside f"),
        ("nmt/launch/a.py", "def f():\n  import boto3", None),
        ("hydra_plugins/a.py", "def f():\n  import json", None),
        ("train.py", "def main():\n  from nmt.app.train import f", None),
        ("train.py", "def other():\n  import json", "train.py:2: json is imported inside other"),
        ("nmt/model/a.py", "\n" * 300, None),
        ("nmt/model/a.py", "\n" * 301, "nmt/model/a.py:1: 301 lines, more than 300"),
        ("nmt/model/a.py", LONG, "nmt/model/a.py:1: f has 51 lines, more than 50"),
        ("nmt/model/a.py", LONG.replace("    x = 1", '    """A\n    B."""', 1), None),
        ("nmt/model/a.py", "class A:\n  " + LONG.replace("\n", "\n  "),
         "nmt/model/a.py:2: f has 51 lines, more than 50"),
        ("nmt/model/a.py", "x = config.get('a')", "nmt/model/a.py:1: config.get hides a missing option"),
        ("nmt/model/a.py", "x = self.cfg.get('a')", "nmt/model/a.py:1: cfg.get hides a missing option"),
        ("nmt/model/a.py", "x = table.get('a')", None),
        ("nmt/model/a.py", "x = {'_target_': 1}", "nmt/model/a.py:1: _target_ cannot be followed by any tool"),
        ("nmt/model/a.py", "x = 1  # TODO tidy", "nmt/model/a.py:1: a TODO without the number of its issue"),
        ("nmt/model/a.py", "x = 1  # TODO (issue 7): tidy", None),
    ],
)  # fmt: skip
def test_a_planted_breach_is_found(path, text, found):
    assert violations([Module(path, text)]) == ([] if found is None else [found])


@pytest.mark.parametrize("ring", [("a", "b"), ("a", "b", "c")])
def test_a_planted_cycle_is_found(ring):
    nexts = dict(zip(ring, ring[1:] + ring[:1], strict=True))
    modules = [Module(f"nmt/data/{name}.py", f"from nmt.data.{then} import f") for name, then in nexts.items()]
    modules += [Module("nmt/data/on_it.py", "import nmt.data.a"), Module("nmt/data/under.py", "")]
    names = ", ".join(f"nmt.data.{name}" for name in ring)
    assert violations(modules) == [f"import cycle among {names}"]


def test_no_cycle_is_found_where_there_is_none():
    texts = {"a": "from nmt.data import b", "b": "from nmt.data.c import f", "c": "x = 1"}
    assert violations([Module(f"nmt/data/{name}.py", text) for name, text in texts.items()]) == []


def test_a_package_may_be_imported_by_what_it_holds():
    modules = [Module("nmt/data/__init__.py", "from nmt.data.a import f"), Module("nmt/data/a.py", "import nmt.errors")]
    assert violations([*modules, Module("nmt/errors.py", "")]) == []
