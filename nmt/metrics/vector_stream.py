"""The bytes of a file, decompressed and hashed on their way through."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import zlib
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, cast

from nmt.errors import MetricError, reason_of
from nmt.plumbing.steady import SteadyFile
from nmt.plumbing.text import GZIP

_HASHED = 1 << 24  # bytes that are hashed at once


class HashedStream:
    """A file (plain or gzip, whatever its name) as a stream, and the SHA-256 of all of it, decompressed.

    Hashing runs on a thread of its own: of a plain file once it is asked for, else beside the parsing. `plain` is the
    file where it is plain and can be read at places, None where it is compressed or a pipe. Raises MetricError for a
    file that cannot be read, or that is written to meanwhile.
    """

    def __init__(self, path: Path, file: io.BufferedReader | None = None) -> None:
        """`file`: that of the path, or what was unpacked of it; closed with this object."""
        self.path = path
        try:
            self._raw = path.open("rb") if file is None else file
            compressed = self._raw.peek(2)[:2] == GZIP
        except OSError as error:
            raise _unreadable(path, error) from error
        self._file = cast(BinaryIO, gzip.GzipFile(fileobj=self._raw)) if compressed else self._raw
        self._thread = ThreadPoolExecutor(1)
        self._ahead = b""
        self.plain: SteadyFile | None = None
        if stat.S_ISREG(os.fstat(self._raw.fileno()).st_mode) and not compressed:
            self.plain = SteadyFile(str(path), os.dup(self._raw.fileno()), MetricError)
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
        """SHA-256 of the whole file, in hexadecimal; of a compressed one what is left is read.

        Raises MetricError, once it is asked for, where the file has been written to since it was opened.
        """
        if self.plain is not None:
            return self._thread.submit(steady_digest, self.plain)
        while self.read(1 << 24):
            pass
        if self._hashing is not None:
            self._hashing.result()
        return known_digest(self._sha.hexdigest())

    def _pull(self, size: int) -> bytes:
        try:
            block = self._file.read(size)
        except (OSError, EOFError, zlib.error) as error:
            raise _unreadable(self.path, error) from error
        if block and self.plain is None:
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
        self._file.close()
        self._raw.close()


def known_digest(sha256: str) -> Future[str]:
    """A digest that is there already."""
    known: Future[str] = Future()
    known.set_result(sha256)
    return known


def steady_digest(file: SteadyFile) -> str:
    """Raises MetricError where the file has been written to since it was opened."""
    sha256 = _hash_all(file)
    file.check_times()
    file.is_same = lambda file: _hash_all(file) == sha256
    return sha256


def _hash_all(file: SteadyFile) -> str:
    """In few calls: after each this thread has to wait for those that run Python."""
    sha, buffer, place = hashlib.sha256(), memoryview(bytearray(_HASHED)), 0
    while size := os.preadv(file.descriptor, [buffer], place):
        sha.update(buffer[:size])
        place += size
    return sha.hexdigest()


def _unreadable(path: Path, error: Exception) -> MetricError:
    found = reason_of(error) if isinstance(error, OSError) else str(error)
    return MetricError(
        str(path),
        found=found[:1].lower() + found[1:].rstrip("."),
        expected="a file that can be read",
        next_step="name a file that is there and whole",
    )
