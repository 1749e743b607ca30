"""Word vectors: a table of words, and the hash that says which table it was.

W word, D dimension
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nmt.errors import MetricError
from nmt.metrics.vector_stream import known_digest

LOG = logging.getLogger(__name__)


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
    bad_W = unusable_rows(exact_WD)
    if len(bad_W):
        raise MetricError(
            f"{source}, row {bad_W[0] + 1}",
            found=f"{fault_of(exact_WD[bad_W[0]])} for {words[bad_W[0]]!r}",
            expected="finite numbers that are not all 0",
            next_step="remove the word from the table",
        )
    rows = {word: row for row, word in enumerate(words)}
    if len(rows) < len(words):
        twice = next(word for row, word in enumerate(words) if rows[word] != row)
        raise MetricError(
            source, found=f"{twice!r} more than once", expected="each word once", next_step="keep one vector a word"
        )
    return WordVectors(rows, exact_WD, known_digest(digest.hexdigest()), source)


def unusable_rows(matrix_WD: NDArray[np.floating]) -> NDArray[np.intp]:
    """The rows that are 0 or not finite: they have no direction, or no distance to anything."""
    with np.errstate(invalid="ignore"):  # of a NaN that signals
        fine_W = np.isfinite(matrix_WD).all(axis=1) & matrix_WD.any(axis=1)
    return np.flatnonzero(~fine_W)


def fault_of(vector_D: NDArray[np.floating]) -> str:
    """What is wrong with an unusable row."""
    return "a vector of zeros" if np.isfinite(vector_D).all() else "a vector with NaN or infinity"


@dataclass
class LeftOut:
    """Words of a file that are left out, since their rows cannot be used: they are unknown. Counted, and told once."""

    path: Path
    num_words: int = 0
    first: str = ""

    def add(self, place: str, fault: str) -> None:
        self.num_words += 1
        self.first = self.first or f"{place}: {fault}"

    def tell(self) -> None:
        if self.num_words:
            LOG.warning("%s: words left out as unknown: %d; the first is on %s.", self.path, self.num_words, self.first)
