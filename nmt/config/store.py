"""Tells Hydra about our dataclasses: the defaults live there, and files in `configs/` say only what differs."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, OmegaConf

from nmt.config.data import CaptionsConfig, DataConfig, EnjaConfig, FilesConfig, MixtureConfig, Multi30kConfig
from nmt.config.launch import Launch, LaunchConfig, MachineConfig
from nmt.config.metrics import MetricsConfig
from nmt.config.model import ModelConfig
from nmt.config.root import CommandLine
from nmt.config.search import SearchConfig
from nmt.config.subword import SubwordConfig
from nmt.config.sweep import Ec2LauncherConfig, LauncherConfig, OptunaConfig
from nmt.config.train import TrainConfig

_HERE = Path(__file__).resolve()
# Inside the package where that is installed, beside it in the repository.
CONFIGS = next(folder for folder in (_HERE.parents[1] / "configs", _HERE.parents[2] / "configs") if folder.is_dir())

# `data.source` of a configuration -> the class that holds it.
SOURCES: dict[str, type[DataConfig]] = {
    "captions": CaptionsConfig,
    "multi30k": Multi30kConfig,
    "enja": EnjaConfig,
    "files": FilesConfig,
    "mixture": MixtureConfig,
}
SCHEMAS: dict[str, type] = {
    "subword": SubwordConfig,
    "model": ModelConfig,
    "search": SearchConfig,
    "train": TrainConfig,
    "metrics": MetricsConfig,
}
# The groups that are ours to choose from on the command line, in the order of `configs/config.yaml`.
GROUPS = ("data", *SCHEMAS, "experiment", "sweep", "debug")
# Those of `configs/launch_command.yaml`, which `python -m nmt.launch` reads.
LAUNCH_SCHEMAS: dict[str, type] = {"machine": MachineConfig, "launch": LaunchConfig}
LONGEST_NAME = 120


@cache
def register() -> None:
    """Make the schemas known to Hydra, and the resolver that names the folders of a sweep: once for a process."""
    root = OmegaConf.structured(CommandLine)
    root.data = MISSING  # a data option replaces the whole node: options have different fields
    store = ConfigStore.instance()
    store.store(name="schema", node=root)
    for source, schema in SOURCES.items():
        store.store(group="schema/data", name=source, node=schema)
    store.store(name="schema_launch", node=Launch)
    for group, schema in (SCHEMAS | LAUNCH_SCHEMAS).items():
        store.store(group="schema", name=group, node=schema)
    store.store(group="hydra/launcher", name="local", node=LauncherConfig)
    store.store(group="hydra/launcher", name="ec2", node=Ec2LauncherConfig)
    store.store(group="hydra/sweeper", name="optuna", node=OptunaConfig)
    OmegaConf.register_new_resolver("folder_name", folder_name, replace=True)


def options(group: str) -> list[str]:
    """The choices that a group offers, sorted."""
    return sorted(path.stem for path in (CONFIGS / group).glob("*.yaml"))


def folder_name(overrides: list[str]) -> str:
    """Overrides as one folder name: ["model.units=256", "seed=1"] -> "model.units-256_seed-1".

    What says how a sweep is run (`sweep.jobs=2`) is left out.

    Letters, digits and `.+_-` alone, so that no shell, no CSV and no override needs a quote around it.
    """
    said = [override for override in overrides if not override.startswith("sweep.")]
    words = (re.sub(r"[^A-Za-z0-9.+_]+", "-", override.lstrip("+~")).strip("-") for override in said)
    return "_".join(words)[:LONGEST_NAME] or "default"
