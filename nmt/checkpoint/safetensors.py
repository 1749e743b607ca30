"""The safetensors format, through its own library (an extra): arrays by name, and metadata, which are text by name.

The library's interface for NumPy has no bfloat16, so this takes the one below it: types by name, and bytes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nmt.checkpoint.atomic import replaced
from nmt.checkpoint.blocks import write_at
from nmt.checkpoint.hdf5_dataset import LARGEST_SIZE, MOST_RANK
from nmt.checkpoint.values import BFLOAT16, Stored
from nmt.errors import CheckpointError

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
    library = _library(path)
    native = ("bfloat16", "bool")
    tensors = {
        name: {
            "dtype": stored.kind if stored.kind in native else stored.array.dtype.name,
            "shape": stored.array.shape,
            "data": stored.array.tobytes(),
        }
        for name, stored in content.items()
    }
    with replaced(path, sync=True) as fd:
        write_at(fd, library.serialize(tensors, metadata=dict(metadata) or None), 0)


def read_safetensors(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Arrays by name, and the metadata. Raises CheckpointError for anything but a well-formed file, and OSError."""
    library = _library(path)
    data = path.read_bytes()
    try:
        tensors = library.deserialize(data)
        with library.safe_open(str(path), framework="np") as file:
            metadata = file.metadata() or {}
    except library.SafetensorError as error:
        raise _not(path, f"a file that is not safetensors ({error})") from None
    arrays: dict[str, np.ndarray] = {}
    for name, tensor in tensors:
        code, shape = tensor["dtype"], tensor["shape"]
        if code not in CODES or len(shape) > MOST_RANK or math.prod(size for size in shape if size) > LARGEST_SIZE:
            raise _not(path, f"{code} numbers of shape {tuple(shape)} at {name!r}")
        arrays[name] = np.frombuffer(tensor["data"], CODES[code]).reshape(shape)
    return arrays, metadata


def _library(path: Path) -> Any:
    try:
        import safetensors
    except ImportError as error:
        raise CheckpointError(
            str(path),
            found="no library for .safetensors",
            expected="the package safetensors",
            next_step="install it with `uv sync --extra safetensors`, or take .npz",
        ) from error
    return safetensors


def _not(path: Path, found: str) -> CheckpointError:
    return CheckpointError(
        str(path), found=found, expected="a well-formed safetensors file", next_step="write the file anew"
    )
