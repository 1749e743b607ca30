"""What is added touches few files: counted in the text of the product, tests and docs left out."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from nmt.config.metrics import METRICS
from nmt.metrics.metric import metric_class

ROOT = Path(__file__).resolve().parents[2]
FACTS = "nmt/config/metrics.py"


@cache
def product() -> dict[str, str]:
    """Text of the product's files, in small letters."""
    paths = [*ROOT.glob("*.py"), *(ROOT / "hydra_plugins").rglob("*.py"), *(ROOT / "configs").rglob("*.yaml")]
    paths += (ROOT / "nmt").rglob("*.py")
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8").lower() for path in paths}


def files_with(*words: str) -> set[str]:
    """Product files that hold one of the words, in any casing."""
    small = [word.lower() for word in words]
    pattern = re.compile("|".join(rf"(?<![a-z]){re.escape(word)}(?![a-z+])" for word in small))
    # A search for plain text takes a twentieth of the time of one for an expression.
    return {name for name, text in product().items() if any(w in text for w in small) and pattern.search(text)}


@pytest.mark.parametrize("name", ["ter", "chrfpp"])
def test_a_metric_touches_two_files(name):
    """Whoever adds one writes its module, and its facts and options; all else goes by METRICS."""
    assert files_with(name, METRICS[name].label) == {FACTS, f"nmt/metrics/{name}.py"}


def test_no_other_file_knows_a_metric_by_name():
    """But those that choose translations by it, which a further metric need not do."""
    likeness = {"nmt/app/likeness.py", "nmt/metrics/likeness.py", "nmt/config/search.py"}
    assert files_with("chrf") - likeness == {FACTS, "nmt/metrics/chrf.py", "nmt/metrics/chrfpp.py"}


@pytest.mark.parametrize("name", METRICS)
def test_each_metric_has_its_module(name):
    assert metric_class(name).facts is METRICS[name]


@pytest.mark.parametrize("name", ["luong_general", "single_layer"])
def test_an_attention_touches_two_files(name):
    """Its name and its check, and its layer with the memory that it takes."""
    assert files_with(name) == {"nmt/config/model.py", "nmt/model/attention.py"}


def test_a_penalty_of_the_search_touches_two_files():
    """Its option, and its place in the score that every search takes from one function."""
    assert files_with("gnmt") == {"nmt/config/search.py", "nmt/search/penalties.py"}
    assert files_with("length_penalty", "coverage_penalty") == {"nmt/search/penalties.py"}
    assert files_with("cfg.coverage", "cfg.alpha", "cfg.normalisation") == {"nmt/search/penalties.py"}


def test_a_schedule_touches_two_files():
    assert files_with("inverse_sqrt") == {"nmt/config/train.py", "nmt/training/schedule.py"}


def test_a_machine_touches_one_file():
    assert files_with("g6_xlarge") == {"configs/machine/g6_xlarge.yaml"}


def test_every_file_and_package_on_the_map_is_there():
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:nmt|configs|tests)/[\w/]+\.(?:py|yaml))", page)
    assert len(named) > 20
    assert [file for file in named if "NAME" not in file and not (ROOT / file).is_file()] == []
    packages = {path.parent.name for path in (ROOT / "nmt").glob("*/__init__.py")}
    assert {package for package in packages if f"`{package}`" not in page} == set()
