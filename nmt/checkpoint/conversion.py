"""To and from two other kinds of file: NumPy's `.npz` and `.safetensors`.

Parameters keep their names, with slashes; everything else keeps its key in angle brackets. What the other format
cannot say (text, bytes, single numbers; in `.npz` bfloat16 and truth values too) is told by a table of types: the entry
`<types>` of an `.npz`, the metadata `types` of a safetensors file.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nmt.checkpoint.atomic import replaced
from nmt.checkpoint.file import read_extras, read_parameters, save
from nmt.checkpoint.names import RESERVED, extra_key, extra_name, is_parameter, plain_name
from nmt.checkpoint.refusals import cannot_read
from nmt.checkpoint.safetensors import read_safetensors, write_safetensors
from nmt.checkpoint.values import Stored, Value, decode, encode, misfit
from nmt.errors import CheckpointError
from nmt.plumbing.archives import BROKEN_NPZ
from nmt.plumbing.records import parsed

TYPES = "<types>"
RATIO, ROOM = 20, 1 << 26  # a packed file may unpack to this many times its bytes, and this many more
NPY = ".npy"
FOREIGN = (".npz", ".safetensors")
ENDINGS = (".h5", ".hdf5", *FOREIGN)

Content = dict[str, Stored]  # name of a parameter, or key of anything else


def convert_file(source: Path, target: Path) -> int:
    """Write what `source` holds to `target`, each of the kind that its name ends in; -> how many entries.

    Raises CheckpointError for other endings, a file that cannot be read, or one that cannot be written.
    """
    for path in (source, target):
        if path.suffix not in ENDINGS:
            raise CheckpointError(
                str(path),
                found=f"a name ending in {path.suffix or 'nothing'}",
                expected="one of " + ", ".join(ENDINGS),
                next_step="rename the file",
            )
    try:
        content = _read(source)
    except OSError as error:
        raise cannot_read(source, error) from error
    _write(target, content)
    return len(content)


def save_as(path: Path, parameters: Mapping[str, Any], extras: Mapping[str, Value]) -> None:
    """`save` in the format that the name ends in: .npz, .safetensors, else HDF5. Raises CheckpointError."""
    if path.suffix not in FOREIGN:
        save(path, parameters, extras)
        return
    values = {name: value.numpy() if hasattr(value, "numpy") else value for name, value in parameters.items()}
    values |= {extra_key(name): value for name, value in extras.items()}
    _write(path, {name: encode(name, value) for name, value in values.items()})


def _read(path: Path) -> Content:
    if path.suffix == ".npz":
        return _typed(path, *_read_npz(path))
    if path.suffix == ".safetensors":
        arrays, metadata = read_safetensors(path)
        return _typed(path, arrays, metadata.get("types", "{}"))
    extras = read_extras(path, only=lambda name: f"<{name}>" not in RESERVED)
    values: dict[str, Value] = {**read_parameters(path)}
    values |= {extra_key(name): value for name, value in extras.items()}
    return {name: encode(name, value) for name, value in values.items()}


def _write(path: Path, content: Content) -> None:
    if path.suffix == ".npz":
        _write_npz(path, content)
    elif path.suffix == ".safetensors":
        native = ("", "bfloat16", "bool")
        types = {name: stored.kind for name, stored in content.items() if stored.kind not in native}
        write_safetensors(path, content, {"types": json.dumps(types, sort_keys=True)} if types else {})
    else:
        values = {name: decode(stored) for name, stored in content.items()}
        extras = {extra_name(name): value for name, value in values.items() if not is_parameter(name)}
        save(path, {name: value for name, value in values.items() if is_parameter(name)}, extras)


def _write_npz(path: Path, content: Content) -> None:
    """Not packed, each array in one piece; the table of types last."""
    types = {name: stored.kind for name, stored in content.items() if stored.kind}
    text = np.frombuffer(json.dumps(types, sort_keys=True).encode(), np.uint8)
    arrays = {name: stored.array for name, stored in content.items()} | ({TYPES: text} if types else {})
    with (
        replaced(path, sync=True) as fd,
        open(fd, "wb", closefd=False) as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive,
    ):
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(name + NPY), "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)  # type: ignore[no-untyped-call]


def _read_npz(path: Path) -> tuple[dict[str, np.ndarray], str]:
    """Arrays and the table of types. Nothing is unpickled. Raises CheckpointError."""
    arrays: dict[str, np.ndarray] = {}
    with path.open("rb") as content:
        try:
            with zipfile.ZipFile(content) as archive:
                entries = archive.infolist()
                unpacked, packed = sum(entry.file_size for entry in entries), os.fstat(content.fileno()).st_size
                if unpacked > ROOM + RATIO * packed:
                    raise _not(path, f"{unpacked:,} bytes packed into {packed:,}")
                for entry in entries:
                    with archive.open(entry) as file:
                        arrays[entry.filename.removesuffix(NPY)] = np.lib.format.read_array(file, allow_pickle=False)  # type: ignore[no-untyped-call]
        except BROKEN_NPZ as error:
            raise _not(path, f"a file that NumPy cannot read ({' '.join(str(error).split())[:120]})") from None
    types = arrays.pop(TYPES, None)
    return arrays, "{}" if types is None else types.tobytes().decode("utf-8", "replace")


def _typed(path: Path, arrays: Mapping[str, np.ndarray], types_text: str) -> Content:
    """The arrays with what they stand for. Raises CheckpointError where the table does not fit them."""
    try:
        types = parsed(types_text)
    except ValueError:
        types = None
    if not isinstance(types, dict):
        raise _not(path, "a broken table of types")
    content: Content = {}
    for given, array in arrays.items():
        if given in RESERVED:
            continue
        name = plain_name(given)
        if name in content:
            raise _not(path, f"two arrays for {name!r}")
        stored = encode(name, array)
        if given in types:
            fault = misfit(array.dtype, array.shape, str(types[given]))
            if fault:
                raise _not(path, f"{fault} at {name!r}")
            stored = Stored(stored.array, types[given])
        try:
            decode(stored)
        except ValueError as error:
            raise _not(path, f"{error} at {name!r}") from None
        content[name] = stored
    return content


def _not(path: Path, found: str) -> CheckpointError:
    return CheckpointError(
        str(path), found=found, expected="plain arrays by name", next_step="write the file anew, without pickling"
    )
