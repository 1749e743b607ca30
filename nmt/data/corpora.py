"""All text of a run: what is trained on, what chooses the best checkpoint, what is scored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nmt.config.data import CaptionsConfig, DataConfig, MixtureConfig, Multi30kConfig
from nmt.data.captions import write_captions
from nmt.data.lines import open_parallel
from nmt.data.multi30k import read_split
from nmt.data.text import ParallelText, read_parallel
from nmt.errors import DataError

TEST = "test"  # the name of the main test set


@dataclass(frozen=True)
class Corpora:
    """`train` has one text, or several for a mixture, with as many parts in `ratio`. Test sets by name."""

    train: list[ParallelText]
    ratio: list[int]
    dev: ParallelText
    tests: dict[str, ParallelText]


def load_corpora(config: DataConfig) -> Corpora:
    """Everything a training run reads, the small sets first, so that a mistake there shows at once.

    Raises DataError for whatever is missing or broken.
    """
    dev, tests = load_dev(config), load_tests(config)
    return Corpora(*load_train(config), dev, tests)


def load_train(config: DataConfig) -> tuple[list[ParallelText], list[int]]:
    """-> training texts, their parts of a mixture."""
    _refuse_folder(config)
    if isinstance(config, MixtureConfig):
        names = [name for name, part in config.ratio.items() if part]
        if not names:
            raise _needed("data.corpora", "a PREFIX for each name, and its parts in data.ratio")
        texts = [open_parallel(name, config.corpora[name], config.src, config.tgt) for name in names]
        return texts, [config.ratio[name] for name in names]
    if isinstance(config, CaptionsConfig):
        return [write_captions(config)[0]], [1]
    if isinstance(config, Multi30kConfig):
        return [read_split(config, "train")], [1]
    return [_files(config, "train", config.train, open_parallel)], [1]


def load_dev(config: DataConfig) -> ParallelText:
    """The set that chooses the best checkpoint: `data.dev`, else the source's own."""
    if config.dev is None and isinstance(config, CaptionsConfig):
        return write_captions(config)[1]
    if config.dev is None and isinstance(config, Multi30kConfig):
        return read_split(config, "dev")
    return _files(config, "dev", config.dev)


def load_tests(config: DataConfig) -> dict[str, ParallelText]:
    """Test sets by name: `data.test`, else the source's own, as "test"; and those of `data.tests`. May be empty."""
    tests: dict[str, ParallelText] = {}
    if config.test is not None:
        tests[TEST] = _files(config, TEST, config.test)
    elif isinstance(config, CaptionsConfig):
        tests[TEST] = write_captions(config)[2]
    elif isinstance(config, Multi30kConfig):
        tests[TEST] = read_split(config, TEST)
    for name, prefix in config.tests.items():
        tests[name] = _files(config, name, prefix)
    return tests


def _refuse_folder(config: DataConfig) -> None:
    """data.dir must not be passed over in silence where nothing looks for it."""
    if config.dir is not None and not isinstance(config, Multi30kConfig):
        raise DataError(
            "data.dir",
            found=config.dir,
            expected=f"nothing with data={config.source}",
            next_step="write the folder in front of each PREFIX",
        )


def _files(
    config: DataConfig, name: str, prefix: str | None, read: Callable[..., ParallelText] = read_parallel
) -> ParallelText:
    _refuse_folder(config)
    if prefix is None:
        raise _needed(f"data.{name}", "a PREFIX, the path of a pair of files without their endings")
    return read(name, prefix, config.src, config.tgt)


def _needed(key: str, expected: str) -> DataError:
    return DataError(key, found="nothing", expected=expected, next_step=f"add {key}=... to the command line")
