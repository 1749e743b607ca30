"""Files that appear whole or not at all: written beside, made durable, then renamed."""

from __future__ import annotations

import contextlib
import io
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nmt.checkpoint.blocks import CHUNK, write_at
from nmt.checkpoint.refusals import cannot_write

TEMPORARY = ".tmp"
_numbers = itertools.count()  # two threads that write one name do not share a temporary file


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
    """A file descriptor of a new file that takes the name `path` when the block ends well, and vanishes otherwise.

    With `sync` the bytes are on the disk before the name is theirs, and the name is when this returns.
    Raises CheckpointError where the file system refuses; the file that had the name is then as it was.
    """
    beside = temporary(path)
    try:
        fd = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        try:
            yield fd
            if sync:
                os.fsync(fd)
        finally:
            os.close(fd)
        os.replace(beside, path)
        if sync:
            sync_folder(path.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        if isinstance(error, OSError):
            raise cannot_write(path, error) from error
        raise


def give_name(existing: Path, path: Path, sync: bool) -> None:
    """A second name for a file that is whole, in the place of whatever had that name. Raises CheckpointError."""
    beside = temporary(path)
    try:
        try:
            os.link(existing, beside)
        except OSError:  # a file system without hard links
            _copy(existing, beside, sync)
        os.replace(beside, path)
        if sync:
            sync_folder(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            os.unlink(beside)


def temporary(path: Path) -> Path:
    """A name beside `path` that nothing else has: `last.h5.4711-0.tmp`."""
    return path.with_name(f"{path.name}.{os.getpid()}-{next(_numbers)}{TEMPORARY}")


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _copy(existing: Path, beside: Path, sync: bool) -> None:
    with open(existing, "rb") as source:
        fd = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            offset = 0
            while part := source.read(CHUNK):
                write_at(fd, part, offset)
                offset += len(part)
            if sync:
                os.fsync(fd)
        finally:
            os.close(fd)
