"""Word vectors from a file, whatever its format: only the words that are needed.

W word, D dimension
"""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Iterable
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from nmt.errors import MetricError
from nmt.metrics.vector_archives import Matrix, StoredRows, check_table, read_npz, rows_of
from nmt.metrics.vector_files import (
    LARGEST_DIMENSION,
    SAMPLE,
    Rows,
    Sink,
    is_text,
    needed_bytes,
    read_binary,
    read_header,
    read_text,
    text_numbers,
    word_fault,
)
from nmt.metrics.vector_index import Index, VectorFile
from nmt.metrics.vector_pickles import read_native
from nmt.metrics.vector_stream import HashedStream, known_digest, steady_digest
from nmt.metrics.vector_table import LeftOut, VectorSource, WordVectors, fault_of, unusable_rows, word_vectors
from nmt.plumbing.text import BYTE_ORDER_MARK, refuse_kind

__all__ = ["VectorFile", "VectorSource", "WordVectors", "load_vectors", "open_vectors", "word_vectors"]

_ROWS = 1 << 14  # of an array that are looked at together
_ZIP = b"PK\x03\x04"
_PICKLE = b"\x80"  # no text starts with it: it is no first byte of UTF-8


def load_vectors(path: str | Path, words: Iterable[str] | None) -> WordVectors:
    """The vectors of `words` (None: of all) in a file, in the order of the file; words that it lacks are left out.

    Formats, told by content and not by name: word2vec text and binary, GloVe text, gensim's native save (with its
    `.npy` beside it), `.npz` with the arrays `words` and `vectors`; each may be gzip. Where a word comes twice, its
    first vector counts. Text is read in float64, binary in float32, arrays as they are. A word whose vector is 0, NaN
    or infinite, or that is no UTF-8, is left out as if the file lacked it; a warning counts them.

    Raises MetricError for a file that cannot be read or is none of these, a malformed line (by number), and where the
    table has none of the words that are needed.
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

    Formats, and what is left out, as for `load_vectors`. A file that is compressed is unpacked into a temporary one.

    Raises MetricError as `load_vectors` does for all words of a file.
    """
    path = Path(path)
    with HashedStream(path) as stream:
        head = _head(stream)
        if head.startswith((_ZIP, _PICKLE)):
            return _open_arrays(stream, head)
        if stream.plain is not None:
            return _open_lines(stream, head)
        with tempfile.TemporaryFile() as file:
            while block := stream.read(1 << 20):
                file.write(block)
            file.seek(0)
            with HashedStream(path, cast(io.BufferedReader, file)) as unpacked:
                return _open_lines(unpacked, _head(unpacked))


def _head(stream: HashedStream) -> bytes:
    head = stream.peek(SAMPLE)
    if not head.removeprefix(BYTE_ORDER_MARK).strip():
        raise _no_table(stream.path, "an empty file")
    return head


def _from_lines(stream: HashedStream, head: bytes, needed: frozenset[str] | None) -> WordVectors:
    binary = _is_word2vec_binary(stream, head)
    rows = Rows(needed_bytes(needed), (lambda _, values: values) if binary else partial(text_numbers, stream.path))
    dimension = _read_lines(stream, head, rows, binary)
    flat = np.frombuffer(rows.vectors, "<f4" if binary else np.float64)
    places = [f"{'vector' if binary else 'line'} {number}" for number in rows.found.values()]
    faults = [word_fault(word) for word in rows.found]
    words = [word.decode(errors="replace") for word in rows.found]
    return _table(stream.path, words, flat.reshape(len(words), dimension), places, faults, stream.digest())


def _table(
    path: Path, words: list[str], matrix_WD: NDArray[np.floating], places: list[str], faults: list[str],
    digest: Future[str],
) -> WordVectors:  # fmt: skip
    """Of the rows that can be used. `faults`: of words, which may be none. `places`: where they stand in the file."""
    for row in unusable_rows(matrix_WD).tolist():
        faults[row] = faults[row] or f"{fault_of(matrix_WD[row])} for {words[row]!r}"
    if any(faults):
        left_out = LeftOut(path)
        for place, fault in zip(places, faults, strict=True):
            if fault:
                left_out.add(place, fault)
        left_out.tell()
        used = [row for row, fault in enumerate(faults) if not fault]
        words, matrix_WD = [words[row] for row in used], matrix_WD[used]
    return WordVectors({word: row for row, word in enumerate(words)}, matrix_WD, digest, str(path))


