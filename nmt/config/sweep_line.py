"""What the command line of a sweep says beyond that of a run: its space, its packages, its folder."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.util import find_spec

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override
from omegaconf import DictConfig

from nmt.config.overrides import locate, parse_override
from nmt.config.store import folder_name
from nmt.config.sweep import EC2, HOW, LOCAL, OPTUNA, SHORT
from nmt.errors import ConfigError

CONFIG_NAME = "config"  # configs/config.yaml
DIR_FLAG = "--config-dir"
SEARCH_PATH = "hydra.searchpath"
SWEEPS = "runs/sweeps"  # as in configs/hydra/default.yaml
# hydra/launcher=... or hydra/sweeper=... -> the module that it needs, and the extra that brings it
NEEDS = {
    "optuna": ("optuna", "sweep"),
    "ec2": ("boto3", "aws"),
    "ray_trials": ("hydra_plugins.hydra_ray_launcher", "ray"),
    "ray": ("hydra_plugins.hydra_ray_launcher", "ray"),
    "slurm": ("hydra_plugins.hydra_submitit_launcher", "slurm"),
    "submitit_slurm": ("hydra_plugins.hydra_submitit_launcher", "slurm"),
    "submitit_local": ("hydra_plugins.hydra_submitit_launcher", "slurm"),
}


def long_name(word: str) -> str:
    """`dry_run=true` -> `sweep.dry_run=true`."""
    return f"sweep.{word}" if word.partition("=")[0] in SHORT else word


def check_packages(override: Override) -> None:
    """Raises ConfigError where a choice of launcher or sweeper needs a package that is not there."""
    if override.key_or_group not in ("hydra/launcher", "hydra/sweeper"):
        return
    choice = str(override.value())
    module, extra = NEEDS.get(choice, ("", ""))
    if module and not _is_there(module):
        raise ConfigError(
            override.key_or_group,
            found=f"{choice}, whose package ({module}) is not installed",
            expected="what `uv sync` alone does not bring",
            next_step=f"install it with: uv sync --extra {extra}",
        )


def space_of(
    node: DictConfig, overrides: Sequence[Override], parser: OverridesParser, multirun: bool
) -> list[Override]:
    """What `sweep.space` of a recipe adds to a command line: the keys that it does not name itself.

    Raises ConfigError where something is left to try and no sweep was asked for: of one trial of a recipe, the
    command line names every key.
    """
    named = {override.key_or_group for override in overrides}
    added = [f"{key}={text}" for key, text in node.sweep.space.items() if key not in named]
    if added and not multirun:
        raise ConfigError(
            "sweep",
            found=f"several values of {', '.join(line.partition('=')[0] for line in added)}",
            expected="a sweep, or one value for each",
            next_step="add -m",
        )
    return [parse_override(line, parser) for line in added]


def check_sweep(node: DictConfig, settings: DictConfig, overrides: Sequence[Override]) -> None:
    """Raises ConfigError for what the chosen sweeper or launcher cannot do."""
    if settings.launcher._target_ == EC2:
        _check_on_the_machine(settings, overrides)
    ours, optuna = settings.launcher._target_ in (LOCAL, EC2), settings.sweeper._target_ == OPTUNA
    heeded = SHORT if optuna else (*SHORT, "jobs")
    for override in overrides:
        key, text = override.key_or_group, str(override.input_line).partition("=")[2]
        if isinstance(override.value(), IntervalSweep) and not optuna:
            raise ConfigError(
                key,
                found=text,
                expected="values that can be listed, such as 1,2,3 or range(1,4)",
                next_step="add hydra/sweeper=optuna, which searches intervals",
            )
        if not ours and key.removeprefix("sweep.") in heeded and key.startswith("sweep."):
            raise ConfigError(
                key,
                found=text,
                expected="a launcher that heeds it",
                next_step="leave it out, or use hydra/launcher=local",
            )


def _check_on_the_machine(settings: DictConfig, overrides: Sequence[Override]) -> None:
    """A rented machine gets this project, and no folder from elsewhere."""
    elsewhere = own_configs(settings)
    elsewhere += [str(override.input_line) for override in overrides if override.key_or_group == SEARCH_PATH]
    if elsewhere:
        key, _, found = elsewhere[0].partition("=")
        raise ConfigError(
            key,
            found=f"{found} with hydra/launcher=ec2",
            expected="files of this project, which is what a rented machine gets",
            next_step="put them into configs/, in a folder of their group",
        )


def interval_ends(node: DictConfig, key: str, value: IntervalSweep) -> list[str]:
    """Both ends as one would write them: an integer's without a point. Raises ConfigError where they are none."""
    assert value.start is not None
    assert value.end is not None
    if not value.start < value.end:
        raise ConfigError(
            key,
            found=f"interval({value.start:g},{value.end:g})",
            expected="a lower end below the upper one",
            next_step="swap them",
        )
    place = locate(node, key)
    whole = place is not None and int in (place.hint, *getattr(place.hint, "__args__", ()))
    return [str(int(end)) if whole and end == int(end) else repr(end) for end in (value.start, value.end)]


def own_configs(settings: DictConfig) -> list[str]:
    """The flags of a command line that name a user's own folder and file of configurations."""
    own = [source.path for source in settings.runtime.config_sources if source.provider == "command-line"]
    flags = [f"{DIR_FLAG}={path}" for path in own]
    name = settings.job.config_name
    return flags if name == CONFIG_NAME else [*flags, f"--config-name={name}"]


def sweep_folder(flags: Sequence[str], overrides: Sequence[Override]) -> str:
    """The folder of a sweep follows from its words, so that the same command finds it again.

    How the trials are run does not matter, nor how many: `dry_run=true` or more trials are of the same sweep.
    """
    lines = [
        str(override.input_line)
        for override in overrides
        if not override.is_hydra_override() and override.key_or_group.removeprefix("sweep.") not in HOW
    ]
    digest = hashlib.sha256("\n".join([*flags, *lines]).encode("utf-8", "surrogateescape")).hexdigest()[:8]
    names = [flag.removeprefix("--") for flag in flags if not flag.startswith(DIR_FLAG)]
    return f"{SWEEPS}/{folder_name([*names, *lines])}_{digest}"


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
