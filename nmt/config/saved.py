"""The configuration of a run as text: `config.yaml` in its folder, and the same text in its checkpoints."""

from __future__ import annotations

import json
import os.path  # its questions have an answer for a name that is too long, unlike those of Path
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import yaml  # OmegaConf's own reader
from omegaconf import DictConfig, OmegaConf
from omegaconf._utils import get_omega_conf_dumper
from omegaconf.errors import OmegaConfBaseException

from nmt.config import mistakes
from nmt.config.overrides import apply_overrides, locate, parse_override, to_config
from nmt.config.root import Config
from nmt.config.search import SearchConfig, idle_keys
from nmt.config.store import SOURCES
from nmt.errors import ConfigError, reason_of
from nmt.plumbing.files import write_text

FILE = "config.yaml"
PATHS = {"data": ("dir", "train", "dev", "test", "tests", "corpora"), "metrics.wmd": ("vectors",)}  # that may move
OVERRIDES = "overrides.json"  # of a sweep's job: the words of its command line
ORIGIN = "saved configuration"
# Of text that is no YAML. PyYAML has no words of its own for a tag on what does not fit it, thousands of levels, and
# a number of thousands of digits.
_BROKEN: tuple[type[Exception], ...] = (yaml.YAMLError, OmegaConfBaseException, ValueError, TypeError, AttributeError)
_BROKEN += (AssertionError, RecursionError)


def dump(config: Config) -> str:
    """YAML of every value; `load_config` reads it back as it was."""
    values = OmegaConf.to_container(OmegaConf.structured(config), enum_to_str=True)
    # ASCII alone: YAML takes some characters of Unicode for line breaks, and PyYAML leaves them unescaped.
    text: str = yaml.dump(values, Dumper=get_omega_conf_dumper(), sort_keys=False, allow_unicode=False)
    return text


def load_config(text: str, overrides: Sequence[str] = (), origin: str = ORIGIN) -> Config:
    """The configuration that `dump` wrote, with the changes of `overrides` ("search.beam=1").

    Relative paths of data in the text start from where its run was started (`data.base`), where that folder is here;
    those of `overrides` start from the current folder, as on any command line.
    An option that the text does not name has its default. Raises ConfigError for text that is no configuration, names
    an option that this version does not know, or holds an impossible value; its place begins with `origin`.
    """
    saved = _without_idle(_located(_read(text, origin)))
    changed = apply_overrides(saved, [parse_override(override) for override in overrides])
    return unbased(to_config(changed))


def unbased(config: Config) -> Config:
    """The configuration itself. Raises ConfigError where somebody has set `data.base`, which a run sets."""
    if config.data.base is not None:
        raise ConfigError(
            "data.base",
            found=mistakes.show(config.data.base),
            expected="nothing: a run keeps the folder that it was started in",
            next_step="write the folder in front of each PREFIX",
        )
    return config


def write_run_config(folder: Path, config: Config) -> None:
    """Put `config.yaml` into a run folder, whole or not at all. Raises ConfigError where that is not possible."""
    _write(folder / FILE, dump(config))


def write_overrides(folder: Path, overrides: Sequence[str]) -> None:
    """Put `overrides.json` into the run folder of a sweep's job. Raises ConfigError where that is not possible."""
    _write(folder / OVERRIDES, json.dumps(list(overrides)) + "\n")


def _write(path: Path, text: str) -> None:
    try:
        write_text(path, text)
    except OSError as error:
        raise not_writable(path, error) from error


def read_run_config(folder: Path, overrides: Sequence[str] = ()) -> Config:
    """The configuration of the run in `folder`, changed by `overrides`. Raises ConfigError where there is none."""
    path = folder / FILE
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        found = "a file" if os.path.isfile(folder) else "no folder of this name"
        step = f"name the folder that holds its {FILE} and checkpoints"
        for run in folder.parents[:2]:  # RUN/checkpoints/last.h5
            if os.path.isfile(run / FILE):
                step = f"write {mistakes.argument('resume', str(run))}, which goes on from its newest checkpoint"
        raise ConfigError(
            f"resume={folder}",
            found=f"no readable {FILE} in it" if os.path.isdir(folder) else found,
            expected="the folder of an earlier run",
            next_step=step,
        ) from error
    return load_config(text, overrides, origin=str(path))


def not_writable(path: Path, error: OSError) -> ConfigError:
    """The answer to a run folder that cannot be written."""
    return ConfigError(
        str(path),
        found=reason_of(error),
        expected="a run folder that can be written",
        next_step="choose another one with hydra.run.dir=FOLDER",
    )


def _read(text: str, origin: str) -> DictConfig:
    """Saved text as a typed node, so that changes of it are checked as those of the command line are."""
    try:
        if "&" in text and any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text)):
            # A few of them may stand for millions of values.
            raise _not_a_configuration(origin, "an alias (*), which no configuration of ours has")
        saved = OmegaConf.create(text)
        data = saved.get("data") if isinstance(saved, DictConfig) else None
        source = data.get("source") if isinstance(data, DictConfig) else None
    except _BROKEN as error:
        mark = getattr(error, "problem_mark", None)
        raise _not_a_configuration(
            f"{origin}, line {mark.line + 1}" if mark else origin, "text that is not YAML"
        ) from error
    if not isinstance(source, str) or source not in SOURCES:
        raise _not_a_configuration(origin, "no data.source that is known")
    node: DictConfig = OmegaConf.structured(Config(data=SOURCES[source]()))
    assert isinstance(saved, DictConfig)
    saved.pop("sweep", None)  # `train.py --cfg job` shows it; it is no part of a run
    try:
        node.merge_with(saved)
    except OverflowError as error:
        raise _not_a_configuration(origin, "an integer that is too large for a number") from error
    except OmegaConfBaseException as error:
        key = error.full_key
        if not key:
            raise _not_a_configuration(origin, "values where groups of options belong") from error
        place = locate(node, key)
        if place is None:
            raise ConfigError(
                f"{origin}: {key}",
                found="no option of this name",
                expected="the options of this version",
                next_step="use the version that wrote it, or remove the line",
            ) from error
        raise mistakes.wrong_value(f"{origin}: {key}", error.value, place.hint, place.default) from error
    return node


def _without_idle(node: DictConfig) -> DictConfig:
    """What shapes draws where none is made changed nothing, and older versions saved it; now it is refused."""
    with suppress(OmegaConfBaseException):  # values that are none have their sentence later
        for key in idle_keys(node.search.samples):
            node.search[key] = getattr(SearchConfig, key)
    return node


def _located(node: DictConfig) -> DictConfig:
    """With paths of data that hold wherever this is read."""
    base = node.data.base
    if base is not None and Path(base).is_dir():
        for group, keys in PATHS.items():
            part = OmegaConf.select(node, group)
            for key in part.keys() & set(keys):
                value = part[key]
                if isinstance(value, DictConfig):
                    part[key] = {name: str(Path(base) / path) for name, path in value.items()}
                elif value is not None:
                    part[key] = str(Path(base) / value)
    node.data.base = None
    return node


def _not_a_configuration(place: str, found: str) -> ConfigError:
    return ConfigError(
        place, found=found, expected="the configuration of a run", next_step="restore the file as it was written"
    )
