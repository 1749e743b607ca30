"""The command line of train.py, checked as a whole by composing it, before TensorFlow is imported."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, Quote, QuotedString
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, open_dict
from omegaconf.errors import OmegaConfBaseException

from nmt.config import mistakes
from nmt.config.overrides import apply_overrides, known_keys, parse_override, to_config
from nmt.config.resume import resumed_config
from nmt.config.root import CommandLine, Config
from nmt.config.store import CONFIGS, GROUPS, options
from nmt.config.sweeping import (
    SWEEPS,
    check_packages,
    check_sweep,
    interval_ends,
    long_name,
    space_of,
    sweep_folder,
)
from nmt.errors import ConfigError

VERSION_BASE = "1.3"
OPTIONAL_GROUPS = ("experiment", "sweep", "debug")


@dataclass(frozen=True)
class Plan:
    """A checked command line."""

    argv: list[str]  # for Hydra
    runs: bool  # False: it only shows something, such as --cfg job
    multirun: bool
    resumed: Config | None


def prepare(argv: Sequence[str]) -> Plan:
    """Check a command line by composing it, each value of a sweep included. Raises ConfigError."""
    args, flags = _arguments(argv)
    if args.shell_completion or args.hydra_help or args.config_path or args.config_name or args.config_dir:
        return Plan(list(argv), runs=True, multirun=args.multirun, resumed=None)
    runs = args.cfg is None and args.info is None
    with hydra.initialize_config_dir(str(CONFIGS), job_name="train", version_base=VERSION_BASE):
        parser = OverridesParser.create(GlobalHydra.instance().config_loader())
        words = [long_name(word) for word in args.overrides]
        overrides = [parse_override(text, parser) for text in words]
        if any(override.key_or_group == "resume" and override.value() is not None for override in overrides):
            resumed, kept = _resume(overrides, args.multirun)
            return Plan([*flags, *kept], runs, multirun=False, resumed=resumed)
        multirun, added = _check(overrides, args.multirun, parser)
    return Plan([*flags, *words, *added], runs, multirun, resumed=None)


def _arguments(argv: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Hydra's flags and overrides, in any order; the flags with their values once more, as they were written."""
    args, unknown = get_args_parser().parse_known_intermixed_args(list(argv))
    if args.experimental_rerun is not None:
        unknown.append("--experimental-rerun")
    if unknown:
        raise mistakes.dashed(unknown[0], known_keys(CommandLine))
    return args, [word for word in argv if word not in args.overrides]


def _check(overrides: list[Override], flagged: bool, parser: OverridesParser) -> tuple[bool, list[str]]:
    """Each value on its own beside the first ones of the others.

    -> whether it is a sweep, and what Hydra must be told of it: the space of its recipe, and where it will lie.
    """
    node, settings = _compose([_values(override)[0] for override in overrides])
    multirun = flagged or settings.mode is RunMode.MULTIRUN
    space = space_of(node, overrides, parser, multirun)
    overrides = [*overrides, *space]
    values = [_values(override, node) for override in overrides]
    first = [each[0] for each in values]
    if any(_needs_hydra(override) for override in space):
        node, settings = _compose(first)
    for override in overrides:
        if override.is_sweep_override() and not multirun:
            raise mistakes.not_one_value(override.key_or_group, str(override.input_line).partition("=")[2])
    _typed(node, first)
    for place, each in enumerate(values):
        for value in each[1:]:
            trial = [*first[:place], value, *first[place + 1 :]]
            _typed(_compose(trial)[0] if _needs_hydra(value) else node, trial)
    if not multirun:
        return False, []
    check_sweep(node, settings, overrides)
    added = [str(override.input_line) for override in space]
    if settings.sweep.dir == SWEEPS:
        added.append(f"hydra.sweep.dir={sweep_folder(overrides)}")
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


def _needs_hydra(override: Override) -> bool:
    """Whether Hydra must compose anew for it: a choice of a group, or a setting of Hydra's own."""
    key = override.key_or_group
    return key in GROUPS or key == "hydra" or key.startswith(("hydra.", "hydra/"))


def _compose(overrides: list[Override]) -> tuple[DictConfig, DictConfig]:
    """What the choices among `overrides` compose to: our configuration, and Hydra's own."""
    chosen = [override for override in overrides if _needs_hydra(override)]
    for override in chosen:
        _check_choice(override)
    try:
        lines = [str(override.input_line) for override in chosen]
        node = hydra.compose("config", lines, return_hydra_config=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise mistakes.composing(error) from error
    with open_dict(node):
        settings = node.pop("hydra")
    return node, settings


def _check_choice(override: Override) -> None:
    """Our own groups: the option exists, and the group is chosen from, not added to."""
    check_packages(override)
    group = override.key_or_group
    if group not in GROUPS or override.is_delete():
        return
    if override.is_add() or override.is_force_add():
        raise ConfigError(group, found="an addition (+)", expected="a choice", next_step=f"write {group}=OPTION")
    value = override.value()
    if value is None and group in OPTIONAL_GROUPS:
        return
    for choice in value if isinstance(value, list) and group in OPTIONAL_GROUPS else [value]:  # recipes may be stacked
        if str(choice) not in options(group):
            raise mistakes.unknown_choice(group, choice, options(group))


def _typed(node: DictConfig, overrides: list[Override]) -> Config:
    config = to_config(apply_overrides(node, [override for override in overrides if not _needs_hydra(override)]))
    config.check_training()
    return config


def _resume(overrides: list[Override], multirun: bool) -> tuple[Config, list[str]]:
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
            (settings if _needs_hydra(override) else values).append(override)
    config = resumed_config(folder, values)
    _compose(settings)
    here = QuotedString(str(folder.resolve()), Quote.single).with_quotes()
    return config, [f"hydra.run.dir={here}", *(str(override.input_line) for override in settings)]
