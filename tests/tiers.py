"""Which test modules have tests of a tier, read from their text: no tier imports a module to find out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOADS_TENSORFLOW = {"tensorflow", "keras", "nmt.app.quiet"}  # `quiet` loads it by name
LOADS_MUCH = {"moto", "playwright", "matplotlib"}  # a third of a second of imports and more for each process
# Each of their tests composes a command line with Hydra or makes up a sweep: a third of a second and more.
TAKES_LONG = {"tests.unit.config_tools", "tests.unit.sweep_tools"}
STARTS_PROGRAMS = {
    "subprocess",
    "multiprocessing",
    "nmt.checkpoint.foreign",
    "tests.system.aws_server",
    "tests.system.aws_unkind",
    "tests.system.machine_tools",
}


_LONG = re.compile(r"\bmark\.long\b")
_ALL_LONG, _ALL_SLOW = (
    re.compile(rf"^pytestmark = (?:\[[^\]]*)?pytest\.mark\.{tier}\b", re.MULTILINE) for tier in ("long", "slow")
)


@cache
def may_have(path: Path, tier: str) -> bool:
    """Whether a module has tests of a tier, which is the expression after `pytest -m`; for any other it may."""
    text = path.read_text(encoding="utf-8")
    match tier:
        case "quick":
            return is_quick(path) and not _ALL_LONG.search(text) and not _ALL_SLOW.search(text)
        case "long":
            return _LONG.search(text) is not None
        case "not long":
            return _ALL_LONG.search(text) is None
        case _:
            return True


@cache
def reached(path: Path) -> frozenset[str]:
    """The dotted names that a file and all it imports would import, those inside functions included."""
    names: set[str] = set()
    seen, waiting = {path}, [path]
    while waiting:
        here = waiting.pop()
        found = _imported(here)
        names |= found
        fresh = {file for name in found for file in _files(name)} - seen
        seen |= fresh
        waiting += fresh
    return frozenset(names)


@cache
def is_quick(path: Path) -> bool:
    """No TensorFlow, no program started by the module itself, and nothing that takes long."""
    if path.parent.name in ("property", "system") or (STARTS_PROGRAMS | TAKES_LONG) & _imported(path):
        return False
    return not (LOADS_TENSORFLOW | LOADS_MUCH) & reached(path)


# What stands in a string counts too: a test whose programs load TensorFlow takes as long as one that does so itself.
_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import[ \t]+(?:\(([^)]*)\)|([^\n(]*))|import[ \t]+([^\n(]*))", re.MULTILINE
)


@cache
def _imported(path: Path) -> frozenset[str]:
    """Read line by line: a syntax tree takes fifty times as long."""
    return frozenset(_names(path.read_text(encoding="utf-8")))


def _names(text: str) -> Iterator[str]:
    """`from a.b import c` gives a, a.b and a.b.c: whichever of them are modules."""
    for module, several, some, plain in _IMPORT.findall(text):
        words = re.sub(r"#.*|\bas[ \t]+\w+", "", several or some or plain).replace(",", " ").split()
        for word in words:
            parts = [*module.split("."), word] if module else word.split(".")
            yield from (".".join(parts[: count + 1]) for count in range(len(parts)))


@cache
def _files(name: str) -> tuple[Path, ...]:
    """Where a module of the project or a helper of the tests lies."""
    place = ROOT.joinpath(*name.split("."))
    return tuple(file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file())
