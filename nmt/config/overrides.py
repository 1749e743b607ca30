"""Changes of single values: `train.max_steps=100` read, checked and applied to a configuration."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from nmt.config import mistakes
from nmt.config.data import DataConfig
from nmt.config.root import CommandLine, Config
from nmt.config.store import GROUPS, SOURCES
from nmt.errors import ConfigError

Kind = TypeVar("Kind")


def parse_override(text: str, parser: OverridesParser | None = None) -> Override:
    """One argument of the command line. Raises ConfigError where Hydra's grammar does not know it."""
    if "=" not in text and not text.startswith("~"):
        raise mistakes.unreadable(text)
    try:
        return (parser or OverridesParser.create()).parse_overrides([text])[0]  # it alone hands the loader on
    except (HydraException, ValueError, RecursionError) as error:  # the latter two: too many digits, too many brackets
        raise mistakes.unreadable(text) from error


def apply_overrides(node: DictConfig, overrides: Iterable[Override]) -> DictConfig:
    """A copy of the configuration `node` with the values of `overrides`. Raises ConfigError at the first mistake."""
    changed = OmegaConf.create(node)
    OmegaConf.set_struct(changed, True)
    for override in overrides:
        _apply(changed, override)
    return changed


def to_config(node: DictConfig) -> Config:
    """The typed configuration. Raises ConfigError where a value is missing, unresolvable or impossible beside another.

    Afterwards every number is finite and no text holds `${`, so that a saved configuration reads back as it was.
    """
    config: Config = to_typed(node, Config)
    if isinstance(config, CommandLine):  # what it says of a sweep has been checked by now, and is no part of a run
        config = Config(**{part.name: getattr(config, part.name) for part in fields(Config)})
    if not isinstance(config.data, SOURCES.get(config.data.source, type(None))):
        raise ConfigError(
            "data.source",
            found=mistakes.show(config.data.source),
            expected="what the choice of data sets",
            next_step=f"choose with data={mistakes.nearest(config.data.source, SOURCES) or 'files'}",
        )
    check_leaves(config)
    return config


def to_typed(node: DictConfig, kind: type[Kind]) -> Kind:
    """The node as an object of `kind`. Raises ConfigError where a value is missing, unresolvable or impossible."""
    try:
        config = OmegaConf.to_object(node)
    except OmegaConfBaseException as error:
        raise mistakes.composing(error) from error
    assert isinstance(config, kind)
    return config


def check_leaves(config: object) -> None:
    """Raises ConfigError where a number is not finite, a text holds `${`, or an entry of a dictionary is no value."""
    for key, value in leaves(config):
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(key, found=value, expected="a finite number", next_step="correct it or leave it out")
        if isinstance(value, str) and "${" in value:
            raise ConfigError(
                key, found=mistakes.show(value), expected="text without ${", next_step="rename what it points to"
            )
        if isinstance(value, (list, dict)):  # OmegaConf lets an entry of a dictionary be a container
            raise ConfigError(
                key, found=mistakes.show(value), expected="one value for each entry", next_step="correct the entry"
            )


def leaves(value: object, key: str = "") -> Iterator[tuple[str, object]]:
    """Every value of a configuration, and every entry of its dictionaries and lists, with its full key."""
    for name, part in _parts(value):
        inner = f"{key}.{name}" if key else name
        if is_dataclass(part) or (isinstance(part, dict) and is_dataclass(value)):
            yield from leaves(part, inner)
        elif isinstance(part, list) and is_dataclass(value):
            yield from ((inner, one) for one in part)
        else:
            yield inner, part


