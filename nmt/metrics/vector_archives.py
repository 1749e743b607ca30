"""Arrays in files: `.npy`, and `.npz` with the arrays `words` and `vectors`. Sizes are believed once the file has them.

W word, D dimension, K row that is asked for
"""

from __future__ import annotations

import io
import math
import os
import struct
import sys
import zipfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nmt.errors import MetricError
from nmt.metrics.vector_stream import HashedStream
from nmt.plumbing.archives import BROKEN_ARRAY, BROKEN_NPZ
from nmt.plumbing.steady import SteadyFile

_BLOCK = 1 << 20
_MOST_DEFLATED = 1_032  # times that deflate makes something smaller, at best


class _Head(NamedTuple):
    """What stands before the numbers of an array, which begin at `start`."""

    shape: tuple[int, ...]
    by_column: bool
    dtype: np.dtype[Any]
    start: int

    @property
    def num_bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


class StoredRows:
    """matrix_WD that stays in its file: rows are read when they are asked for."""

    def __init__(self, file: SteadyFile, head: _Head, begin: int) -> None:
        """`begin`: where the array begins in the file."""
        self.file, self.shape, self.dtype = file, head.shape, head.dtype
        self._start = begin + head.start

    def __getitem__(self, rows: Sequence[int]) -> NDArray[np.floating]:
        """matrix_KD. Raises MetricError where the file has been written to since it was opened."""
        row_bytes = self.dtype.itemsize * self.shape[1]
        matrix_KD: NDArray[np.floating] = np.empty((len(rows), self.shape[1]), self.dtype)
        cuts = [0, *(np.flatnonzero(np.diff(rows) != 1) + 1).tolist(), len(rows)]
        for first, end in pairwise(cuts) if len(rows) else ():  # of rows that lie side by side
            content = self.file.read(self._start + rows[first] * row_bytes, (end - first) * row_bytes)
            matrix_KD[first:end] = np.frombuffer(content, self.dtype).reshape(end - first, -1)
        self.file.check()
        return matrix_KD


Matrix = NDArray[np.floating] | StoredRows


def rows_of(matrix_WD: Matrix, rows: Sequence[int]) -> NDArray[np.floating]:
    """matrix_KD, in a memory of its own."""
    if isinstance(matrix_WD, StoredRows):
        return matrix_WD[rows]
    chosen_KD: NDArray[np.floating] = np.ascontiguousarray(matrix_WD[list(rows)])
    return chosen_KD


def open_npy(path: Path) -> StoredRows:
    """An array that gensim saved beside a table. Raises MetricError for what is none."""
    try:
        with path.open("rb") as file:
            head = _read_head(file)
            stored = SteadyFile(str(path), os.dup(file.fileno()), MetricError)
        _check_size(head, stored.size)
        if head.by_column or len(head.shape) != 2:
            raise ValueError("no rows one after another")
    except BROKEN_ARRAY as error:
        found = "no such file" if not path.exists() else f"no array ({error})"
        raise MetricError(
            str(path),
            found=found,
            expected="the array that gensim saved beside the table",
            next_step="keep the files of a table together",
        ) from error
    return StoredRows(stored, head, 0)


def read_npz(stream: HashedStream) -> tuple[list[str], Matrix]:
    """The arrays `words` [W] (text) and `vectors` [W, D] (float32 or float64) of an `.npz`.

    Raises MetricError where either is missing, or of another shape or type.
    """
    path = stream.path
    try:
        with _content(stream) as content, zipfile.ZipFile(content) as archive:
            names = sorted(name.removesuffix(".npy") for name in archive.namelist())
            if not {"words", "vectors"} <= set(names):
                raise not_vectors(path, f"the arrays {names}", "arrays named words and vectors")
            words_W = _member(archive, "words.npy")
            if words_W.dtype.kind != "U" or words_W.ndim != 1:
                raise not_vectors(path, f"words of type {words_W.dtype} and shape {words_W.shape}", "a list of text")
            if words_W.nbytes and words_W.view(f"{words_W.dtype.str[0]}u4").max() > sys.maxunicode:
                raise not_vectors(path, "words with characters that Unicode does not have", "a list of text")
            words: list[str] = words_W.tolist()
            stored = None if stream.plain is None else _stored_member(archive, stream.plain)
            return words, _member(archive, "vectors.npy") if stored is None else stored
    except BROKEN_NPZ as error:
        raise not_vectors(path, f"no .npz that can be read without running code ({error})") from error


