"""New checkpoints from old ones: the mean of several, or parts of one put into another.

Both take what evaluation uses, the moving average of the weights where a file has it. What is kept for each parameter
(the optimiser's slots, the moving average) belongs to the old weights and is left out, so the result can be evaluated
or be a start (`train.init_from`), and cannot be resumed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

from nmt.checkpoint.bundle import VOCABULARY, common_extras, evaluated
from nmt.checkpoint.conversion import save_as
from nmt.checkpoint.names import extra_key
from nmt.checkpoint.reader import OpenCheckpoint, decoded_dtype, open_checkpoint_file, read_value
from nmt.checkpoint.values import BFLOAT16, Array, Value
from nmt.errors import CheckpointError

PIECES = {
    "subword_kind": "kind of pieces",
    "subword_joint": "joining of the vocabularies",
    "subword_src": "source vocabulary",
    "subword_tgt": "target vocabulary",
}


@dataclass(frozen=True)
class Deferred:
    """A parameter that is computed when it is written, so that one at a time is in memory."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    numpy: Callable[[], Array]


def average_files(sources: Sequence[Path], target: Path, extras: Mapping[str, Value] | None = None) -> int:
    """Write the mean of each parameter over the files; -> how many. Extras are the first file's unless they are given.

    Sums are float64. Integers and truth values have no mean that is one: they must be the same in all files.
    Raises CheckpointError where names, shapes or types differ.
    """
    with ExitStack() as stack:
        files = [(path, stack.enter_context(open_checkpoint_file(path))) for path in sources]
        keys = [evaluated(file) for _, file in files]
        for (path, file), names in zip(files[1:], keys[1:], strict=True):
            _insist_same(sources[0], files[0][1], keys[0], path, file, names)
            _insist_same_pieces(*files[0], path, file, VOCABULARY)

        def mean(name: str) -> Deferred:
            first, dtype = files[0][1].datasets[keys[0][name]], decoded_dtype(files[0][1].datasets[keys[0][name]])

            def numpy() -> Array:
                arrays = (_read(path, file, names[name]) for (path, file), names in zip(files, keys, strict=True))
                return _mean(name, dtype, arrays, len(files))

            return Deferred(first.shape, dtype, numpy)

        parameters = {name: mean(name) for name in keys[0]}
        extras = common_extras(*files[0]) if extras is None else extras
        save_as(target, parameters, {**extras, "made_by": "average of " + ", ".join(path.name for path in sources)})
        return len(parameters)


def graft_files(
    base: Path, donor: Path, target: Path, only: Sequence[str], rename: Mapping[str, str], add: bool
) -> list[str]:
    """Write `base` with parameters of `donor` in it; -> their names.

    `rename`: a leading part of the donor's names -> what stands there in the base. `only`: shell patterns of the
    base's names. Names that the base does not have are refused unless `add`. Extras are the base's.
    Raises CheckpointError where nothing is taken, or shapes or types differ.
    """
    with open_checkpoint_file(base) as below, open_checkpoint_file(donor) as above:
        kept, given = evaluated(below), evaluated(above)
        taken = {renamed(name, rename): name for name in given}
        if len(taken) != len(given):
            raise _refused(donor, "two parameters of one name after renaming", "names that stay apart")
        taken = {new: old for new, old in taken.items() if any(fnmatchcase(new, pattern) for pattern in only)}
        if not taken:
            raise _refused(donor, f"no parameter called {' or '.join(only)}", "at least one to take")
        for new, old in taken.items():
            if new not in kept and not add:
                raise _refused(base, f"no parameter {new!r}", "one for each that is taken")
            if new in kept and _fit(below, kept[new]) != _fit(above, given[old]):
                found = f"{_fit(above, given[old])} for {_fit(below, kept[new])} at {new!r}"
                raise _refused(donor, found, "the same shape and type")
        _insist_same_pieces(base, below, donor, above, pieces_of(taken))
        parameters = {name: _deferred(base, below, key) for name, key in kept.items() if name not in taken}
        parameters |= {new: _deferred(donor, above, given[old]) for new, old in taken.items()}
        made_by = f"{len(taken)} parameters of {donor.name} in {base.name}"
        save_as(target, parameters, {**common_extras(base, below), "made_by": made_by})
        return sorted(taken)


def renamed(name: str, rules: Mapping[str, str]) -> str:
    """The first rule that fits replaces the leading part of a name, at a slash: encoder=left: encoder/a -> left/a."""
    for old, new in rules.items():
        if name == old or name.startswith(old + "/"):
            return new + name[len(old) :]
    return name


def pieces_of(names: Iterable[str]) -> tuple[str, ...]:
    """Of VOCABULARY, what says which piece each row of these parameters stands for."""
    rows = [name for name in names if name.endswith("/table") or name == "output/bias"]
    sides = {"subword_src" if name.startswith("encoder/") else "subword_tgt" for name in rows}
    return tuple(key for key in VOCABULARY if rows and key not in {"subword_src", "subword_tgt"} - sides)


def _insist_same_pieces(first: Path, a: OpenCheckpoint, other: Path, b: OpenCheckpoint, names: tuple[str, ...]) -> None:
    """Raises CheckpointError where both files say what their rows stand for, and it is not the same."""
    for name in names:
        key = extra_key(name)
        if key in a.datasets and key in b.datasets and read_value(first, a, key) != read_value(other, b, key):
            raise CheckpointError(
                str(other),
                found=f"another {PIECES[name]}",
                expected=f"that of {first}",
                next_step="take files of the same subwords: rows of one stand for other pieces than those of the other",
            )


def _insist_same(
    first: Path, a: OpenCheckpoint, a_keys: Mapping[str, str], other: Path, b: OpenCheckpoint, b_keys: Mapping[str, str]
) -> None:
    apart = sorted(a_keys.keys() ^ b_keys.keys())
    if apart:
        raise _refused(other, f"{apart[0]!r} in only one of it and {first}", "the same parameters in all files")
    for name, key in a_keys.items():
        if _fit(a, key) != _fit(b, b_keys[name]):
            found = f"{_fit(b, b_keys[name])} for {_fit(a, key)} at {name!r}"
            raise _refused(other, found, f"the shapes and types of {first}")


def _mean(name: str, dtype: np.dtype[Any], arrays: Any, count: int) -> Array:
    if dtype.kind == "f" or dtype == BFLOAT16:
        total = sum(array.astype(np.float64) for array in arrays)
        return np.asarray(total / count).astype(dtype)
    first, *others = arrays
    if any(not np.array_equal(first, other) for other in others):
        raise CheckpointError(
            name,
            found=f"{dtype} numbers that differ",
            expected="the same in all files, since they have no mean",
            next_step="average files of one run",
        )
    return np.asarray(first)


def _deferred(path: Path, file: OpenCheckpoint, key: str) -> Deferred:
    return Deferred(file.datasets[key].shape, decoded_dtype(file.datasets[key]), lambda: _read(path, file, key))


def _read(path: Path, file: OpenCheckpoint, key: str) -> Array:
    return np.asarray(read_value(path, file, key))


def _fit(file: OpenCheckpoint, key: str) -> str:
    return f"{file.datasets[key].shape} {decoded_dtype(file.datasets[key])}"


def _refused(path: Path, found: str, expected: str) -> CheckpointError:
    return CheckpointError(
        str(path),
        found=found,
        expected=expected,
        next_step="see what the files hold with `python -m nmt.checkpoint ls`",
    )
