"""The safetensors format (its public specification, one page): a length, a JSON header, the numbers.

    8 bytes: length of the header; the header: {NAME: {"dtype", "shape", "data_offsets"}, "__metadata__": {text: text}}

Read strictly: offsets cover the rest of the file without gaps or overlaps, as the specification asks.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nmt.checkpoint.atomic import replaced
from nmt.checkpoint.blocks import bytes_of, read_into, write_at
from nmt.checkpoint.hdf5_dataset import LARGEST_SIZE, MOST_RANK
from nmt.checkpoint.values import BFLOAT16, Stored
from nmt.errors import CheckpointError

LARGEST_HEADER = 1 << 26
METADATA = "__metadata__"
CODES = {
    "BOOL": np.dtype(np.bool_),
    "U8": np.dtype("u1"),
    "I8": np.dtype("i1"),
    "U16": np.dtype("<u2"),
    "I16": np.dtype("<i2"),
    "U32": np.dtype("<u4"),
    "I32": np.dtype("<i4"),
    "U64": np.dtype("<u8"),
    "I64": np.dtype("<i8"),
    "F16": np.dtype("<f2"),
    "BF16": BFLOAT16,
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
}


def write_safetensors(path: Path, content: Mapping[str, Stored], metadata: Mapping[str, str]) -> None:
    """bfloat16 and truth values as such; other kinds are the caller's to tell. Raises CheckpointError."""
    header: dict[str, Any] = {METADATA: dict(metadata)} if metadata else {}
    names = {"bfloat16": "BF16", "bool": "BOOL"}
    codes = {dtype: code for code, dtype in CODES.items()}
    offset = 0
    for name, stored in content.items():
        code = names[stored.kind] if stored.kind in names else codes[stored.array.dtype]
        shape, end = list(stored.array.shape), offset + stored.array.nbytes
        header[name] = {"dtype": code, "shape": shape, "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, ensure_ascii=False).encode()
    text = text.ljust((len(text) + 7) // 8 * 8)  # numbers begin at a multiple of 8
    with replaced(path, sync=True) as fd:
        write_at(fd, len(text).to_bytes(8, "little") + text, 0)
        at = 8 + len(text)
        for stored in content.values():
            write_at(fd, bytes_of(stored.array), at)
            at += stored.array.nbytes


def read_safetensors(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Arrays by name, and the metadata. Raises CheckpointError for anything but a well-formed file, and OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(fd).st_size
        start, header = _header(path, fd, size)
        metadata = header.pop(METADATA, {})
        if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
            raise _not(path, "metadata that are not text")
        entries = sorted((_entry(path, name, entry) for name, entry in header.items()), key=lambda line: line[3])
        arrays: dict[str, np.ndarray] = {}
        at = 0
        for name, dtype, shape, begin, end in entries:
            if begin != at or end - begin != math.prod(shape) * dtype.itemsize or start + end > size:
                raise _not(path, f"offsets {begin} to {end} of {name!r}")
            arrays[name] = np.empty(shape, dtype)
            if not read_into(fd, bytes_of(arrays[name]), start + begin):
                raise _not(path, f"an end of file inside {name!r}")
            at = end
        if start + at != size:
            raise _not(path, "bytes that belong to no array")
        return arrays, metadata
    finally:
        os.close(fd)


def _header(path: Path, fd: int, size: int) -> tuple[int, dict[str, Any]]:
    length = int.from_bytes(os.pread(fd, 8, 0), "little")
    if size < 8 or length > min(size - 8, LARGEST_HEADER):
        raise _not(path, "a header longer than the file")
    buffer = bytearray(length)
    read_into(fd, memoryview(buffer), 8)
    try:
        header = json.loads(buffer)
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict):
        raise _not(path, "a header that is not JSON")
    return 8 + length, header


def _entry(path: Path, name: str, entry: Any) -> tuple[str, np.dtype[Any], tuple[int, ...], int, int]:
    try:
        dtype, shape = CODES[entry["dtype"]], tuple(entry["shape"])
        begin, end = entry["data_offsets"]
        whole = all(type(number) is int and number >= 0 for number in (*shape, begin, end))
    except (KeyError, TypeError, ValueError):
        raise _not(path, f"a broken entry {name!r}") from None
    if not whole or len(shape) > MOST_RANK or math.prod(side for side in shape if side) > LARGEST_SIZE:
        raise _not(path, f"a broken entry {name!r}")
    return name, dtype, shape, begin, end


def _not(path: Path, found: str) -> CheckpointError:
    return CheckpointError(
        str(path), found=found, expected="a well-formed safetensors file", next_step="write the file anew"
    )
