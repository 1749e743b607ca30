"""The bytes of a file, decompressed and hashed on their way through."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, cast

from nmt.errors import MetricError

_GZIP = b"\x1f\x8b"


class HashedStream:
    """A file (plain or gzip, whatever its name) as a stream, and the SHA-256 of all of it, decompressed.

    Hashing runs on a thread of its own, beside the parsing. Raises MetricError for a file that cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._raw = path.open("rb")
            compressed = self._raw.read(2) == _GZIP
            self._raw.seek(0)
        except OSError as error:
            raise _unreadable(path, error) from error
        self._file = cast(BinaryIO, gzip.GzipFile(fileobj=self._raw)) if compressed else self._raw
        self._digest = hashlib.sha256()
        self._thread = ThreadPoolExecutor(1)
        self._hashing: Future[None] | None = None
        self._ahead = b""

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

    def sha256(self) -> str:
        """Of the whole file: what is left of it is read."""
        while self.read(1 << 24):
            pass
        if self._hashing is not None:
            self._hashing.result()
        return self._digest.hexdigest()

    def _pull(self, size: int) -> bytes:
        try:
            block = self._file.read(size)
        except (OSError, EOFError, zlib.error) as error:
            raise _unreadable(self.path, error) from error
        if block:
            if self._hashing is not None:
                self._hashing.result()  # one block waits at most: memory stays bounded
            self._hashing = self._thread.submit(self._digest.update, block)
        return block

    def __enter__(self) -> HashedStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._thread.shutdown()
        self._file.close()
        self._raw.close()


def _unreadable(path: Path, error: Exception) -> MetricError:
    found = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return MetricError(
        str(path),
        found=found[:1].lower() + found[1:].rstrip("."),
        expected="a file that can be read",
        next_step="name a file that is there and whole",
    )
