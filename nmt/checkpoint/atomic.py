"""Checkpoints that appear whole or not at all, and a file as the HDF5 library wants one."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nmt.checkpoint.blocks import write_at
from nmt.checkpoint.refusals import cannot_write
from nmt.plumbing import files


class RawFile(io.RawIOBase):
    """A file through the positioned calls of the operating system, as the HDF5 library wants one.

    The library is called from C and could lose an exception on the way, so the first one is kept in `error`; after
    it nothing more is written.
    """

    def __init__(self, fd: int) -> None:
        self.fd, self.at = fd, 0
        self.error: OSError | None = None

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self.at, os.SEEK_END: os.fstat(self.fd).st_size}[whence]
        self.at = start + offset
        return self.at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        done = os.preadv(self.fd, [view], self.at)
        self.at += done
        return done

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        if self.error is None:
            try:
                write_at(self.fd, view, self.at)
            except OSError as error:
                self.error = error
        self.at += len(view)
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        size = self.at if size is None else size
        if self.error is None:
            try:
                os.ftruncate(self.fd, size)
            except OSError as error:
                self.error = error
        return size

    def check(self) -> None:
        """Raises the first error that the library met."""
        if self.error is not None:
            raise self.error


@contextlib.contextmanager
def replaced(path: Path, sync: bool) -> Iterator[int]:
    """`files.replacing` for checkpoints: raises CheckpointError where the file system refuses."""
    try:
        with files.replacing(path, sync) as fd:
            yield fd
    except OSError as error:
        raise cannot_write(path, error) from error


def give_name(existing: Path, path: Path, sync: bool) -> None:
    """`files.give_name` for checkpoints: raises CheckpointError where the file system refuses."""
    try:
        files.give_name(existing, path, sync)
    except OSError as error:
        raise cannot_write(path, error) from error