def _open_lines(stream: HashedStream, head: bytes) -> VectorFile:
    index = Index(stream.path, _is_word2vec_binary(stream, head))
    with np.errstate(over="ignore", invalid="ignore"):  # in products that only glance at a vector
        dimension = _read_lines(stream, head, index, index.binary)
    index.left_out.tell()
    assert stream.plain is not None, "its caller has unpacked it"
    return VectorFile(index.found, index.reader(stream.plain, dimension), dimension, stream.digest(), str(stream.path))


def _is_word2vec_binary(stream: HashedStream, head: bytes) -> bool:
    """Else it is text. Raises MetricError for what is neither."""
    header = read_header(head)
    if header is not None and (0 in header or header[1] > LARGEST_DIMENSION):
        raise _no_table(stream.path, f"a first line that promises {header[0]} vectors of {header[1]} numbers")
    if header is None:
        refuse_kind(head, str(stream.path), error=MetricError)
    if is_text(head, header):
        return False
    if header is None:
        raise _no_table(stream.path, "binary data of another format")
    return True


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
    places = [f"row {row + 1}" for row in chosen.values()]
    return _table(
        stream.path, list(chosen), rows_of(matrix_WD, list(chosen.values())), places, _word_faults(chosen), digest
    )


def _open_arrays(stream: HashedStream, head: bytes) -> VectorFile:
    first, matrix_WD, digest = _arrays(stream, head)
    words, numbers, faults = list(first), list(first.values()), _word_faults(first)
    left_out = LeftOut(stream.path)
    rows: dict[bytes, int] = {}
    for start in range(0, len(words), _ROWS):
        some = slice(start, start + _ROWS)
        part_WD = rows_of(matrix_WD, numbers[some])
        for row in unusable_rows(part_WD).tolist():
            faults[start + row] = faults[start + row] or f"{fault_of(part_WD[row])} for {words[start + row]!r}"
        for word, number, fault in zip(words[some], numbers[some], faults[some], strict=True):
            if fault:
                left_out.add(f"row {number + 1}", fault)
            else:
                rows[word.encode()] = number
    left_out.tell()
    path = str(stream.path)
    return VectorFile(
        rows, lambda words: rows_of(matrix_WD, [rows[word] for word in words]), matrix_WD.shape[1], digest, path
    )


def _word_faults(words: Iterable[str]) -> list[str]:
    """Half of a pair of surrogates is a character to Python alone."""
    return ["" if word.isascii() else word_fault(word.encode(errors="surrogatepass")) for word in words]


def _arrays(stream: HashedStream, head: bytes) -> tuple[dict[str, int], Matrix, Future[str]]:
    """The row of each word (the first of those of one word), matrix_WD, and the hash of all files that a table has."""
    beside: list[StoredRows] = []
    if head.startswith(_ZIP):
        words, matrix_WD = read_npz(stream)
    else:
        words, matrix_WD, beside = read_native(stream)
    check_table(stream.path, words, matrix_WD)
    first: dict[str, int] = {}
    for row, word in enumerate(words):
        first.setdefault(word, row)
    return first, matrix_WD, _joint_digest(stream, beside)


def _joint_digest(stream: HashedStream, beside: list[StoredRows]) -> Future[str]:
    """Of a file, or of the hashes of the several files that a table lies in."""
    own = stream.digest()
    if not beside:
        return own
    digest = hashlib.sha256(own.result().encode())
    for rows in beside:
        digest.update(steady_digest(rows.file).encode())
    return known_digest(digest.hexdigest())


def _no_table(path: Path, found: str) -> MetricError:
    return MetricError(
        str(path),
        found=found,
        expected="word vectors of the language of the text",
        next_step="name a word2vec, GloVe, gensim or .npz table of that language, in the casing of the text",
    )
