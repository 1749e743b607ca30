"""Word vectors: a table of words, and the hash that says which table it was.

W word, D dimension
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nmt.errors import MetricError
from nmt.metrics.vector_stream import known_digest


class VectorSource(Protocol):
    """Where vectors come from: `WordVectors`, which are in memory, or a `VectorFile`, which reads them when needed."""

    @property
    def source(self) -> str: ...
    @property
    def dimension(self) -> int: ...
    @property
    def sha256(self) -> str: ...
    def __len__(self) -> int: ...
    def __contains__(self, word: object) -> bool: ...
    def select(self, words: Iterable[str]) -> WordVectors:
        """A table that holds `words`, as far as they have vectors, and perhaps more."""
        ...


@dataclass(frozen=True)
class WordVectors:
    """`matrix_WD[rows[word]]` is the vector of `word`, in float32 or float64; each is finite and none is 0.

    `sha256` is that of the file they come from (decompressed), or of the table where there is no file. It does not
    depend on which words of a file were asked for. Of a large file it may still be at work: the first to ask waits.
    """

    rows: dict[str, int]
    matrix_WD: NDArray[np.floating]
    digest: Future[str]
    source: str

    @property
    def sha256(self) -> str:
        return self.digest.result()

    @property
    def dimension(self) -> int:
        return int(self.matrix_WD.shape[1])

    @property
    def words(self) -> list[str]:
        """In the order of the rows."""
        return list(self.rows)

    def select(self, words: Iterable[str]) -> WordVectors:
        """This table: all of it is in memory."""
        return self

    def __len__(self) -> int:
        return len(self.rows)

    def __contains__(self, word: object) -> bool:
        return word in self.rows

    def __getitem__(self, word: str) -> NDArray[np.floating]:
        """vector_D. Raises KeyError for a word that is not in the table."""
        vector_D: NDArray[np.floating] = self.matrix_WD[self.rows[word]]
        return vector_D


def word_vectors(words: Sequence[str], matrix_WD: NDArray[np.floating], source: str) -> WordVectors:
    """A table made in memory. Raises MetricError for a vector that is 0 or not finite, or a word that comes twice."""
    assert len(words) == len(matrix_WD), "a vector for each word"
    exact_WD = np.ascontiguousarray(matrix_WD)
    digest = hashlib.sha256(f"{exact_WD.dtype.str} {exact_WD.shape}\n".encode())
    digest.update("\n".join(words).encode())
    digest.update(exact_WD.data)
    check_vectors(words, exact_WD, lambda row: f"{source}, row {row + 1}")
    rows = {word: row for row, word in enumerate(words)}
    if len(rows) < len(words):
        twice = next(word for row, word in enumerate(words) if rows[word] != row)
        raise MetricError(
            source, found=f"{twice!r} more than once", expected="each word once", next_step="keep one vector a word"
        )
    return WordVectors(rows, exact_WD, known_digest(digest.hexdigest()), source)


def check_vectors(words: Sequence[str], matrix_WD: NDArray[np.floating], place: Callable[[int], str]) -> None:
    """Raises MetricError for the first row that is 0 or not finite: it has no direction, or no distance to anything.

    `place` says where a row stands in its file.
    """
    if not matrix_WD.size:
        return
    finite_W = np.isfinite(matrix_WD).all(axis=1)
    nonzero_W = matrix_WD.any(axis=1)
    bad_W = np.flatnonzero(~(finite_W & nonzero_W))
    if len(bad_W):
        row = int(bad_W[0])
        found = "a vector of zeros" if finite_W[row] else "a vector with NaN or infinity"
        raise MetricError(
            place(row),
            found=f"{found} for {words[row]!r}",
            expected="finite numbers that are not all 0",
            next_step="remove the word from the table",
        )
