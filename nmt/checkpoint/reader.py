"""An open checkpoint: what is in it, and its values, each checked against its digest when it is read."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import xxhash

from nmt.checkpoint.blocks import CHUNK, bytes_of, pieces, read_into
from nmt.checkpoint.foreign import ForeignFile, read_foreign
from nmt.checkpoint.hdf5 import read_structure
from nmt.checkpoint.hdf5_dataset import Dataset
from nmt.checkpoint.header import MAGIC, Header, Region, read_header
from nmt.checkpoint.names import DIGESTS, FORMAT_VERSION, TF_VERSION, is_parameter
from nmt.checkpoint.refusals import cannot_read, damaged, not_a_checkpoint
from nmt.checkpoint.values import ARRAY_KINDS, BFLOAT16, Array, Stored, Value, decode

CHECKERS = 2  # threads; reading and digesting leave the interpreter to others
HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


class OpenCheckpoint(Protocol):
    """One of our files or a foreign one, seen alike."""

    @property
    def datasets(self) -> Mapping[str, Dataset]: ...
    @property
    def sealed(self) -> bool:
        """Whether there are digests to check numbers against."""

    def check(self, key: str) -> None:
        """Raises CheckpointError unless the numbers of a dataset are those that were written."""

    def check_all(self, keys: Iterable[str]) -> None:
        """As `check`, of each."""

    def read(self, key: str) -> Stored:
        """Checked numbers. Raises CheckpointError."""

    def read_into(self, key: str, array: Array) -> None:
        """Checked numbers into a contiguous array of the dataset's shape and type, in this machine's byte order.

        Raises CheckpointError; the array may then have been written into.
        """


@contextmanager
def open_checkpoint_file(path: str | Path) -> Iterator[OpenCheckpoint]:
    """A checkpoint whose structure has been checked. Raises CheckpointError.

    Ours are read here, without the HDF5 library; the library sees only foreign files, and those in another process.
    """
    path = Path(path)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise cannot_read(path, error) from None
    try:
        yield _opened(path, fd)
    finally:
        os.close(fd)


def _opened(path: Path, fd: int) -> OwnFile | ForeignFile:
    try:
        return _by_kind(path, fd)
    except OSError as error:
        raise cannot_read(path, error) from error


def _by_kind(path: Path, fd: int) -> OwnFile | ForeignFile:
    start = os.pread(fd, 8, 0)
    if start == MAGIC:
        return OwnFile(path, fd)
    if start == HDF5_SIGNATURE:
        return read_foreign(path, fd)
    if not start:
        raise not_a_checkpoint(path, "an empty file")
    raise not_a_checkpoint(path, "a file that is not HDF5")


class OwnFile:
    """A file that `save` wrote. Making one checks everything but the numbers, and those are checked when read."""

    sealed = True

    def __init__(self, path: Path, fd: int) -> None:
        self.path, self._fd = path, fd
        self.header: Header = read_header(path, os.fstat(fd).st_size, self._read_at)
        self.datasets = read_structure(path, self.header, self._read_at)
        self._regions = self._match()
        self._check_keys()
        self._check_digests()

    def check(self, key: str) -> None:
        dataset, digest = self.datasets[key], xxhash.xxh3_128()
        buffer = memoryview(bytearray(min(CHUNK, dataset.num_bytes)))
        for start, stop in pieces(dataset.num_bytes):
            self._fill(buffer[: stop - start], dataset.offset + start)
            digest.update(buffer[: stop - start])
        self._compare(key, digest.digest())

    def check_all(self, keys: Iterable[str]) -> None:
        with ThreadPoolExecutor(CHECKERS) as pool:
            for _ in pool.map(self.check, keys):  # raises what they raise
                pass

    def read(self, key: str) -> Stored:
        dataset = self.datasets[key]
        array = np.empty(dataset.shape, dataset.dtype)
        self.read_into(key, array)
        return Stored(array, dataset.kind)

    def read_into(self, key: str, array: Array) -> None:
        dataset, digest = self.datasets[key], xxhash.xxh3_128()
        numbers = bytes_of(array)
        for start, stop in pieces(dataset.num_bytes):
            self._fill(numbers[start:stop], dataset.offset + start)
            digest.update(numbers[start:stop])
        self._compare(key, digest.digest())

    def digests(self) -> dict[str, str]:
        """Key -> XXH3-128 of its numbers, in hexadecimal, as the header has it."""
        return {key: region.digest.hex() for key, region in self._regions.items()}

    def _match(self) -> dict[str, Region]:
        """Each dataset has its own line in the header's table, and each line its dataset."""
        by_place = {(region.offset, region.num_bytes): region for region in self.header.regions}
        empty = Region(0, 0, xxhash.xxh3_128(b"").digest())
        found: dict[str, Region] = {}
        for key, dataset in self.datasets.items():
            region = by_place.pop((dataset.offset, dataset.num_bytes), None) if dataset.num_bytes else empty
            if region is None:
                raise damaged(self.path, f"{key!r} in a place that has no digest")
            found[key] = region
        if by_place:
            raise damaged(self.path, "a digest of something that is no dataset")
        return found

    def _check_keys(self) -> None:
        for key, dataset in self.datasets.items():
            if is_parameter(key):
                if ">" in key or "<" in key or dataset.kind not in ARRAY_KINDS:
                    raise damaged(self.path, f"a parameter {key!r} that is none")
            elif not key.endswith(">") or key.count("<") != 1 or key.count(">") != 1:
                raise damaged(self.path, f"the key {key!r}")
        if TF_VERSION not in self.datasets or (FORMAT_VERSION in self.datasets) != (DIGESTS in self.datasets):
            raise damaged(self.path, f"no {TF_VERSION}, or only one of {FORMAT_VERSION} and {DIGESTS}")

    def _check_digests(self) -> None:
        """<digests>, for readers that know HDF5 alone, says the same as the header."""
        if DIGESTS not in self.datasets:
            return
        expected = digests_text({key: value for key, value in self.digests().items() if key != DIGESTS})
        if self.datasets[DIGESTS].num_bytes != len(expected) or self.read(DIGESTS).array.tobytes() != expected:
            raise damaged(self.path, f"{DIGESTS} that differ from those in its header")

    def _compare(self, key: str, digest: bytes) -> None:
        if digest != self._regions[key].digest:
            raise damaged(self.path, f"numbers at {key!r} that do not match their digest")

    def _read_at(self, offset: int, num_bytes: int) -> bytes:
        buffer = bytearray(num_bytes)
        self._fill(memoryview(buffer), offset)
        return bytes(buffer)

    def _fill(self, buffer: memoryview, offset: int) -> None:
        try:
            whole = read_into(self._fd, buffer, offset)
        except OSError as error:
            raise cannot_read(self.path, error) from error
        if not whole:
            raise damaged(self.path, "an end that was not there when it was opened")


def read_value(path: Path, file: OpenCheckpoint, key: str) -> Value:
    """What was saved under a key. Raises CheckpointError."""
    stored = file.read(key)
    if stored.array.dtype.kind == "S":  # the version of TensorFlow, the one text that is text in HDF5
        return bytes(stored.array[()]).decode("utf-8", "replace")
    try:
        return decode(stored)
    except ValueError as error:  # of which a text that is not UTF-8 is one
        raise damaged(path, f"{error} at {key!r}") from None


def decoded_dtype(dataset: Dataset) -> np.dtype[Any]:
    """The type of the array that `read_value` gives for a parameter or a slot."""
    by_kind: dict[str, np.dtype[Any]] = {"bfloat16": BFLOAT16, "bool": np.dtype(np.bool_), "": dataset.dtype}
    return by_kind[dataset.kind]


def digests_text(digests: Mapping[str, str]) -> bytes:
    """The content of <digests>: JSON, sorted, on one line."""
    return json.dumps(digests, sort_keys=True, ensure_ascii=False).encode()
