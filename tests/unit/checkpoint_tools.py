"""Stand-ins for a model, and forgery: files changed on purpose whose digests are right again."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xxhash

from nmt.checkpoint.file import save
from nmt.checkpoint.header import MAGIC, Header, Region


class FakeVariable:
    """What is asked of a tf.Variable, without TensorFlow."""

    def __init__(self, name: str, value: Any) -> None:
        self.name, self.value = name + ":0", np.asarray(value)
        self.assigned = 0

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    @property
    def dtype(self) -> np.dtype:
        return self.value.dtype

    def numpy(self) -> np.ndarray:
        return self.value.copy()

    def assign(self, value: np.ndarray) -> None:
        assert value.shape == self.shape
        assert value.dtype == self.dtype
        self.value, self.assigned = np.array(value), self.assigned + 1


class FakeModule:
    def __init__(self, values: dict[str, Any]) -> None:
        self.variables = [FakeVariable(name, value) for name, value in values.items()]

    def values(self) -> dict[str, np.ndarray]:
        return {variable.name[:-2]: variable.value for variable in self.variables}

    def num_assigned(self) -> int:
        return sum(variable.assigned for variable in self.variables)


def weights() -> dict[str, np.ndarray]:
    """Range-filled parameters of several shapes."""
    return {
        "encoder/gru/kernel": np.arange(6, dtype=np.float32).reshape(2, 3),
        "encoder/gru/bias": np.arange(3, dtype=np.float32),
        "decoder/table": -np.arange(8, dtype=np.float32).reshape(4, 2),
        "scale": np.float32(0.5),
    }


def blank(values: dict[str, Any] | None = None) -> FakeModule:
    """A module of zeros, into which a file of `weights` fits."""
    return FakeModule({name: np.zeros_like(value) for name, value in (values or weights()).items()})


def saved(path: Path, extras: dict[str, Any] | None = None) -> Path:
    """A file of `weights` and some extras."""
    save(path, weights(), {"config": "seed: 1\n", "raw": b"\0\xff"} if extras is None else extras, sync=False)
    return path


def header_of(data: bytes) -> Header:
    """As it stands, unchecked."""
    magic, _, size, count, _, length, structure = struct.unpack("<8sIIIIQ16s", data[:48])
    assert magic == MAGIC
    regions = struct.iter_unpack("<QQ16s", data[48 : 48 + 32 * count])
    return Header(size, length, tuple(Region(*region) for region in regions), structure)


def sealed(data: bytes, regions: Iterable[Region] | None = None) -> bytes:
    """The same with digests, table and length that are right for what it holds now."""
    header = header_of(data)
    kept = header.regions if regions is None else tuple(regions)
    renewed = tuple(
        replace(region, digest=xxhash.xxh3_128(data[region.offset : region.offset + region.num_bytes]).digest())
        for region in kept
    )
    header = replace(header, file_bytes=len(data), regions=renewed, structure=bytes(16))
    structure = header.structure_digest(lambda offset, num_bytes: data[offset : offset + num_bytes])
    return replace(header, structure=structure).pack() + data[header.num_bytes :]


def forge(path: Path, edit: Callable[[bytearray], None]) -> None:
    """Change bytes of one of our files and make its digests right again."""
    data = bytearray(path.read_bytes())
    edit(data)
    path.write_bytes(sealed(bytes(data)))


def forge_with_h5py(path: Path, edit: Callable[[h5py.File], None]) -> None:
    """The same with the HDF5 library doing the change."""
    with h5py.File(path, "r+", libver="earliest") as file:
        edit(file)
    path.write_bytes(sealed(path.read_bytes()))
