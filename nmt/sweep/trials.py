"""A trial of a sweep: which run it is."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from nmt.config.metrics import Figure
from nmt.config.root import Config
from nmt.config.saved import dump
from nmt.config.train import Device
from nmt.sweep.ledger import Standing


@dataclass(frozen=True)
class Trial:
    """`python train.py FLAGS OVERRIDES hydra.run.dir=FOLDER` is the same run alone."""

    number: int
    overrides: tuple[str, ...]
    ident: str  # digest of what it computes: the whole configuration, whatever wrote it
    group: str  # ... without its seed
    figure: Figure  # what it is chosen by
    folder: Path
    name: str  # what it tries, in words
    flags: tuple[str, ...] = ()  # what else it is composed with: a user's own configurations, settings of Hydra


def make_trial(
    number: int, overrides: tuple[str, ...], config: Config, folder: Path, name: str, flags: tuple[str, ...] = ()
) -> Trial:
    figure = config.train.early_stopping.figure
    return Trial(number, overrides, identify(config), identify(replace(config, seed=0)), figure, folder, name, flags)


def key_of(override: str) -> str:
    """+data.tests.a=P -> data.tests.a"""
    return override.lstrip("+~").partition("=")[0]


def identify(config: Config) -> str:
    """12 hexadecimal digits of what a run computes; where it is computed and what it logs do not matter."""
    price = None if config.train.max_usd is None else 1.0
    where = replace(config.train, device=Device.auto, threads=0, log_every=1, usd_per_hour=price)
    return hashlib.sha256(dump(replace(config, train=where, resume=None)).encode()).hexdigest()[:12]


def place(trial: Trial, standings: Mapping[str, Standing]) -> Trial:
    """The trial in the folder that it has in the ledger, or in one that no other trial has."""
    if trial.ident in standings:
        return replace(trial, folder=trial.folder.parent / standings[trial.ident].folder)
    taken = {standing.folder for standing in standings.values()}
    name, count = trial.folder.name, 2
    while name in taken:
        name, count = f"{trial.folder.name}_{count}", count + 1
    return replace(trial, folder=trial.folder.parent / name)