def _content(stream: HashedStream) -> IO[bytes]:
    """All of the file: that which is open, whatever has its name by now."""
    if stream.plain is None:
        return io.BytesIO(stream.read_all())
    return open(os.dup(stream.plain.descriptor), "rb")


def _member(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    """Raises an error of BROKEN_NPZ where it is not whole, by its own checksum too."""
    info = archive.getinfo(name)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError("a compression that NumPy does not use")
    with archive.open(info) as file:
        head = _read_head(file)
        _check_size(head, min(info.file_size, _MOST_DEFLATED * info.compress_size))
        content = np.empty(head.num_bytes, np.uint8)
        place = 0
        while place < head.num_bytes:
            block = file.read(min(_BLOCK, head.num_bytes - place))
            if not block:
                raise EOFError("it breaks off")
            content[place : place + len(block)] = np.frombuffer(block, np.uint8)
            place += len(block)
        file.read(1)  # at its end the checksum is looked at
    array: NDArray[Any] = content.view(head.dtype).reshape(head.shape, order="F" if head.by_column else "C")
    return array


def _stored_member(archive: zipfile.ZipFile, file: SteadyFile) -> StoredRows | None:
    """The rows of vectors.npy where they lie in the file; None where it is compressed or its columns lie together."""
    info = archive.getinfo("vectors.npy")
    with archive.open(info) as member:
        head = _read_head(member)
        _check_size(head, info.file_size)
        if info.compress_type != zipfile.ZIP_STORED or head.by_column or len(head.shape) != 2:
            return None
        while member.read(_BLOCK):  # to its end, where the checksum is looked at
            pass
    # Lengths of name and extra field end the member's own header, and it is followed by these two.
    name, extra = struct.unpack("<HH", file.read(info.header_offset + 26, 4))
    return StoredRows(file, head, info.header_offset + 30 + name + extra)


def _read_head(file: IO[bytes]) -> _Head:
    """Raises ValueError for what is no array, or one of Python objects."""
    version = np.lib.format.read_magic(file)  # type: ignore[no-untyped-call]
    if version == (1, 0):
        shape, by_column, dtype = np.lib.format.read_array_header_1_0(file)  # type: ignore[no-untyped-call]
    else:
        shape, by_column, dtype = np.lib.format.read_array_header_2_0(file)  # type: ignore[no-untyped-call]
    if dtype.hasobject:
        raise ValueError("an array of Python objects")
    return _Head(shape, by_column, dtype, file.tell())


def _check_size(head: _Head, num_bytes: int) -> None:
    """Before memory is asked for. Raises ValueError where the file cannot hold such an array."""
    if min(head.shape, default=0) < 0 or head.start + head.num_bytes > num_bytes:
        raise ValueError(f"an array of shape {head.shape} in {num_bytes} bytes")


def check_table(path: Path, words: list[str], matrix_WD: Matrix) -> None:
    """Raises MetricError unless the matrix has a row of float32 or float64 for each word."""
    shape, dtype = matrix_WD.shape, matrix_WD.dtype
    if len(shape) != 2 or shape[0] != len(words) or not shape[1] or dtype not in (np.float32, np.float64):
        found = f"vectors of type {dtype} and shape {shape} for {len(words)} words"
        raise not_vectors(path, found, "a row of float32 or float64 for each word")


def not_vectors(
    path: Path, found: str, expected: str = "gensim's KeyedVectors or an .npz of words and vectors"
) -> MetricError:
    return MetricError(
        str(path), found=found, expected=expected, next_step="save the table in one of the forms that docs/wmd.md lists"
    )
