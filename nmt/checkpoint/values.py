"""What a value becomes in the file, and back.

HDF5 has no bfloat16, and its types for text, truth values and objects are the ones that can hide something. So
everything is an array of plain numbers, and an attribute `type` on the dataset tells what it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from ml_dtypes import bfloat16
from numpy.typing import NDArray

from nmt.errors import CheckpointError

Array = NDArray[np.generic]
Value = bytes | str | int | float | np.ndarray
BFLOAT16 = np.dtype(bfloat16)
PLAIN = tuple(np.dtype(code) for code in ("<f2", "<f4", "<f8", "<i1", "<i2", "<i4", "<i8", "u1", "<u2", "<u4", "<u8"))
# The attribute `type` -> the type of the numbers that hold it.
KINDS: Mapping[str, np.dtype[Any]] = {
    "bfloat16": np.dtype("<u2"),
    "bool": np.dtype("u1"),
    "text": np.dtype("u1"),
    "bytes": np.dtype("u1"),
    "int": np.dtype("<i8"),
    "float": np.dtype("<f8"),
}
ARRAY_KINDS = ("", "bfloat16", "bool")  # what a parameter may be; "" is plain numbers
_RANKS = {"text": 1, "bytes": 1, "int": 0, "float": 0}


@dataclass(frozen=True)
class Stored:
    """Plain numbers, and what they stand for ("" where they are just that)."""

    array: Array
    kind: str = ""


def stored_type(name: str, dtype: np.dtype[Any]) -> tuple[np.dtype[Any], str]:
    """How an array of this type lies in the file: its own type, or another and a kind. Raises CheckpointError."""
    if dtype == BFLOAT16:
        return KINDS["bfloat16"], "bfloat16"
    if dtype == np.dtype(bool):
        return KINDS["bool"], "bool"
    little = dtype.newbyteorder("<")
    if little in PLAIN:
        return little, ""
    raise CheckpointError(
        name,
        found=f"an array of {dtype}",
        expected="floating-point numbers, integers or truth values",
        next_step="convert it before it is saved",
    )


def encode_array(name: str, array: Array) -> Stored:
    """Plain, contiguous, little-endian numbers. Raises CheckpointError for other types."""
    dtype, kind = stored_type(name, array.dtype)
    if kind:
        return Stored(np.ascontiguousarray(array).reshape(array.shape).view(dtype), kind)
    return Stored(np.asarray(array, dtype=dtype, order="C"))


def encode(name: str, value: Value) -> Stored:
    """Any value that an extra may have. Raises CheckpointError for others, and for integers beyond 64 bits."""
    if isinstance(value, str):
        try:
            return Stored(np.frombuffer(value.encode(), np.uint8), "text")
        except UnicodeEncodeError:
            raise _unfit(name, "text with half a surrogate pair") from None
    if isinstance(value, bytes):
        return Stored(np.frombuffer(value, np.uint8), "bytes")
    if isinstance(value, np.ndarray | np.generic):
        return encode_array(name, np.asarray(value))
    if isinstance(value, float):
        return Stored(np.asarray(value, np.float64), "float")
    if isinstance(value, int) and not isinstance(value, bool):
        if not -(2**63) <= value < 2**63:
            raise _unfit(name, f"the integer {value}")
        return Stored(np.asarray(value, np.int64), "int")
    raise _unfit(name, f"a value of type {type(value).__name__}")


def decode(stored: Stored) -> Value:
    """The value that was encoded. Raises ValueError where numbers and kind do not belong together."""
    array, kind = stored.array, stored.kind
    fault = misfit(array.dtype, array.shape, kind)
    if fault:
        raise ValueError(fault)
    if kind == "text":
        return array.tobytes().decode()
    if kind == "bytes":
        return array.tobytes()
    if kind == "int":
        return int(array[()])
    if kind == "float":
        return float(array[()])
    if kind == "bfloat16":
        return np.asarray(array.view(BFLOAT16))
    if kind == "bool":
        if array.size and array.max() > 1:
            raise ValueError("truth values other than 0 and 1")
        return array.view(np.bool_)
    return array


def misfit(dtype: np.dtype[Any], shape: tuple[int, ...], kind: str) -> str:
    """Why numbers of this type and shape cannot be of this kind; empty where they can."""
    if not kind:
        return ""
    if kind not in KINDS:
        return f"the unknown type {kind!r}"
    if dtype != KINDS[kind]:
        return f"{dtype} numbers as {kind}"
    if len(shape) != _RANKS.get(kind, len(shape)):
        return f"an array of shape {shape} as {kind}"
    return ""


def _unfit(name: str, found: str) -> CheckpointError:
    return CheckpointError(
        name,
        found=found,
        expected="text, bytes, a 64-bit integer, a float or an array of numbers",
        next_step="convert it before it is saved",
    )
