"""Word vectors from a file, whatever its format: only the words that are needed.

W word, D dimension
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nmt.errors import MetricError
from nmt.metrics.vector_archives import check_table, read_native, read_npz
from nmt.metrics.vector_files import Rows, is_binary, needed_bytes, read_binary, read_header, read_text
from nmt.metrics.vector_stream import HashedStream
from nmt.metrics.vector_table import WordVectors, check_vectors, word_vectors

__all__ = ["WordVectors", "load_vectors", "word_vectors"]

_SAMPLE = 1 << 13
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
        head = stream.peek(_SAMPLE)
        if not head.strip():
            raise _no_table(path, "an empty file")
        if head.startswith((_ZIP, _PICKLE)):
            table = _from_arrays(stream, head, needed)
        else:
            table = _from_lines(stream, head, needed)
    if not len(table) and (needed is None or needed):
        raise _no_table(path, "none of the words of the text")
    return table


def _from_lines(stream: HashedStream, head: bytes, needed: frozenset[str] | None) -> WordVectors:
    rows = Rows(needed_bytes(needed))
    header = read_header(head)
    kind, binary = "line", False
    if header is not None and 0 in header:
        raise _no_table(stream.path, f"a first line that promises {header[0]} vectors of {header[1]} numbers")
    if header is not None and is_binary(head):
        read_binary(stream, header, rows)
        dimension, kind, binary = header[1], "vector", True
    elif b"\0" in head:
        raise _no_table(stream.path, "binary data of another format")
    else:
        dimension = read_text(stream, header, rows)
    flat = np.frombuffer(b"".join(rows.vectors), "<f4" if binary else np.float64)
    matrix_WD: NDArray[np.floating] = flat.reshape(len(rows.vectors), dimension)
    numbers = list(rows.numbers.values())
    words = [_decoded(stream.path, kind, number, word) for word, number in rows.numbers.items()]
    check_vectors(words, matrix_WD, lambda row: f"{stream.path}, {kind} {numbers[row]}")
    return _table(words, matrix_WD, stream.sha256(), stream.path)


def _decoded(path: Path, kind: str, number: int, word: bytes) -> str:
    try:
        return word.decode()
    except UnicodeDecodeError as error:
        raise MetricError(
            f"{path}, {kind} {number}",
            found=f"bytes that are no UTF-8 ({word[:20]!r})",
            expected="words in UTF-8",
            next_step="convert the table",
        ) from error


def _from_arrays(stream: HashedStream, head: bytes, needed: frozenset[str] | None) -> WordVectors:
    beside: list[Path] = []
    if head.startswith(_ZIP):
        words, matrix_WD = read_npz(stream)
    else:
        words, matrix_WD, beside = read_native(stream)
    check_table(stream.path, words, matrix_WD)
    first: dict[str, int] = {}
    for row, word in enumerate(words):
        if needed is None or word in needed:
            first.setdefault(word, row)
    places = list(first.values())
    chosen_WD = np.ascontiguousarray(matrix_WD[places])
    check_vectors(list(first), chosen_WD, lambda row: f"{stream.path}, row {places[row] + 1}")
    return _table(list(first), chosen_WD, _joint_sha256(stream, beside), stream.path)


def _joint_sha256(stream: HashedStream, beside: list[Path]) -> str:
    """Of a file, or of the hashes of the several files that a table lies in."""
    own = stream.sha256()
    if not beside:
        return own
    digest = hashlib.sha256(own.encode())
    for path in beside:
        with HashedStream(path) as other:
            digest.update(other.sha256().encode())
    return digest.hexdigest()


def _table(words: list[str], matrix_WD: NDArray[np.floating], sha256: str, path: Path) -> WordVectors:
    return WordVectors({word: row for row, word in enumerate(words)}, matrix_WD, sha256, str(path))


def _no_table(path: Path, found: str) -> MetricError:
    return MetricError(
        str(path),
        found=found,
        expected="word vectors of the language of the text",
        next_step="name a word2vec, GloVe, gensim or .npz table of that language, in the casing of the text",
    )
