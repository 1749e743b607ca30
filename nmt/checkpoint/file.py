"""Saving to and loading from one HDF5 file; FORMAT.md beside this file is the contract."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from nmt.checkpoint import seal
from nmt.checkpoint.errors import broken, unwritten
from nmt.checkpoint.parameters import Array, Module, key_of, name_of, param_values, parameters
from nmt.checkpoint.structure import names
from nmt.errors import CheckpointError

FORMAT_VERSION = 1
Extra = bytes | str | int | float | Array


@dataclass(frozen=True)
class LoadReport:
    """What became of each name: of the module's and of the file's."""

    matched: list[str]
    missing: list[str]  # in the module alone
    unexpected: list[str]  # in the file alone
    mismatched: list[str]  # "NAME: file (2, 3) float32, model (2, 4) float32"
    skipped: list[str]  # left out by `only`


def save(
    path: Path,
    content: Module | Mapping[str, Array],
    extras: Mapping[str, Extra] | None,
    keep: Callable[[str], bool] | None = None,
) -> None:
    """Write parameters and extras so that `path` is at every moment the old file or the whole new one.

    content: a module, or values by name. extras: what goes under keys in angle brackets; with None the file holds
    `<tf_version>` alone beside the parameters, as the loader of 2018 expects. keep: which names to save.
    The bytes are on the disk when this returns. Raises CheckpointError where they cannot be.
    """
    values = content if isinstance(content, Mapping) else param_values(content)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with h5py.File(temporary, "w", userblock_size=seal.SIZE) as file:
            for name, value in values.items():
                if keep is None or keep(name):
                    _write(file, key_of(name), np.asarray(value))
            _write_extras(file, extras)
        seal.put(temporary)
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        raise unwritten(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def _write_extras(file: h5py.File, extras: Mapping[str, Extra] | None) -> None:
    tf_version = version("tensorflow").encode()
    if extras is None:
        file.create_dataset("<tf_version>", data=np.frombuffer(tf_version, np.uint8))
        return
    for key, value in {"tf_version": tf_version.decode(), "format_version": FORMAT_VERSION, **extras}.items():
        if isinstance(value, str | bytes):
            data = value.encode() if isinstance(value, str) else value
            dataset = file.create_dataset(f"<{key}>", data=np.frombuffer(data, np.uint8))
            dataset.attrs["kind"] = np.bytes_(b"text" if isinstance(value, str) else b"bytes")
        else:
            _write(file, f"<{key}>", np.asarray(value))


def _write(file: h5py.File, key: str, value: Array) -> None:
    """One dataset. bfloat16, which HDF5 does not know, is kept as its 16 bits."""
    if value.dtype.name == "bfloat16":
        dataset = file.create_dataset(key, data=value.view(np.uint16))
        dataset.attrs["dtype"] = np.bytes_(b"bfloat16")
    else:
        file.create_dataset(key, data=value)


def _read(dataset: h5py.Dataset) -> Array:
    value: Array = dataset[()]
    if "dtype" in dataset.attrs:
        from ml_dtypes import bfloat16  # optional: comes with TensorFlow

        value = np.asarray(value).view(bfloat16)
    return value


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def opened(path: Path) -> Iterator[tuple[h5py.File, list[str]]]:
    """A checked file and its keys. Raises CheckpointError for anything that is not a whole checkpoint."""
    sealed = seal.check(path)
    try:
        with h5py.File(path, "r") as file:
            yield file, names(path, file, sealed)
    except (OSError, RuntimeError) as error:
        raise broken(path, f"no readable HDF5 file ({str(error).splitlines()[0]})") from error


def read_parameters(path: Path) -> dict[str, Array]:
    """All parameters of a file by name."""
    with opened(path) as (file, keys):
        return {name_of(key): _read(file[key]) for key in keys if not key.startswith("<")}


def read_extras(path: Path) -> dict[str, Any]:
    """Everything under keys in angle brackets, by name without them; text as str, bytes as bytes."""
    extras: dict[str, Any] = {}
    with opened(path) as (file, keys):
        for key in keys:
            if not key.startswith("<"):
                continue
            value, kind = _read(file[key]), file[key].attrs.get("kind")
            data = value.tobytes()
            extras[key[1:-1]] = value if kind is None else data.decode() if kind == b"text" else data
    return extras


def load(
    path: Path,
    module: Module,
    rename: Callable[[str], str] = lambda name: name,
    only: Callable[[str], bool] = lambda name: True,
    strict: bool = True,
) -> LoadReport:
    """Assign a file's parameters to a module's variables of the same names; -> what became of each name.

    rename: from the file's name to the module's. only: which of the module's names to load. strict: nothing is
    assigned, and a CheckpointError raised, unless every name and shape fits; else what fits is assigned.
    """
    variables = parameters(module)
    with opened(path) as (file, keys):
        sources = {rename(name_of(key)): key for key in keys if not key.startswith("<")}
        report = _compare(variables, sources, file, only)
        if strict and (report.missing or report.unexpected or report.mismatched):
            raise _does_not_fit(path, report)
        for name in report.matched:
            variables[name].assign(_read(file[sources[name]]))
    return report


def _compare(
    variables: Mapping[str, Any], sources: Mapping[str, str], file: h5py.File, only: Callable[[str], bool]
) -> LoadReport:
    wanted = {name: variable for name, variable in variables.items() if only(name)}
    mismatched = {
        name: f"{name}: file {file[key].shape}, model {tuple(wanted[name].shape)}"
        for name, key in sources.items()
        if name in wanted and file[key].shape != tuple(wanted[name].shape)
    }
    return LoadReport(
        matched=[name for name in wanted if name in sources and name not in mismatched],
        missing=[name for name in wanted if name not in sources],
        unexpected=[name for name in sources if name not in variables],
        mismatched=list(mismatched.values()),
        skipped=[name for name in variables if name not in wanted],
    )


def _does_not_fit(path: Path, report: LoadReport) -> CheckpointError:
    parts = {"missing": report.missing, "unexpected": report.unexpected, "of another shape": report.mismatched}
    said = [
        f"{len(items)} {what} ({'; '.join(items[:3])}{' ...' if len(items) > 3 else ''})"
        for what, items in parts.items()
        if items
    ]
    return CheckpointError(
        str(path),
        found="parameters " + ", ".join(said),
        expected="exactly those of the model",
        next_step="use the configuration that the checkpoint was trained with",
    )
