"""`resume=RUN_FOLDER`: the folder's own configuration, with the few changes that keep it the same run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hydra.core.override_parser.types import Override

from nmt.config import mistakes
from nmt.config.overrides import leaves
from nmt.config.root import Config
from nmt.config.saved import dump, load_config, read_run_config
from nmt.errors import ConfigError

# What may change when a run goes on: how long it goes, what is kept and shown, where it is computed, and where its data
# lies (that it is the same text, a digest tells).
MAY_CHANGE = (
    "data.dir",
    "data.train",
    "data.dev",
    "data.test",
    "data.tests",
    "data.corpora",
    "metrics.wmd.vectors",
    "train.max_steps",
    "train.max_hours",
    "train.usd_per_hour",
    "train.max_usd",
    "train.log_every",
    "train.save_every",
    "train.keep",
    "train.on_disk_error",
    "train.early_stopping.patience",
    "train.device",
    "train.distribution",
    "train.devices",
    "train.worker_wait_s",
    "train.threads",
    "train.xla",
)


def resumed_config(folder: Path, overrides: Sequence[Override]) -> Config:
    """The configuration of the run in `folder` with the values of `overrides`.

    Raises ConfigError where there is no such run, or where an override changes what may not change (MAY_CHANGE).
    """
    before = read_run_config(folder)
    after = read_run_config(folder, [str(override.input_line) for override in overrides])
    refuse_changes(f"resume={folder}", before, after)
    after.resume = str(folder)
    return after


def refuse_changes(place: str, before: Config, after: Config) -> None:
    """Raises ConfigError, with the difference, unless both are of one run (MAY_CHANGE)."""
    old, new = _by_key(before), _by_key(after)
    refused = [
        f"{key} {mistakes.show(old.get(key))} -> {mistakes.show(new.get(key))}"
        for key in {**old, **new}
        if old.get(key) != new.get(key) and not (_may_change(key) and key in old and key in new)
    ]
    if refused:
        raise ConfigError(
            place,
            found=", ".join(refused),
            expected=f"no change but of {', '.join(MAY_CHANGE)}",
            next_step="start a new run, with train.init_from to begin at these weights",
        )


def _by_key(config: Config) -> dict[str, object]:
    """A value, or all those of a list, for each key."""
    found: dict[str, list[object]] = {}
    for key, value in leaves(config):
        found.setdefault(key, []).append(value)
    return {key: values[0] if len(values) == 1 else values for key, values in found.items()}


def _may_change(key: str) -> bool:
    """Of a key, or of an entry of one: data.tests.NAME."""
    return any(key == one or key.startswith(f"{one}.") for one in (*MAY_CHANGE, "resume", "data.base"))


def continued(folder: Path, config: Config) -> Config:
    """Of a sweep's job: the run that its folder holds already, where that is the same one; else `config` as it is.

    So the same sweep goes on where it was interrupted, whatever launcher runs it.
    """
    if not any((folder / "checkpoints").glob("*.h5")):
        return config
    saved = replace(read_run_config(folder), resume=None)
    here = replace(config.train, device=saved.train.device, threads=saved.train.threads)
    now = load_config(dump(replace(config, train=here)))  # with its paths as those that were read have them
    return replace(saved, resume=str(folder)) if now == saved else config
