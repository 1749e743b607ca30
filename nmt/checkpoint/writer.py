"""Writes a checkpoint: HDF5's structure by its library, the numbers and their digests by us.

The library lays out the file and is told to write no numbers. We then write those where it left room, digesting each
piece while it is in the processor's cache, so nothing is read twice and no second copy is made.
"""

from __future__ import annotations

import importlib.metadata
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xxhash

from nmt.checkpoint.atomic import RawFile, replaced
from nmt.checkpoint.blocks import bytes_of, pieces, reserve, write_at
from nmt.checkpoint.hdf5_dataset import ATTRIBUTE
from nmt.checkpoint.header import MOST_DATASETS, VERSION, Header, Region, header_bytes
from nmt.checkpoint.names import DIGESTS, FORMAT_VERSION, TF_VERSION, extra_key, key_of
from nmt.checkpoint.pace import Pace
from nmt.checkpoint.parameters import dtype_of, shape_of
from nmt.checkpoint.reader import digests_text
from nmt.checkpoint.values import Array, Value, encode, encode_array, stored_type
from nmt.errors import CheckpointError


@dataclass(frozen=True)
class Item:
    """One dataset to be: its type and shape now, its numbers when they are asked for."""

    key: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    kind: str
    numbers: Callable[[], Array]

    @property
    def num_bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def write_checkpoint(
    path: Path,
    parameters: Mapping[str, Any],
    extras: Mapping[str, Value] | None,
    sync: bool,
    pace: Pace | None = None,
) -> None:
    """Values of parameters are arrays or variables; variables are read one at a time. Raises CheckpointError.

    Without extras (None) there is no key in angle brackets but <tf_version>.
    """
    items = _items(path, parameters, extras)
    with replaced(path, sync) as fd:
        _write(fd, items, pace)


def tensorflow_version() -> str:
    """Of the TensorFlow that is installed, without importing it."""
    return importlib.metadata.version("tensorflow")


def _items(path: Path, parameters: Mapping[str, Any], extras: Mapping[str, Value] | None) -> list[Item]:
    """Sorted by key, so that equal content makes equal files; <digests> last, since it is written last."""
    items = [_parameter(name, value) for name, value in parameters.items()]
    items.append(_whole(TF_VERSION, np.asarray(np.bytes_(tensorflow_version().encode()))))
    if extras is not None:
        items.append(_whole(FORMAT_VERSION, np.asarray(VERSION, np.int64), "int"))
        for name, value in extras.items():
            stored = encode(name, value)
            items.append(_whole(extra_key(name), stored.array, stored.kind))
    keys = [item.key for item in items]
    twice = {key for key in keys if keys.count(key) > 1} if len(set(keys)) < len(keys) else set()
    if twice or len(items) >= MOST_DATASETS:
        raise CheckpointError(
            str(path),
            found=f"two values for {min(twice)!r}" if twice else f"{len(items)} values",
            expected=f"one value a name, fewer than {MOST_DATASETS} of them",
            next_step="rename one" if twice else "join some of them",
        )
    items.sort(key=lambda item: item.key)
    if extras is not None:
        text = digests_text(dict.fromkeys(keys, "0" * 32))
        items.append(_whole(DIGESTS, np.frombuffer(text, np.uint8), "text"))
    return items


def _parameter(name: str, value: Any) -> Item:
    dtype, kind = stored_type(name, dtype_of(value))

    def numbers() -> Array:
        array = np.asarray(value.numpy() if hasattr(value, "numpy") else value)
        return encode_array(name, array).array

    return Item(key_of(name), shape_of(value), dtype, kind, numbers)


def _whole(key: str, array: Array, kind: str = "") -> Item:
    return Item(key, array.shape, array.dtype, kind, lambda: array)


def _write(fd: int, items: Sequence[Item], pace: Pace | None) -> None:
    """The whole file: structure, numbers, header."""
    size = header_bytes(sum(1 for item in items if item.num_bytes))
    file = RawFile(fd)
    offsets = _lay_out(file, items, size)
    file.check()
    reserve(fd, max(offsets[item.key] + item.num_bytes for item in items))
    regions: list[Region] = []
    digests: dict[str, str] = {}
    for item in items:
        text = np.frombuffer(digests_text(digests), np.uint8) if item.key == DIGESTS else None
        digest = _write_numbers(fd, item, offsets[item.key], text, pace)
        digests[item.key] = digest.hex()
        if item.num_bytes:
            regions.append(Region(offsets[item.key], item.num_bytes, digest))
    regions.sort(key=lambda region: region.offset)
    header = Header(size, file.seek(0, 2), tuple(regions))

    def read_at(offset: int, num_bytes: int) -> bytes:
        file.seek(offset)
        return file.read(num_bytes)

    write_at(fd, replace(header, structure=header.structure_digest(read_at)).pack(), 0)


def _write_numbers(fd: int, item: Item, offset: int, instead: Array | None, pace: Pace | None) -> bytes:
    """-> their digest. An array lives no longer than this call, so there is one at a time."""
    array = item.numbers() if instead is None else instead
    assert array.shape == item.shape, f"{item.key} changed its shape while it was saved"
    digest, numbers = xxhash.xxh3_128(), bytes_of(array)
    for start, stop in pieces(len(numbers)):
        digest.update(numbers[start:stop])
        write_at(fd, numbers[start:stop], offset + start)
        if pace is not None:
            pace.rest()
    return bytes(digest.digest())


def _lay_out(file: RawFile, items: Sequence[Item], user_block: int) -> dict[str, int]:
    """Write the structure; -> where the numbers of each dataset go (0 for those without any)."""
    create = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    create.set_layout(h5py.h5d.CONTIGUOUS)
    create.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    create.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    create.set_obj_track_times(False)  # equal content, equal bytes
    offsets: dict[str, int] = {}
    with h5py.File(file, "w", libver="earliest", userblock_size=user_block) as h5:
        for item in items:
            space = h5py.h5s.create_simple(item.shape) if item.shape else h5py.h5s.create(h5py.h5s.SCALAR)
            kind = h5py.h5t.py_create(item.dtype)
            dataset = h5py.h5d.create(h5.id, item.key.encode(), kind, space, create)
            if item.kind:
                h5py.Dataset(dataset).attrs[ATTRIBUTE] = np.bytes_(item.kind.encode())
            offsets[item.key] = dataset.get_offset() if item.num_bytes else 0
    return offsets
