"""Files that carry no header of ours, such as those of 2018: parsed in a child process, since they may be hostile.

The child has little memory and little time and hands back plain arrays, or only says where in the file they lie.
Whatever happens to it, this process goes on.
"""

from __future__ import annotations

import json
import math
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nmt.checkpoint.blocks import bytes_of, read_into
from nmt.checkpoint.hdf5_dataset import LARGEST_SIZE, MOST_RANK, Dataset
from nmt.checkpoint.names import DIGESTS, FORMAT_VERSION, plain_name
from nmt.checkpoint.refusals import cannot_read, damaged, not_a_checkpoint, not_allowed
from nmt.checkpoint.values import PLAIN, Stored
from nmt.errors import CheckpointError

CHILD = Path(__file__).with_name("foreign_child.py")
MEMORY = 1 << 29  # bytes of address space; opening takes about half of it
SECONDS, SECONDS_A_MEGABYTE = 3.0, 0.05  # of the processor
PATIENCE = 8  # times that many seconds by the clock, on a machine that others use too
ROOM, RATIO = 1 << 26, 20  # a file may unpack to this many bytes, or to this many times its own
LONGEST_PLAN = 1 << 24
TEXT_BYTES = 64


class ForeignFile:
    """What the child found. Numbers that lie in the file as they are are read when asked for, the others are here."""

    sealed = False

    def __init__(self, path: Path, fd: int, places: Mapping[str, Dataset], arrays: Mapping[str, np.ndarray]) -> None:
        self._path, self._fd, self._arrays = path, fd, arrays
        self._places = places
        self.datasets = {
            key: Dataset(key, place.shape, place.dtype.newbyteorder("="), "", place.offset, place.num_bytes)
            for key, place in sorted(places.items())
        }

    def check(self, key: str) -> None:
        """There is nothing to check the numbers against, but they must be there."""
        self.read(key)

    def check_all(self, keys: Iterable[str]) -> None:
        for key in keys:
            self.check(key)

    def read(self, key: str) -> Stored:
        if key in self._arrays:
            return Stored(self._arrays[key])
        place = self._places[key]
        array = np.empty(place.shape, place.dtype)
        try:
            whole = read_into(self._fd, bytes_of(array), place.offset)
        except OSError as error:
            raise cannot_read(self._path, error) from error
        if not whole:
            raise damaged(self._path, f"an end of file inside {key!r}")
        return Stored(array.astype(array.dtype.newbyteorder("="), copy=False))

    def read_into(self, key: str, array: np.ndarray) -> None:
        array[...] = self.read(key).array


def read_foreign(path: Path, fd: int) -> ForeignFile:
    """A file without our header, through a child process. Raises CheckpointError, whatever the file does to it."""
    file_bytes = os.fstat(fd).st_size
    seconds = SECONDS + SECONDS_A_MEGABYTE * file_bytes / 1e6
    most_bytes = ROOM + RATIO * file_bytes
    limits = [str(MEMORY), str(math.ceil(seconds)), str(most_bytes)]
    os.lseek(fd, 0, os.SEEK_SET)
    child = subprocess.Popen(
        [sys.executable, "-I", str(CHILD), *limits],
        stdin=fd,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        bufsize=0,
    )
    try:
        assert child.stdout is not None
        pipe = _Pipe(path, child.stdout.fileno(), time.monotonic() + PATIENCE * seconds)
        return _received(path, fd, pipe, file_bytes, most_bytes)
    finally:
        child.kill()
        assert child.stdout is not None
        child.stdout.close()
        child.wait()


class _Pipe:
    """Reads from the child until a deadline; an early end means that the library has failed on the file."""

    def __init__(self, path: Path, fd: int, deadline: float) -> None:
        self.path, self.fd, self.deadline, self.rest = path, fd, deadline, b""

    def more(self) -> bytes:
        ready, _, _ = select.select([self.fd], [], [], max(0.0, self.deadline - time.monotonic()))
        if not ready:
            raise not_allowed(self.path, "a file that takes longer to open than a checkpoint does")
        part = os.read(self.fd, 1 << 20)
        if not part:
            raise damaged(self.path, "a file on which the HDF5 library fails")
        return part

    def line(self) -> bytes:
        parts, size = [self.more()], 0
        while b"\n" not in parts[-1]:
            size += len(parts[-1])
            if size > LONGEST_PLAN:
                raise damaged(self.path, "names without end")
            parts.append(self.more())
        line, _, self.rest = b"".join(parts).partition(b"\n")
        return line

    def fill(self, buffer: memoryview) -> None:
        done = 0
        while done < len(buffer):
            part = self.rest or self.more()
            taken = part[: len(buffer) - done]
            buffer[done : done + len(taken)] = taken
            self.rest, done = part[len(taken) :], done + len(taken)


def _received(path: Path, fd: int, pipe: _Pipe, file_bytes: int, most_bytes: int) -> ForeignFile:
    """The child may have been taken over by the file: its answer is checked like one."""
    answer = json.loads(pipe.line())
    if "plan" not in answer:
        raise _told(path, answer)
    places: dict[str, Dataset] = {}
    total = 0
    for key, code, shape, offset in answer["plan"]:
        place = _place(path, key, code, tuple(shape), offset)
        total += place.num_bytes
        if (offset >= 0 and offset + place.num_bytes > file_bytes) or total > most_bytes:
            raise damaged(path, f"numbers outside the file at {key!r}")
        if place.key in places:
            raise damaged(path, f"two datasets for {place.key!r}")
        places[place.key] = place
    if DIGESTS in places or FORMAT_VERSION in places:
        raise damaged(path, "a file of this project that has lost its header")
    arrays: dict[str, np.ndarray] = {}
    for key, place in places.items():
        if place.offset < 0:
            arrays[key] = np.empty(place.shape, place.dtype)
            pipe.fill(bytes_of(arrays[key]))
            arrays[key] = arrays[key].astype(place.dtype.newbyteorder("="), copy=False)
    return ForeignFile(path, fd, places, arrays)


def _place(path: Path, key: str, code: str, shape: tuple[int, ...], offset: int) -> Dataset:
    dtype = np.dtype(f"S{TEXT_BYTES}") if code == "text" else np.dtype(code)
    plain = code == "text" or dtype.newbyteorder("<") in PLAIN
    if not plain or len(shape) > MOST_RANK or math.prod(size for size in shape if size) > LARGEST_SIZE:
        raise damaged(path, f"the shape {shape} at {key!r}")
    return Dataset(plain_name(key), shape, dtype, "", offset, math.prod(shape) * dtype.itemsize)


def _told(path: Path, answer: Mapping[str, Any]) -> CheckpointError:
    if "refused" in answer:
        return not_allowed(path, str(answer["refused"]))
    text = " ".join(str(answer.get("broken", "no plan")).split())[:160]
    return not_a_checkpoint(path, f"a broken HDF5 file ({text})")
