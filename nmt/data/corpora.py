"""All text of a run: what is trained on, what chooses the best checkpoint, what is scored."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from nmt.config.data import (
    CaptionsConfig,
    DataConfig,
    EnjaConfig,
    MixtureConfig,
    Multi30kConfig,
    needed,
    refuse_folder,
)
from nmt.data import enja, multi30k
from nmt.data.captions import write_captions
from nmt.data.lines import open_parallel
from nmt.data.text import ParallelText, read_parallel
from nmt.errors import DataError

log = logging.getLogger(__name__)
TEST = "test"  # the name of the main test set
Own = Callable[[str], ParallelText]  # the train, dev or test text that a source has itself


@dataclass(frozen=True)
class Corpora:
    """`train` has one text, or several for a mixture, with as many parts in `ratio`. Test sets by name."""

    train: list[ParallelText]
    ratio: list[int]
    dev: ParallelText
    tests: dict[str, ParallelText]


def load_corpora(config: DataConfig) -> Corpora:
    """Everything a training run reads, the small sets first, so that a mistake there shows at once.

    Raises ConfigError for a set that nothing names, DataError for whatever is missing or broken.
    """
    own = _own(config)
    dev, tests = _scorable(_dev(config, own)), _tests(config, own)
    return Corpora(*_train(config, own), dev, tests)


def load_all(config: DataConfig) -> tuple[list[ParallelText], dict[str, ParallelText]]:
    """Training texts, and the sets that nothing of should stand in them: dev, where there is one, and test sets."""
    own = _own(config)
    sets = {} if config.dev is None and own is None else {"dev": _dev(config, own)}
    return _train(config, own)[0], sets | _tests(config, own)


def load_tests(config: DataConfig) -> dict[str, ParallelText]:
    """Test sets by name: `data.test`, else the source's own, as "test"; and those of `data.tests`. May be empty."""
    return _tests(config, _own(config))


def is_apart(config: DataConfig) -> bool:
    """The embedded grammar writes no English sentence twice, and its few words make most of them near to another."""
    return isinstance(config, CaptionsConfig) and config.dev is None and config.test is None and not config.tests


def _own(config: DataConfig) -> Own | None:
    """None where the source is the user's files."""
    if isinstance(config, CaptionsConfig):
        return {text.name: text for text in write_captions(config)}.__getitem__  # written once for all three
    if isinstance(config, Multi30kConfig):
        return partial(multi30k.read_split, config)
    if isinstance(config, EnjaConfig):
        return partial(enja.read_split, config)
    return None


def _train(config: DataConfig, own: Own | None) -> tuple[list[ParallelText], list[int]]:
    """-> training texts, their parts of a mixture."""
    refuse_folder(config)
    if isinstance(config, MixtureConfig):
        parts = config.parts()
        return [open_parallel(name, config.corpora[name], config.src, config.tgt) for name in parts], [*parts.values()]
    if own is not None:
        return [own("train")], [1]
    return [_files(config, "train", config.train, open_parallel)], [1]


def _dev(config: DataConfig, own: Own | None) -> ParallelText:
    """The set that chooses the best checkpoint: `data.dev`, else the source's own."""
    return own("dev") if config.dev is None and own is not None else _files(config, "dev", config.dev)


def _tests(config: DataConfig, own: Own | None) -> dict[str, ParallelText]:
    tests: dict[str, ParallelText] = {}
    if config.test is not None:
        tests[TEST] = _files(config, TEST, config.test)
    elif own is not None:
        tests[TEST] = own(TEST)
    for name, prefix in config.tests.items():
        tests[name] = _files(config, name, prefix)
    return {name: _scorable(text) for name, text in tests.items()}


def _scorable(text: ParallelText) -> ParallelText:
    """The text itself, with a warning of empty lines. Raises DataError where a side has nothing else."""
    for side, lines in (("source", text.src), ("target", text.tgt)):
        empty = sum(not line.strip() for line in lines)
        if empty == len(lines):
            raise DataError(
                f"{text.name}, {side} side",
                found=f"{empty} empty lines",
                expected="sentences",
                next_step="check the file; translate.py translates text that has no reference",
            )
        if empty:
            log.warning("%s: %d of %d lines are empty on the %s side", text.name, empty, len(lines), side)
    return text


def _files(
    config: DataConfig, name: str, prefix: str | None, read: Callable[..., ParallelText] = read_parallel
) -> ParallelText:
    refuse_folder(config)
    if prefix is None:
        raise needed(f"data.{name}")
    return read(name, prefix, config.src, config.tgt)
