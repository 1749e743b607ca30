"""The command line of train.py, checked as a whole by composing it, before TensorFlow is imported."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.types import IntervalSweep, Override, Quote, QuotedString
from hydra.types import RunMode
from omegaconf import DictConfig

from nmt.config import mistakes
from nmt.config.composer import Composer, needs_hydra, opened
from nmt.config.overrides import apply_overrides, known_keys, parse_override, to_config
from nmt.config.resume import resumed_config
from nmt.config.root import CommandLine, Config
from nmt.config.store import GROUPS, register
from nmt.config.sweep_line import (
    SWEEPS,
    check_sweep,
    interval_ends,
    long_name,
    own_configs,
    space_of,
    sweep_folder,
)
from nmt.errors import ConfigError


@dataclass(frozen=True)
class Plan:
    """A checked command line."""

    argv: list[str]  # for Hydra
    runs: bool  # False: it only shows something, such as --cfg job
    multirun: bool
    resumed: Config | None


def prepare(argv: Sequence[str]) -> Plan:
    """Check a command line by composing it, each value of a sweep included. Raises ConfigError."""
    args, flags = arguments(argv)
    if args.shell_completion or args.hydra_help:
        return Plan(list(argv), runs=True, multirun=args.multirun, resumed=None)
    runs = args.cfg is None and args.info is None
    with opened(args.config_dir, args.config_name) as composer:
        words = [long_name(word) for word in args.overrides]
        overrides = [parse_override(text, composer.parser) for text in words]
        if any(override.key_or_group == "resume" and override.value() is not None for override in overrides):
            resumed, kept = _resume(composer, overrides, args.multirun)
            return Plan([*flags, *kept], runs, multirun=False, resumed=resumed)
        multirun, added = _check(composer, overrides, args.multirun)
    return Plan([*flags, *words, *added], runs, multirun, resumed=None)


def composed(words: Sequence[str]) -> Config:
    """What a command line of train.py says of one run. Raises ConfigError."""
    register()
    args, _ = arguments(words)
    with opened(args.config_dir, args.config_name) as composer:
        overrides = [parse_override(long_name(word), composer.parser) for word in args.overrides]
        for override in overrides:
            if override.is_sweep_override():
                raise mistakes.not_one_value(override.key_or_group, str(override.input_line).partition("=")[2])
        node, _ = composer.compose(overrides)
        return to_config(apply_overrides(node, [one for one in overrides if not needs_hydra(one)]))


def arguments(argv: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Hydra's flags and overrides, in any order; the flags with their values once more, as they were written. Raises
    ConfigError.
    """
    parser = get_args_parser()
    parser.error = _refuse_flag  # type: ignore[method-assign]
    args, unknown = parser.parse_known_intermixed_args(list(argv))
    if args.experimental_rerun is not None:
        unknown.append("--experimental-rerun")
    _check_flags(args)
    if unknown:
        raise mistakes.dashed(unknown[0], known_keys(CommandLine))
    return args, [word for word in argv if word not in args.overrides]


def _refuse_flag(message: str) -> NoReturn:
    raise ConfigError(
        "command line", found=message, expected="flags as --hydra-help shows them", next_step="--help shows examples"
    )


def _check_flags(args: argparse.Namespace) -> None:
    """Hydra's flags as it takes them: one thing at a time. Raises ConfigError."""
    flags = {
        "--run": args.run,
        "-m": args.multirun,
        "--cfg": args.cfg is not None,
        "--info": args.info is not None,
        "--shell-completion": args.shell_completion,
    }
    asked = [flag for flag, given in flags.items() if given]
    if len(asked) > 1:
        raise ConfigError(
            asked[0], found=f"{asked[1]} beside it", expected="one of them", next_step=f"leave out {asked[1]}"
        )
    if args.resolve and args.cfg is None:
        raise ConfigError("--resolve", found="no --cfg beside it", expected="both", next_step="add --cfg job")
    if args.config_path is not None:
        raise ConfigError(
            "--config-path",
            found=args.config_path,
            expected="a folder beside configs/, not in its place",
            next_step=f"write --config-dir={args.config_path}",
        )


def _check(composer: Composer, overrides: list[Override], flagged: bool) -> tuple[bool, list[str]]:
    """Each value on its own beside the first ones of the others.

    -> whether it is a sweep, and what Hydra must be told of it: the space of its recipe, and where it will lie.
    """
    node, settings = composer.compose([_values(override)[0] for override in overrides])
    multirun = flagged or settings.mode is RunMode.MULTIRUN
    space = space_of(node, overrides, composer.parser, multirun)
    overrides = [*overrides, *space]
    values = [_values(override, node) for override in overrides]
    first = [each[0] for each in values]
    if any(needs_hydra(override) for override in space):
        node, settings = composer.compose(first)
    for override in overrides:
        if override.is_sweep_override() and not multirun:
            raise mistakes.not_one_value(override.key_or_group, str(override.input_line).partition("=")[2])
    _typed(node, first)
    for place, each in enumerate(values):
        for value in each[1:]:
            trial = [*first[:place], value, *first[place + 1 :]]
            _typed(composer.compose(trial)[0] if needs_hydra(value) else node, trial)
    if not multirun:
        return False, []
    check_sweep(node, settings, overrides)
    added = [str(override.input_line) for override in space]
    if settings.sweep.dir == SWEEPS:
        added.append(f"hydra.sweep.dir={sweep_folder(own_configs(settings), overrides)}")
    return True, added


def _values(override: Override, node: DictConfig | None = None) -> list[Override]:
    """One override for each value of a sweep; the two ends for an interval."""
    if not override.is_sweep_override():
        return [override]
    value = override.value()
    if isinstance(value, IntervalSweep):
        texts = interval_ends(node, override.key_or_group, value) if node is not None else [str(value.start)]
    else:
        texts = list(override.sweep_string_iterator())
    if not texts:
        raise ConfigError(
            override.key_or_group,
            found="no value in the sweep",
            expected="at least one",
            next_step="name the values, as in seed=1,2,3",
        )
    return [parse_override(f"{override.get_key_element()}={text}") for text in texts]


def _typed(node: DictConfig, overrides: list[Override]) -> Config:
    config = to_config(apply_overrides(node, [override for override in overrides if not needs_hydra(override)]))
    config.check_training()
    return config


def _resume(composer: Composer, overrides: list[Override], multirun: bool) -> tuple[Config, list[str]]:
    """The configuration of the run that goes on, and what Hydra is told."""
    if multirun:
        raise ConfigError("resume", found="a sweep (-m)", expected="one run to continue", next_step="leave out -m")
    folder = Path()
    settings: list[Override] = []
    values: list[Override] = []
    for override in overrides:
        key = override.key_or_group
        if override.is_sweep_override():
            raise mistakes.not_one_value(key, str(override.input_line).partition("=")[2])
        if key == "resume":
            folder = Path(str(override.value()))
        elif key in GROUPS or "/" in key or key == "hydra.run.dir":
            raise ConfigError(
                key,
                found=mistakes.show(override.value()),
                expected="the run's own choice with resume",
                next_step="leave it out",
            )
        else:
            (settings if needs_hydra(override) else values).append(override)
    config = resumed_config(folder, values)
    composer.compose(settings)
    here = QuotedString(str(folder.resolve()), Quote.single).with_quotes()
    return config, [f"hydra.run.dir={here}", *(str(override.input_line) for override in settings)]
