# N lines
"""Lines of a text that stay in their file: millions of them do not fit as Python objects."""

from __future__ import annotations

import codecs
import gzip
import itertools
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, overload

import numpy as np
import numpy.typing as npt

from nmt.data.text import ParallelText, find_sides, same_length
from nmt.errors import DataError
from nmt.plumbing.steady import SteadyFile
from nmt.plumbing.text import BYTE_ORDER_MARK, GZIP, read_lines

BLOCK = 2**22  # bytes looked at at once
LINES = 4_096  # read at once by who goes through all


class Lines(Sequence[str]):
    """What `read_lines` returns of a UTF-8 file, read as it is asked for; from any thread.

    Holds 8 bytes a line: where it begins. The file stays open, so it may be renamed or removed meanwhile, but must not
    be written to: then the next line that is read raises DataError.
    """

    def __init__(self, file: SteadyFile, begins: npt.NDArray[np.int64]) -> None:
        """`begins`: of each line, and past the last one, [N + 1]."""
        self._file, self._begins = file, begins

    def __len__(self) -> int:
        return len(self._begins) - 1

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            first, last, step = place.indices(len(self))
            return self._read(first, last) if step == 1 else [self[i] for i in range(first, last, step)]
        where = int(place) + len(self) * (place < 0)
        if not 0 <= where < len(self):
            raise IndexError(f"line {place} of {len(self)}")
        return self._read(where, where + 1)[0]

    def __iter__(self) -> Iterator[str]:
        for first in range(0, len(self), LINES):
            yield from self._read(first, min(first + LINES, len(self)))

    def _read(self, first: int, last: int) -> list[str]:
        """Lines `first` to `last`, the latter left out."""
        if first >= last:
            return []
        begin, size = int(self._begins[first]), int(self._begins[last] - 1 - self._begins[first])
        content = self._file.read(begin, size)
        self._file.check()
        return [line.removesuffix("\r") for line in content.decode("utf-8").split("\n")]


def open_lines(path: Path) -> Lines | list[str]:
    """The lines of a UTF-8 file, plain or gzip, left in it; what is packed is unpacked into a file without a name.

    Raises DataError as `read_lines` does.
    """
    try:
        with path.open("rb") as file, tempfile.TemporaryFile() as unpacked:
            packed = file.read(len(GZIP)) == GZIP
            file.seek(0)
            if packed:
                with gzip.open(file) as content:
                    shutil.copyfileobj(content, unpacked, BLOCK)
                unpacked.seek(0)
            text = unpacked if packed else file
            steady = SteadyFile(str(path), os.dup(text.fileno()), DataError)
            begins = _begins(text)
            steady.check()
            if begins is not None:
                return Lines(steady, begins)
    except (OSError, EOFError, zlib.error, ValueError):
        pass  # read_lines has the words for it
    return read_lines(path)


def _begins(file: BinaryIO) -> npt.NDArray[np.int64] | None:
    """Where lines begin, and where a further one would; None for an empty file. ValueError: it is no text."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    found, size = [np.zeros(1, np.int64)], 0
    while block := file.read(max(BLOCK, len(BYTE_ORDER_MARK))):
        decoder.decode(block)
        if b"\0" in block:
            raise ValueError("a byte 0")
        if size == 0 and block.startswith(BYTE_ORDER_MARK):
            found[0][0] = len(BYTE_ORDER_MARK)
        found.append(np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n")) + (size + 1))
        size += len(block)
    decoder.decode(b"", final=True)
    if size == found[0][0]:
        return None
    begins = np.concatenate(found)
    return begins if begins[-1] == size and len(begins) > 1 else np.append(begins, size + 1)


def open_parallel(name: str, prefix: Path | str, src: str, tgt: str) -> ParallelText:
    """As `read_parallel`, the lines left in their files."""
    paths = find_sides(prefix, src, tgt)
    lines = [open_lines(path) for path in paths]
    same_length(paths, lines)
    return ParallelText(name, *lines)


class Chain(Iterable[str]):
    """All lines of several texts, one after another, as often as they are asked for."""

    def __init__(self, parts: Sequence[Iterable[str]]) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[str]:
        return itertools.chain.from_iterable(self._parts)
