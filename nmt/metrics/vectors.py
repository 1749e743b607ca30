"""Word vectors from a file, whatever its format: only the words that are needed.

W word, D dimension
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

from nmt.errors import MetricError
from nmt.metrics.vector_archives import check_table, read_native, read_npz
from nmt.metrics.vector_files import (
    Rows,
    Sink,
    decoded,
    is_binary,
    needed_bytes,
    read_binary,
    read_header,
    read_text,
    text_numbers,
)
from nmt.metrics.vector_index import Index, VectorFile
from nmt.metrics.vector_stream import HashedStream, known_digest
from nmt.metrics.vector_table import VectorSource, WordVectors, check_vectors, word_vectors

__all__ = ["VectorFile", "VectorSource", "WordVectors", "load_vectors", "open_vectors", "word_vectors"]

_SAMPLE = 1 << 13
_ROWS = 1 << 14  # of an array that are looked at together
_ZIP = b"PK\x03\x04"
_PICKLE = b"\x80"  # no text starts with it: it is no first byte of UTF-8


def load_vectors(path: str | Path, words: Iterable[str] | None) -> WordVectors:
    """The vectors of `words` (None: of all) in a file, in the order of the file; words that it lacks are left out.

    Formats, told by content and not by name: word2vec text and binary, GloVe text, gensim's native save (with its
    `.npy` beside it), `.npz` with the arrays `words` and `vectors`; each may be gzip. Where a word comes twice, its
    first vector counts. Text is read in float64, binary in float32, arrays as they are.

    Raises MetricError for a file that cannot be read or is none of these, a malformed line (by number), a needed
    vector that is 0, NaN or infinite, and where the table has none of the words that are needed.
    """
    path = Path(path)
    needed = None if words is None else frozenset(words)
    with HashedStream(path) as stream:
        head = _head(stream)
        if head.startswith((_ZIP, _PICKLE)):
            table = _from_arrays(stream, head, needed)
        else:
            table = _from_lines(stream, head, needed)
    if not len(table) and (needed is None or needed):
        raise _no_table(path, "none of the words of the text")
    return table


def open_vectors(path: str | Path) -> VectorFile:
    """The vectors of a file, to be read when they are needed. All of it is looked through once.

    Formats as for `load_vectors`. A file that is compressed is unpacked into a temporary one.

    Raises MetricError as `load_vectors` does for all words of a file.
    """
    path = Path(path)
    with HashedStream(path) as stream:
        head = _head(stream)
        if head.startswith((_ZIP, _PICKLE)):
            return _open_arrays(stream, head)
        if stream.mapped is not None:
            return _open_lines(stream, head, path.open("rb", buffering=0))
        file = tempfile.NamedTemporaryFile()  # noqa: SIM115 -- it goes when the table does
        while block := stream.read(1 << 20):
            file.write(block)
        file.flush()
        with HashedStream(Path(file.name)) as unpacked:
            unpacked.path = path
            return _open_lines(unpacked, head, cast("IO[bytes]", file))


def _head(stream: HashedStream) -> bytes:
    head = stream.peek(_SAMPLE)
    if not head.strip():
        raise _no_table(stream.path, "an empty file")
    return head


def _from_lines(stream: HashedStream, head: bytes, needed: frozenset[str] | None) -> WordVectors:
    binary = _is_word2vec_binary(stream, head)
    rows = Rows(needed_bytes(needed), (lambda _, values: values) if binary else partial(text_numbers, stream.path))
    dimension = _read_lines(stream, head, rows, binary)
    flat = np.frombuffer(rows.vectors, "<f4" if binary else np.float64)
    matrix_WD: NDArray[np.floating] = flat.reshape(len(rows.found), dimension)
    numbers = list(rows.found.values())
    kind = "vector" if binary else "line"
    words = [decoded(stream.path, kind, number, word) for word, number in rows.found.items()]
    check_vectors(words, matrix_WD, lambda row: f"{stream.path}, {kind} {numbers[row]}")
    return _table(words, matrix_WD, stream.digest(), stream.path)


def _open_lines(stream: HashedStream, head: bytes, file: IO[bytes]) -> VectorFile:
    try:
        index = Index(stream.path, _is_word2vec_binary(stream, head))
        with np.errstate(over="ignore", invalid="ignore"):  # in products that only glance at a vector
            dimension = _read_lines(stream, head, index, index.binary)
    except BaseException:
        file.close()
        raise
    return VectorFile(index.found, index.reader(file, dimension), dimension, stream.digest(), str(stream.path))


def _is_word2vec_binary(stream: HashedStream, head: bytes) -> bool:
    """Else it is text. Raises MetricError for what is neither."""
    header = read_header(head)
    if header is not None and 0 in header:
        raise _no_table(stream.path, f"a first line that promises {header[0]} vectors of {header[1]} numbers")
    if header is not None and is_binary(head):
        return True
    if b"\0" in head:
        raise _no_table(stream.path, "binary data of another format")
    return False


def _read_lines(stream: HashedStream, head: bytes, sink: Sink, binary: bool) -> int:
    """All of the file to `sink`; returns D."""
    header = read_header(head)
    if not binary:
        return read_text(stream, header, sink)
    assert header is not None, "the binary form has a header"
    read_binary(stream, header, sink)
    return header[1]


def _from_arrays(stream: HashedStream, head: bytes, needed: frozenset[str] | None) -> WordVectors:
    first, matrix_WD, digest = _arrays(stream, head)
    chosen = {word: row for word, row in first.items() if needed is None or word in needed}
    places = list(chosen.values())
    chosen_WD = np.ascontiguousarray(matrix_WD[places])
    check_vectors(list(chosen), chosen_WD, _row_of(stream.path, [place + 1 for place in places]))
    return _table(list(chosen), chosen_WD, digest, stream.path)


def _open_arrays(stream: HashedStream, head: bytes) -> VectorFile:
    first, matrix_WD, digest = _arrays(stream, head)
    words, places = list(first), list(first.values())
    for start in range(0, len(words), _ROWS):
        some = slice(start, start + _ROWS)
        numbers = [place + 1 for place in places[some]]
        check_vectors(words[some], matrix_WD[places[some]], _row_of(stream.path, numbers))
    rows = {word.encode(): row for word, row in first.items()}
    path = str(stream.path)
    return VectorFile(rows, lambda words: matrix_WD[[rows[word] for word in words]], matrix_WD.shape[1], digest, path)


def _row_of(path: Path, numbers: list[int]) -> Callable[[int], str]:
    """Where a row stands in its file, of rows by their numbers."""
    return lambda row: f"{path}, row {numbers[row]}"


def _arrays(stream: HashedStream, head: bytes) -> tuple[dict[str, int], NDArray[np.floating], Future[str]]:
    """The row of each word (the first of those of one word), matrix_WD, and the hash of all files that a table has."""
    beside: list[Path] = []
    if head.startswith(_ZIP):
        words, matrix_WD = read_npz(stream)
    else:
        words, matrix_WD, beside = read_native(stream)
    check_table(stream.path, words, matrix_WD)
    first: dict[str, int] = {}
    for row, word in enumerate(words):
        first.setdefault(word, row)
    return first, matrix_WD, _joint_digest(stream, beside)


def _joint_digest(stream: HashedStream, beside: list[Path]) -> Future[str]:
    """Of a file, or of the hashes of the several files that a table lies in."""
    own = stream.digest()
    if not beside:
        return own
    digest = hashlib.sha256(own.result().encode())
    for path in beside:
        with HashedStream(path) as other:
            digest.update(other.digest().result().encode())
    return known_digest(digest.hexdigest())


def _table(words: list[str], matrix_WD: NDArray[np.floating], digest: Future[str], path: Path) -> WordVectors:
    return WordVectors({word: row for row, word in enumerate(words)}, matrix_WD, digest, str(path))


def _no_table(path: Path, found: str) -> MetricError:
    return MetricError(
        str(path),
        found=found,
        expected="word vectors of the language of the text",
        next_step="name a word2vec, GloVe, gensim or .npz table of that language, in the casing of the text",
    )