def _parts(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        yield from value.items()
    else:
        assert is_dataclass(value)
        yield from ((field.name, getattr(value, field.name)) for field in fields(value))


@dataclass(frozen=True)
class Place:
    """Where a key leads: a field of the dataclass `owner`, or (owner None) an entry of a dictionary."""

    owner: type | None
    name: str
    hint: Any

    @property
    def default(self) -> object:
        """Of a field; an entry has none (MISSING)."""
        field = next((field for field in fields(self.owner) if field.name == self.name), None) if self.owner else None
        if field is None:
            return MISSING
        return field.default if field.default_factory is MISSING else field.default_factory()


def locate(node: DictConfig, key: str) -> Place | None:
    """The place of `key` in the classes of the configuration `node`; None where there is none."""
    owner: type | None = None
    name, here = "", OmegaConf.get_type(node)
    for name in key.split("."):
        if is_dataclass(here):
            hints = get_type_hints(here)
            if name not in hints:
                return None
            owner, here = here, hints[name]
            if here is DataConfig:
                here = OmegaConf.get_type(node, "data") or DataConfig
        elif get_origin(here) is dict:
            owner, here = None, get_args(here)[1]
        else:
            return None
    return Place(owner, name, here)


def known_keys(owner: type, prefix: str = "") -> Iterator[str]:
    """Every key below the dataclass `owner`, groups of options included."""
    for name, hint in get_type_hints(owner).items():
        for part in SOURCES.values() if hint is DataConfig else (hint,):
            yield prefix + name
            if is_dataclass(part):
                yield from known_keys(part, f"{prefix}{name}.")


def unknown(key: str, root: type) -> ConfigError:
    """The answer to a key that a configuration of the class `root` does not have."""
    known = set(known_keys(root))
    if key in known:
        choices = [name for name, source in SOURCES.items() if key.removeprefix("data.") in get_type_hints(source)]
        return mistakes.elsewhere(key, choices)
    return mistakes.unknown_key(key, sorted(known.union(GROUPS if issubclass(root, Config) else ())))


def _apply(node: DictConfig, override: Override) -> None:
    key, value = override.key_or_group, override.value()
    if override.is_sweep_override():
        raise mistakes.not_one_value(key, str(override.input_line).partition("=")[2])
    place = locate(node, key)
    if place is None or override.package is not None:
        raise unknown(
            key if override.package is None else f"{key}@{override.package}", OmegaConf.get_type(node) or Config
        )
    _check_sign(node, override, place)
    try:
        if override.is_delete():
            entries = OmegaConf.select(node, key.rpartition(".")[0])
            with open_dict(entries):
                del entries[place.name]
        else:
            OmegaConf.update(node, key, value, merge=True, force_add=override.is_add() or override.is_force_add())
    except OverflowError as error:  # an integer that no float can be
        raise mistakes.wrong_value(key, value, place.hint, place.default) from error
    except OmegaConfBaseException as error:  # its key may lie inside a value in braces
        inner = locate(node, error.full_key or key)
        if inner is None:
            raise unknown(str(error.full_key), OmegaConf.get_type(node) or Config) from error
        if isinstance(error, (ConfigAttributeError, ConfigKeyError)):
            raise _needs_plus(override) from error
        raise mistakes.wrong_value(str(error.full_key), error.value, inner.hint, inner.default) from error


def _check_sign(node: DictConfig, override: Override, place: Place) -> None:
    """A `+` adds an entry to a dictionary, or replaces one; a `~` takes one out. An option of ours is neither added nor
    taken out."""
    key = override.key_or_group
    owner = OmegaConf.select(node, key.rpartition(".")[0]) if "." in key else node
    present = place.name in owner
    if override.is_delete() and (place.owner is not None or not present):
        raise ConfigError(
            key,
            found="a deletion (~)",
            expected="a value: every option has one",
            next_step="leave it out for its default",
        )
    an_option = place.owner is not None and present and owner[place.name] is not None
    if override.is_add() and an_option and not isinstance(override.value(), dict):
        raise ConfigError(key, found="an addition (+)", expected="a change of what is there", next_step="drop the +")
    if not present and not override.is_add() and not override.is_force_add():
        raise _needs_plus(override)


def _needs_plus(override: Override) -> ConfigError:
    return ConfigError(
        override.key_or_group,
        found="no entry of this name",
        expected="a + before a new entry",
        next_step=f"write +{override.input_line}",
    )
