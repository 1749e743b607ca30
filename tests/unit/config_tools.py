"""Runs train.py's edge inside the test process, in a folder of its own, with a `main` that only notes its arguments."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import hydra
import pytest
from omegaconf import open_dict

from nmt.config.overrides import to_config
from nmt.config.root import Config
from nmt.config.run import run
from nmt.config.store import CONFIGS, register
from tests.hydra_answers import keep_answers


@dataclass
class Edge:
    """The command line of train.py: `edge("seed=2")` -> exit status; `calls` holds what main was given."""

    calls: list[tuple[Config, Path]] = field(default_factory=list)
    main: Callable[[Config, Path], object] = lambda config, folder: None

    def __call__(self, *argv: str) -> int:
        def main(config: Config, folder: Path) -> object:
            self.calls.append((config, folder))
            return self.main(config, folder)

        sweep = "-m" in argv and not any(word.startswith("hydra/launcher=") for word in argv)
        with own_logging():
            return run(main, [*argv, "hydra/launcher=basic"] if sweep else argv)  # ours would start train.py itself


@contextmanager
def own_logging() -> Iterator[None]:
    """What Hydra does to the root logger is undone, and its files are closed."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        yield
    finally:
        for handler in root.handlers[:]:
            if handler not in before:
                root.removeHandler(handler)
                handler.close()
        root.handlers[:] = before
        root.setLevel(level)


def composed(*overrides: str) -> Config:
    """What Hydra alone makes of the overrides, typed."""
    register()
    with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
        node = hydra.compose("config", list(overrides), return_hydra_config=True)
    with open_dict(node):
        node.pop("hydra")
    return to_config(node)


def groups_and_options() -> Sequence[tuple[str, str]]:
    """Every file in configs/ as (group, option)."""
    return sorted((path.parent.name, path.stem) for path in CONFIGS.glob("*/*.yaml"))


def recipes(*own: str) -> list[str]:
    """The options of `experiment`, in order."""
    return sorted([*own, *(option for group, option in groups_and_options() if group == "experiment")])


@pytest.fixture
def quick_hydra(monkeypatch):
    keep_answers(monkeypatch)
