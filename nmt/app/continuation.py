"""A run that goes on: is it still the same run, and what has changed around it?"""

from __future__ import annotations

import importlib.metadata
import logging
import platform
from pathlib import Path
from typing import NamedTuple

import xxhash

import nmt
from nmt.app.models import restore
from nmt.checkpoint.bundle import Opened
from nmt.config.resume import refuse_changes
from nmt.config.root import Config
from nmt.config.saved import FILE, load_config
from nmt.data.corpora import Corpora
from nmt.data.text import ParallelText
from nmt.errors import DataError
from nmt.training.device import Chosen
from nmt.training.state import TrainingState
from nmt.training.step import Trainer

log = logging.getLogger(__name__)
PACKAGES = ("tensorflow", "numpy", "sentencepiece")


class Origin(NamedTuple):
    """Where a checkpoint comes from."""

    versions: dict[str, str]
    corpus: str  # digest of the text of training and dev set
    tests: dict[str, str]  # and of each test set


def origin_of(corpora: Corpora, device: Chosen) -> Origin:
    tests = {name: digest_of(text) for name, text in corpora.tests.items()}
    return Origin(versions_of(device), digest_of(*corpora.train, corpora.dev), tests)


def versions_of(device: Chosen) -> dict[str, str]:
    """What a run is computed with."""
    versions = {"nmt": nmt.__version__, "python": platform.python_version()}
    versions |= {name: importlib.metadata.version(name) for name in PACKAGES}
    return {**versions, "device": device.description}


def digest_of(*texts: ParallelText) -> str:
    """XXH3-128, in hexadecimal."""
    digest = xxhash.xxh3_128()
    for text in texts:
        for side in (text.src, text.tgt):
            digest.update(f"{len(side)}\n".encode())
            for number, line in enumerate(side):
                digest.update(f"\n{line}".encode() if number else line.encode())
    return digest.hexdigest()


def go_on(start: Opened, folder: Path, config: Config, now: Origin, trainer: Trainer) -> TrainingState:
    """Put the checkpoint `start` of the run in `folder` into the trainer; -> how far it had come.

    Raises ConfigError where the settings of the checkpoint are not those of the folder, DataError where the text has
    changed, CheckpointError where the file lacks what a run needs. Other versions and another device are only told.
    """
    before = start.bundle
    refuse_changes(str(folder / FILE), load_config(before.config, origin=f"{start.path}, its configuration"), config)
    other = changed(before.tests or {}, now.tests)
    if other or before.corpus not in (None, now.corpus):  # older versions did not keep them
        raise DataError(
            "data",
            found=f"other text than the run began with{' to be scored on' if other else ''}",
            expected=f"the {'test' if other else 'training and dev'} sentences of the checkpoint, in their order",
            next_step="restore them, or start a new run with train.init_from to begin at these weights",
        )
    if changes := changed(before.versions or {}, now.versions):
        log.warning("since the checkpoint: %s; the last bits of numbers may differ from here on", ", ".join(changes))
    state = restore(start, trainer)
    log.info("going on from %s, step %d", start.path, state.step)
    return state


def changed(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """`tensorflow 2.14.1 -> 2.21.0` for each of what is known of both."""
    return [f"{name} {before[name]} -> {value}" for name, value in now.items() if before.get(name, value) != value]
