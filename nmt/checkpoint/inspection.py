"""What is in checkpoints, as plain data: for people (`commands.py` prints it) and for programs (`--json`)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nmt.checkpoint.blocks import CHUNK
from nmt.checkpoint.bundle import AVERAGE, GROUPS
from nmt.checkpoint.names import DIGESTS, extra_name, is_parameter, name_of
from nmt.checkpoint.reader import OpenCheckpoint, decoded_dtype, open_checkpoint_file, read_value
from nmt.checkpoint.values import Array
from nmt.plumbing.records import parsed


@dataclass(frozen=True)
class Row:
    """One dataset. `norm` is Euclidean, over the finite numbers; None for what is no array of numbers."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    num_bytes: int
    norm: float | None
    num_nonfinite: int


@dataclass(frozen=True)
class Change:
    """One parameter in two files; None where there are no numbers to compare."""

    name: str
    largest: float | None  # of the absolute differences; NaN where a number is not finite
    cosine: float | None  # of the two as vectors; NaN where one is all zeros


@dataclass(frozen=True)
class Difference:
    """Two files side by side: parameters by their names, averages and slots by their keys."""

    only_first: tuple[str, ...]
    only_second: tuple[str, ...]
    mismatched: tuple[str, ...]  # "NAME: (2, 3) float32, (2, 4) float32"
    changed: tuple[Change, ...]
    num_equal: int  # the same bytes


def list_file(path: Path, extras: bool = False) -> list[Row]:
    """A row a parameter, and with `extras` one for everything else too. Raises CheckpointError."""
    rows = []
    with open_checkpoint_file(path) as file:
        for key, dataset in file.datasets.items():
            if not is_parameter(key) and not extras:
                continue
            value = read_value(path, file, key)
            dtype = dataset.kind or ("text" if dataset.dtype.kind == "S" else str(dataset.dtype))
            norm, nonfinite = _norm(value) if isinstance(value, np.ndarray) else (None, 0)
            name = name_of(key) if is_parameter(key) else key
            rows.append(Row(name, dataset.shape, dtype, dataset.num_bytes, norm, nonfinite))
    return rows


def describe_file(path: Path) -> dict[str, object]:
    """Everything that is not an array: configuration, state with its history, versions; and how much there is."""
    told: dict[str, object] = {"path": str(path), "file_bytes": path.stat().st_size if path.is_file() else 0}
    with open_checkpoint_file(path) as file:
        parameters = [dataset for key, dataset in file.datasets.items() if is_parameter(key)]
        told["parameters"] = len(parameters)
        told["numbers"] = sum(math.prod(dataset.shape) for dataset in parameters)
        for key, dataset in file.datasets.items():
            if is_parameter(key) or key == DIGESTS:
                continue
            name = extra_name(key)
            if dataset.kind == "" and dataset.dtype.kind != "S":
                group = name.split(" ")[0]  # of slots there are as many as parameters: one line for all
                arrays = told.setdefault("arrays", {})
                assert isinstance(arrays, dict)
                arrays[group] = arrays.get(group, 0) + 1
            elif dataset.kind == "bytes":
                told[name] = f"{dataset.num_bytes} bytes"
            else:
                value = read_value(path, file, key)
                told[name] = _parsed(value) if name in ("state", "versions") else value
    return told


def compare_files(first: Path, second: Path, slots: bool = False) -> Difference:
    """Parameters and their moving averages, and with `slots` what else is kept for each.

    Raises CheckpointError where one of the files cannot be read.
    """
    groups = tuple(GROUPS) if slots else (AVERAGE,)
    with open_checkpoint_file(first) as a, open_checkpoint_file(second) as b:
        names = [_compared(file, groups) for file in (a, b)]
        mismatched: list[str] = []
        changed: list[Change] = []
        equal = 0
        for name in sorted(names[0].keys() & names[1].keys()):
            keys = names[0][name], names[1][name]
            there = a.datasets[keys[0]], b.datasets[keys[1]]
            kinds = [f"{dataset.shape} {decoded_dtype(dataset)}" for dataset in there]
            if kinds[0] != kinds[1]:
                mismatched.append(f"{name}: {kinds[0]}, {kinds[1]}")
                continue
            x, y = np.asarray(read_value(first, a, keys[0])), np.asarray(read_value(second, b, keys[1]))
            if x.tobytes() == y.tobytes():
                equal += 1
            else:
                changed.append(_change(name, x, y))
    return Difference(
        only_first=tuple(sorted(names[0].keys() - names[1].keys())),
        only_second=tuple(sorted(names[1].keys() - names[0].keys())),
        mismatched=tuple(mismatched),
        changed=tuple(changed),
        num_equal=equal,
    )


def _compared(file: OpenCheckpoint, groups: tuple[str, ...]) -> dict[str, str]:
    """Name -> key of what two files are compared by."""
    parameters = {name_of(key): key for key in file.datasets if is_parameter(key)}
    kept = (key for key in file.datasets if not is_parameter(key) and extra_name(key).partition(" ")[0] in groups)
    return parameters | {key: key for key in kept}


def _norm(array: Array) -> tuple[float, int]:
    """Euclidean norm of the finite numbers, and how many are not; a piece at a time."""
    flat, total, nonfinite = array.reshape(-1), 0.0, 0
    for start in range(0, flat.size, CHUNK // 8):
        piece = flat[start : start + CHUNK // 8].astype(np.float64)
        finite = np.isfinite(piece)
        nonfinite += int(piece.size - finite.sum())
        total += float(np.square(piece[finite]).sum())
    return math.sqrt(total), nonfinite


def _change(name: str, x: Array, y: Array) -> Change:
    a, b = x.reshape(-1).astype(np.float64), y.reshape(-1).astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        norms = float(np.linalg.norm(a) * np.linalg.norm(b))
        cosine = float(a @ b) / norms if norms else math.nan
        return Change(name, float(np.abs(a - b).max()), cosine)


def _parsed(value: object) -> object:
    """Text of a training state or of versions as what it says; any other text as it is."""
    try:
        return parsed(str(value))
    except ValueError:
        return value


def finite_json(value: object) -> object:
    """The same with null for numbers that JSON does not have."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): finite_json(item) for key, item in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [finite_json(item) for item in value]
    return value
