"""The command line of `python -m nmt.launch`: COMMAND [--FLAG ...] [KEY=VALUE ...] [-- OVERRIDES OF train.py]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from enum import Enum
from typing import Any

import hydra
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from nmt.config import mistakes
from nmt.config.composer import VERSION_BASE
from nmt.config.launch import Launch, MachineConfig
from nmt.config.overrides import apply_overrides, check_leaves, known_keys, locate, parse_override, to_typed
from nmt.config.store import CONFIGS, LAUNCH_SCHEMAS, options, register
from nmt.errors import ConfigError

FILE = "launch_command"  # in configs/


def read_launch(
    words: Sequence[str], flags: Sequence[str] = (), told: Mapping[str, Any] | None = None
) -> tuple[Launch, frozenset[str]]:
    """A checked command line without its COMMAND, and which of the known `flags` it holds. Raises ConfigError.

    `told` is what an earlier command line said, from `differences`: this one starts from there.
    """
    ours, command = list(words), []
    if "--" in ours:
        place = ours.index("--")
        ours, command = ours[:place], ours[place + 1 :]
    given = frozenset(word for word in ours if word in flags)
    choices: list[Override] = []
    values: list[Override] = []
    for word in ours:
        if word in given:
            continue
        if word.startswith("-"):
            raise _unknown_flag(word, flags)
        override = parse_override(word)
        (choices if override.key_or_group in LAUNCH_SCHEMAS else values).append(override)
    node = _composed(choices)
    for key, value in (told or {}).items():
        if not _chosen(key, choices):
            _update(node, key, value)
    node = apply_overrides(node, values)
    if command:
        node.launch.command = command
    config = to_typed(node, Launch)
    check_leaves(config)
    return config, given


def _update(node: DictConfig, key: str, value: Any) -> None:
    """Raises ConfigError for what is no option, or no value of it."""
    place = locate(node, key)
    if place is None:
        raise ConfigError(key, found="no option of this name", expected="one of this version", next_step="leave it out")
    try:
        OmegaConf.update(node, key, value, merge=False)
    except (OmegaConfBaseException, OverflowError) as error:
        raise mistakes.wrong_value(key, value, place.hint, place.default) from error


def differences(config: Launch) -> dict[str, Any]:
    """The options that are not the default, as JSON can hold them: "launch.max_usd" -> 1.0."""
    defaults = Launch()
    return {
        f"{group.name}.{part.name}": value.value if isinstance(value, Enum) else value
        for group in fields(Launch)
        for part in fields(getattr(config, group.name))
        if (value := getattr(getattr(config, group.name), part.name))
        != getattr(getattr(defaults, group.name), part.name)
    }


def _chosen(key: str, choices: Sequence[Override]) -> bool:
    """Whether an option is one that the choice of a whole group decides: machine=NAME all of the machine's, launch=NAME
    those that its file names."""
    group, _, name = key.partition(".")
    chosen = [choice.value() for choice in choices if choice.key_or_group == group]
    return bool(chosen) and (group == "machine" or name in OmegaConf.load(CONFIGS / group / f"{chosen[-1]}.yaml"))


def profiles() -> dict[str, MachineConfig]:
    """Every machine of configs/machine, by its name."""
    found = {}
    for name in options("machine"):
        values = OmegaConf.load(CONFIGS / "machine" / f"{name}.yaml")
        assert isinstance(values, DictConfig)
        values.pop("defaults")  # the schema, which is what it is merged with here
        found[name] = to_typed(_merged(values), MachineConfig)
    return found


def _merged(values: DictConfig) -> DictConfig:
    node: DictConfig = OmegaConf.structured(MachineConfig)
    node.merge_with(values)
    return node


def _composed(choices: Sequence[Override]) -> DictConfig:
    for override in choices:
        group, value = override.key_or_group, override.value()
        if override.is_sweep_override():
            raise mistakes.not_one_value(group, str(override.input_line).partition("=")[2])
        if not isinstance(value, str) or value not in options(group):
            raise mistakes.unknown_choice(group, value, options(group))
    register()
    lines = [f"{override.key_or_group}={override.value()}" for override in choices]
    try:
        with hydra.initialize_config_dir(str(CONFIGS), job_name="launch", version_base=VERSION_BASE):
            return hydra.compose(FILE, lines)
    except (HydraException, OmegaConfBaseException) as error:
        raise mistakes.composing(error) from error


def _unknown_flag(word: str, flags: Sequence[str]) -> ConfigError:
    near = mistakes.nearest(word, flags)
    if near is None and flags:
        return ConfigError(
            word, found="an unknown flag", expected=f"{', '.join(flags)} or KEY=VALUE", next_step="--help shows all"
        )
    if near is not None:
        return ConfigError(word, found="an unknown flag", expected=f"one of {', '.join(flags)}",
                           next_step=f"did you mean {near}")  # fmt: skip
    return mistakes.dashed(word, sorted(known_keys(Launch)))
