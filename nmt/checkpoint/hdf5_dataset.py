"""What the messages of one HDF5 object say, if it is a dataset as we write them: contiguous, of plain numbers.

The numbers of the messages are those of the HDF5 File Format Specification, section IV.A.2.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nmt.checkpoint.names import TF_VERSION
from nmt.checkpoint.refusals import damaged, not_allowed
from nmt.checkpoint.values import PLAIN, misfit

Message = tuple[int, bytes]

NOWHERE = 2**64 - 1  # HDF5's undefined address
MOST_RANK = 32
LARGEST_SIZE = 1 << 48
ATTRIBUTE = "type"
LONGEST_VERSION = 64

_NIL, _SPACE, _TYPE, _OLD_FILL, _FILL, _LAYOUT, _ATTRIBUTE, _TIME = 0, 1, 3, 4, 5, 8, 12, 18
_IGNORED = (_NIL, _OLD_FILL, _FILL, _TIME)  # numbers are always written, so what fills the rest does not matter
_REFUSED = {
    2: "a group",
    6: "a group",
    7: "a dataset stored in external files",
    10: "a group",
    11: "a dataset behind a filter (compression)",
    17: "a group",
}
_LAYOUTS = {0: "a compact dataset", 2: "a dataset in chunks", 3: "a virtual dataset"}
_CLASSES = {
    2: "times",
    3: "text",
    4: "bit fields",
    5: "opaque bytes",
    6: "compound records",
    7: "references",
    8: "enumerations",
    9: "variable-length records",
    10: "arrays as elements",
}


@dataclass(frozen=True)
class Dataset:
    """One dataset: what its numbers are and where in the file they lie (`num_bytes` 0: nowhere)."""

    key: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    kind: str  # the attribute `type`: what the numbers stand for, "" where they are just that
    offset: int
    num_bytes: int


def _encoded(dtype: np.dtype[Any]) -> bytes:
    """The datatype message of little-endian numbers."""
    bits = dtype.itemsize * 8
    if dtype.kind in "iu":
        return struct.pack("<B3BIHH", 0x10, 8 if dtype.kind == "i" else 0, 0, 0, dtype.itemsize, 0, bits)
    info = np.finfo(dtype)
    sizes = (info.nmant, info.iexp, 0, info.nmant, (1 << (info.iexp - 1)) - 1)
    return struct.pack("<B3BIHHBBBBI", 0x11, 0x20, bits - 1, 0, dtype.itemsize, 0, bits, *sizes)


_TYPES = {_encoded(dtype): dtype for dtype in PLAIN}


def describe(path: Path, key: str, messages: list[Message], base: int) -> Dataset:
    """The dataset that an object's messages describe; `base` is where addresses count from. Raises CheckpointError."""
    parts: dict[int, bytes] = {}
    for number, body in messages:
        if number in _REFUSED:
            raise not_allowed(path, f"{_REFUSED[number]} at {key!r}")
        if number in _IGNORED:
            continue
        if number not in (_SPACE, _TYPE, _LAYOUT, _ATTRIBUTE) or number in parts:
            raise not_allowed(path, f"an unknown part (HDF5 message {number}) at {key!r}")
        parts[number] = body
    if not {_SPACE, _TYPE, _LAYOUT} <= set(parts):
        raise not_allowed(path, f"something other than a dataset at {key!r}")
    try:
        shape = _shape(path, key, parts[_SPACE])
        dtype = _dtype(path, key, parts[_TYPE])
        offset, num_bytes = _place(path, key, parts[_LAYOUT], base)
        kind = _kind(path, key, parts[_ATTRIBUTE]) if _ATTRIBUTE in parts else ""
    except struct.error:
        raise damaged(path, f"a part of the wrong size at {key!r}") from None
    if num_bytes != math.prod(shape) * dtype.itemsize:
        raise damaged(path, f"{num_bytes:,} bytes for an array of shape {shape} and type {dtype} at {key!r}")
    fault = misfit(dtype, shape, kind)
    if fault:
        raise damaged(path, f"{fault} at {key!r}")
    return Dataset(key, shape, dtype, kind, offset, num_bytes)


def _shape(path: Path, key: str, body: bytes) -> tuple[int, ...]:
    version, rank, flags = struct.unpack_from("<BBB", body)
    if version != 1 or rank > MOST_RANK or flags > 1:
        raise not_allowed(path, f"another kind of shape at {key!r}")
    shape = struct.unpack_from(f"<{rank}Q", body, 8)
    if flags and struct.unpack_from(f"<{rank}Q", body, 8 + 8 * rank) != shape:
        raise not_allowed(path, f"a dataset that can grow at {key!r}")
    if math.prod(size for size in shape if size) > LARGEST_SIZE:  # NumPy counts so even where the array is empty
        raise damaged(path, f"the shape {shape} at {key!r}")
    return shape


def _dtype(path: Path, key: str, body: bytes) -> np.dtype[Any]:
    """Plain numbers, or the fixed-length text of the TensorFlow version."""
    for code, dtype in _TYPES.items():
        if body[: len(code)] == code and not any(body[len(code) :]):
            return dtype
    size = _text_size(body)
    if key == TF_VERSION and 0 < size <= LONGEST_VERSION:
        return np.dtype(f"S{size}")
    kind = _CLASSES.get(body[0] & 15, "numbers of another layout") if body else "no type"
    raise not_allowed(path, f"{kind} at {key!r}")


def _text_size(body: bytes) -> int:
    """Bytes of fixed-length ASCII text padded with NUL; 0 for any other type."""
    head, size = struct.unpack_from("<II", body)
    return int(size) if head == 0x0113 and not any(body[8:]) else 0


def _place(path: Path, key: str, body: bytes, base: int) -> tuple[int, int]:
    version, layout = struct.unpack_from("<BB", body)
    if layout in _LAYOUTS:
        raise not_allowed(path, f"{_LAYOUTS[layout]} at {key!r}")
    if version != 3 or layout != 1:
        raise not_allowed(path, f"an unknown layout at {key!r}")
    address, num_bytes = struct.unpack_from("<QQ", body, 2)
    if num_bytes == 0:
        return 0, 0
    return base + address, num_bytes


def _kind(path: Path, key: str, body: bytes) -> str:
    """The attribute `type`, a scalar text: name, datatype and dataspace each padded to 8 bytes, then the text."""
    version, name_size, type_size, space_size = struct.unpack_from("<BxHHH", body)
    name_at, type_at = 8, 8 + _padded(name_size)
    space_at = type_at + _padded(type_size)
    text_at = space_at + _padded(space_size)
    name = body[name_at : name_at + name_size].rstrip(b"\0")
    if version != 1 or name != ATTRIBUTE.encode():
        raise not_allowed(path, f"an unknown attribute at {key!r}")
    size = _text_size(body[type_at : type_at + type_size])
    if size == 0 or body[space_at : space_at + 2] != b"\x01\x00":
        raise not_allowed(path, f"an unknown attribute at {key!r}")
    return body[text_at : text_at + size].rstrip(b"\0").decode("ascii", "replace")


def _padded(size: int) -> int:
    return (size + 7) // 8 * 8
