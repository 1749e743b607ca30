"""The bytes of a file, decompressed and hashed on their way through."""

from __future__ import annotations

import gzip
import hashlib
import mmap
import os
import stat
import zlib
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, cast

from nmt.errors import MetricError

_GZIP = b"\x1f\x8b"
_HASHED = 1 << 24  # bytes that are hashed at once


class HashedStream:
    """A file (plain or gzip, whatever its name) as a stream, and the SHA-256 of all of it, decompressed.

    Hashing runs on a thread of its own: of a plain file once it is asked for, else beside the parsing. `mapped` is all
    of a plain file, None of a compressed one or a pipe. Raises MetricError for a file that cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._raw = path.open("rb")
            compressed = self._raw.peek(2)[:2] == _GZIP
        except OSError as error:
            raise _unreadable(path, error) from error
        self._file = cast(BinaryIO, gzip.GzipFile(fileobj=self._raw)) if compressed else self._raw
        self._thread = ThreadPoolExecutor(1)
        self._ahead = b""
        self.mapped: mmap.mmap | None = None
        about = os.fstat(self._raw.fileno())
        if stat.S_ISREG(about.st_mode) and about.st_size and not compressed:
            self.mapped = mmap.mmap(self._raw.fileno(), 0, access=mmap.ACCESS_READ)
        self._sha = hashlib.sha256()
        self._hashing: Future[None] | None = None

    def peek(self, size: int) -> bytes:
        """The next `size` bytes, which stay; fewer at the end."""
        while len(self._ahead) < size and (more := self._pull(size - len(self._ahead))):
            self._ahead += more
        return self._ahead[:size]

    def read(self, size: int) -> bytes:
        """At most `size` bytes or what `peek` has read; none at the end only."""
        if self._ahead:
            ahead, self._ahead = self._ahead, b""
            return ahead
        return self._pull(size)

    def read_all(self) -> bytes:
        """What is left."""
        parts = []
        while block := self.read(1 << 24):
            parts.append(block)
        return b"".join(parts)

    def digest(self) -> Future[str]:
        """SHA-256 of the whole file, in hexadecimal; of a compressed one what is left is read."""
        if self.mapped is not None:
            return self._thread.submit(_hash_all, os.dup(self._raw.fileno()))
        while self.read(1 << 24):
            pass
        if self._hashing is not None:
            self._hashing.result()
        return known_digest(self._sha.hexdigest())

    def let_go(self, end: int) -> None:
        """What is mapped before `end` is not needed any more: its memory counts as this process's no longer."""
        if self.mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
            self.mapped.madvise(mmap.MADV_DONTNEED, 0, end // mmap.PAGESIZE * mmap.PAGESIZE)

    def _pull(self, size: int) -> bytes:
        try:
            block = self._file.read(size)
        except (OSError, EOFError, zlib.error) as error:
            raise _unreadable(self.path, error) from error
        if block and self.mapped is None:
            if self._hashing is not None:
                self._hashing.result()  # one block waits at most: memory stays bounded
            self._hashing = self._thread.submit(self._sha.update, block)
        return block

    def __enter__(self) -> HashedStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._thread.shutdown(wait=False)
        if self.mapped is not None:
            self.mapped.close()
        self._file.close()
        self._raw.close()


def known_digest(sha256: str) -> Future[str]:
    """A digest that is there already."""
    known: Future[str] = Future()
    known.set_result(sha256)
    return known


def _hash_all(descriptor: int) -> str:
    """Of a file, which it closes. In few calls: after each this thread has to wait for those that run Python."""
    sha, buffer, place = hashlib.sha256(), memoryview(bytearray(_HASHED)), 0
    try:
        while size := os.preadv(descriptor, [buffer], place):
            sha.update(buffer[:size])
            place += size
    finally:
        os.close(descriptor)
    return sha.hexdigest()


def _unreadable(path: Path, error: Exception) -> MetricError:
    found = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return MetricError(
        str(path),
        found=found[:1].lower() + found[1:].rstrip("."),
        expected="a file that can be read",
        next_step="name a file that is there and whole",
    )
