"""Save and load weights: one HDF5 dataset a variable, through param setters. FORMAT.md is the contract of the file.

save("best.h5", model, {"config": text})
load("best.h5", model)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nmt.checkpoint.handover import assign_all
from nmt.checkpoint.names import DIGESTS, extra_name, is_parameter, name_of
from nmt.checkpoint.pace import Pace
from nmt.checkpoint.parameters import Module, Setter, named, param_setters
from nmt.checkpoint.reader import OpenCheckpoint, decoded_dtype, open_checkpoint_file, read_value
from nmt.checkpoint.values import Value
from nmt.checkpoint.writer import write_checkpoint
from nmt.errors import CheckpointError

Rename = Mapping[str, str] | Callable[[str], str]
Predicate = Callable[[str], bool]
LISTED = 3  # how many names an error lists


@dataclass(frozen=True)
class Fit:
    """A variable and what a file has for it; shape and type as `f"{shape} {dtype}"`."""

    name: str
    in_file: str
    in_module: str


@dataclass(frozen=True)
class LoadReport:
    """What `load` did. Names are those of the module, but `unexpected`, which only the file has."""

    matched: tuple[Fit, ...] = ()  # assigned
    renamed: Mapping[str, str] = field(
        default_factory=dict
    )  # name in the file -> name in the module, of those assigned
    skipped: tuple[str, ...] = ()  # left out by `only`
    missing: tuple[str, ...] = ()  # variables that the file has nothing for
    unexpected: tuple[str, ...] = ()  # names in the file that the module has no variable for
    mismatched: tuple[Fit, ...] = ()  # shape or type differ

    def __str__(self) -> str:
        parts = [f"{len(self.matched)} matched"]
        for called in ("renamed", "skipped", "missing", "unexpected", "mismatched"):
            if getattr(self, called):
                parts.append(f"{len(getattr(self, called))} {called}")
        return ", ".join(parts)


def save(
    path: str | Path,
    module_or_mapping: Module | Mapping[str, Any],
    extras: Mapping[str, Value] | None,
    keep: Predicate | None = None,
    sync: bool = True,
    pace: Pace | None = None,
) -> None:
    """Write parameters and extras to `path`, whole or not at all.

    Parameters are a module's variables or a mapping of arrays by name; `keep` says which names are written. Extras
    are text, bytes, numbers or arrays by name; None writes a file that the loader of 2018 reads too. With `sync` the
    file is on the disk when this returns. With `pace` it takes only that share of the processor.

    Raises CheckpointError for names or types that the file cannot hold, and where the disk refuses; a file that was
    there before is then untouched.
    """
    parameters = named(module_or_mapping)
    chosen = {name: value for name, value in parameters.items() if keep is None or keep(name)}
    write_checkpoint(Path(path), chosen, extras, sync, pace)


def load(
    path: str | Path,
    module: Module,
    rename: Rename | None = None,
    only: Predicate | None = None,
    strict: bool = True,
) -> LoadReport:
    """Assign the parameters of a file to the variables of the same names, all of them or none.

    `rename` turns a name in the file into one of the module; `only` says which names of the module are wanted. With
    `strict` every wanted variable must be there, no parameter be left over, and shapes and types be equal; otherwise
    what fits is assigned and the rest reported. Needs memory for two variables, the largest ones.

    Raises CheckpointError before anything is assigned.
    """
    with open_checkpoint_file(path) as file:
        keys, renamed = _renamed(Path(path), file, rename)
        return assign(Path(path), file, param_setters(module), keys, renamed, only, strict)


def assign(
    path: Path,
    file: OpenCheckpoint,
    setters: Mapping[str, Setter],
    keys: Mapping[str, str],
    renamed: Mapping[str, str] | None = None,
    only: Predicate | None = None,
    strict: bool = True,
) -> LoadReport:
    """As `load`, from a file that is open: what stands at `keys`, by name, through the setters of these names."""
    report = _compare(file, keys, renamed or {}, setters, only)
    if strict:
        _insist(path, report)
    file.check_all(keys[fit.name] for fit in report.matched)
    assign_all(path, file, [(keys[fit.name], setters[fit.name]) for fit in report.matched])
    return report


def read_parameters(path: str | Path, only: Predicate | None = None) -> dict[str, np.ndarray]:
    """Name -> value of the parameters of a file that `only` wants. Raises CheckpointError."""
    with open_checkpoint_file(path) as file:
        names = {key: name_of(key) for key in file.datasets if is_parameter(key)}
        return {name: _array(Path(path), file, key) for key, name in names.items() if only is None or only(name)}


def read_extras(path: str | Path, only: Predicate | None = None) -> dict[str, Value]:
    """Name -> value of everything in a file that is not a parameter, `tf_version` and `format_version` among them.

    A file of 2018 has `tf_version` alone. Raises CheckpointError.
    """
    with open_checkpoint_file(path) as file:
        names = {key: extra_name(key) for key in file.datasets if not is_parameter(key) and key != DIGESTS}
        return {name: read_value(Path(path), file, key) for key, name in names.items() if only is None or only(name)}


def verify(path: str | Path) -> int:
    """Check every byte of a file against its digests; -> number of datasets. Raises CheckpointError.

    Foreign files have none: for those it says only that they can be read.
    """
    with open_checkpoint_file(path) as file:
        return check_whole(Path(path), file)


def check_whole(path: Path, file: OpenCheckpoint) -> int:
    """As `verify`, of a file that is open."""
    file.check_all(file.datasets)
    for key, dataset in file.datasets.items():
        if dataset.kind == "bool" or dataset.kind == "text":  # not every byte is one
            read_value(path, file, key)
    return len(file.datasets)


def _renamed(path: Path, file: OpenCheckpoint, rename: Rename | None) -> tuple[dict[str, str], dict[str, str]]:
    """Name in the module -> key; and the names that changed."""
    keys: dict[str, str] = {}
    renamed: dict[str, str] = {}
    for key in filter(is_parameter, file.datasets):
        old = name_of(key)
        new = old if rename is None else rename.get(old, old) if isinstance(rename, Mapping) else rename(old)
        if new in keys:
            raise CheckpointError(
                str(path),
                found=f"two parameters for {new!r} after renaming",
                expected="one",
                next_step="make the rule of renaming tell them apart",
            )
        keys[new] = key
        if new != old:
            renamed[old] = new
    return keys, renamed


def _compare(
    file: OpenCheckpoint,
    keys: Mapping[str, str],
    renamed: Mapping[str, str],
    setters: Mapping[str, Setter],
    only: Predicate | None,
) -> LoadReport:
    wanted = [name for name in setters if only is None or only(name)]
    fits: dict[bool, list[Fit]] = {True: [], False: []}
    for name in wanted:
        if name in keys:
            dataset, setter = file.datasets[keys[name]], setters[name]
            dtype = decoded_dtype(dataset)
            same = dataset.shape == setter.shape and dtype == setter.dtype
            fit = Fit(name, f"{dataset.shape} {dtype}", f"{setter.shape} {setter.dtype}")
            fits[same].append(fit)
    assigned = {fit.name for fit in fits[True]}
    return LoadReport(
        matched=tuple(fits[True]),
        renamed={old: new for old, new in renamed.items() if new in assigned},
        skipped=tuple(name for name in keys if only is not None and not only(name)),
        missing=tuple(name for name in wanted if name not in keys),
        unexpected=tuple(name for name in keys if name not in setters and (only is None or only(name))),
        mismatched=tuple(fits[False]),
    )


def _insist(path: Path, report: LoadReport) -> None:
    """Raises CheckpointError unless everything fits."""
    faults = []
    if report.mismatched:
        listed = [f"{fit.name} {fit.in_file} for {fit.in_module}" for fit in report.mismatched]
        faults.append("the wrong shape or type of " + _some(listed))
    if report.missing:
        faults.append("nothing for " + _some(report.missing))
    if report.unexpected:
        faults.append("the unknown " + _some(report.unexpected))
    if faults:
        raise CheckpointError(
            str(path),
            found=" and ".join(faults),
            expected="the parameters of this model, each once",
            next_step="build the model from the file's own configuration, or say what to rename or leave out",
        )


def _some(names: tuple[str, ...] | list[str]) -> str:
    rest = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {rest} more" if rest > 0 else "")


def _array(path: Path, file: OpenCheckpoint, key: str) -> np.ndarray:
    value = read_value(path, file, key)
    assert isinstance(value, np.ndarray), "a parameter is an array"
    return value
