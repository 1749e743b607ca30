"""Word vectors that stay in their file: an index of places, and the vectors of a text when it comes.

W word of the file, D dimension, K word that is read
"""

from __future__ import annotations

import os
import re
import weakref
from array import array
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from nmt.errors import MetricError
from nmt.metrics.vector_files import decoded, text_numbers
from nmt.metrics.vector_table import WordVectors, check_vectors

_NUMBERS = b"+-.0123456789eE "  # bytes of finite numbers
_NOT_ZERO = re.compile(rb"(?:^| )[-+]?[0.]*[1-9]")


class VectorFile:
    """A table of which `select` reads the vectors that are asked for, and keeps them: some 165 bytes a word beside.

    For texts that are not there yet, as translations of a run that trains. `load_vectors` is for texts that are.
    """

    def __init__(
        self, places: dict[bytes, int], read: Callable[[list[bytes]], NDArray[np.floating]], dimension: int,
        digest: Future[str], source: str,
    ) -> None:  # fmt: skip
        self._places, self._read, self._digest = places, read, digest
        self.dimension, self.source = dimension, source
        self._rows: dict[str, int] = {}
        self._matrix_KD: NDArray[np.floating] = read([])

    @property
    def sha256(self) -> str:
        return self._digest.result()

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and word.encode() in self._places

    def select(self, words: Iterable[str]) -> WordVectors:
        """A table that holds `words`, as far as the file does, and those of earlier calls.

        Raises MetricError where the file has changed since it was opened.
        """
        fresh = sorted(word for word in set(words) - self._rows.keys() if word in self)
        if fresh:
            self._matrix_KD = np.concatenate([self._matrix_KD, self._read([word.encode() for word in fresh])])
            self._rows = {**self._rows, **{word: len(self._rows) + n for n, word in enumerate(fresh)}}
        return WordVectors(self._rows, self._matrix_KD, self._digest, self.source)


@dataclass
class Index:
    """Takes the place of each word (a sink of `vector_files`) and looks at each vector: none may be 0, NaN or infinite.

    `found[word]` is its number among the places.
    """

    path: Path
    binary: bool
    needed: frozenset[bytes] | None = None
    found: dict[bytes, int] = field(default_factory=dict)
    places: array[int] = field(default_factory=lambda: array("q"))
    sizes: array[int] = field(default_factory=lambda: array("q"))

    def add(self, word: bytes, number: int, place: int, values: bytes) -> None:
        kind = "vector" if self.binary else "line"
        text = decoded(self.path, kind, number, word)
        if not (_is_fine_binary(values) if self.binary else _is_fine_text(values)):
            vector_1D = self.numbers(number, values)[np.newaxis]
            check_vectors([text], vector_1D, lambda _: f"{self.path}, {kind} {number}")
        self.found[word] = len(self.places)
        self.places.append(place)
        self.sizes.append(len(values))

    def numbers(self, number: int, values: bytes) -> NDArray[np.floating]:
        """vector_D"""
        return np.frombuffer(values, "<f4") if self.binary else np.frombuffer(text_numbers(self.path, number, values))

    def reader(self, file: IO[bytes], dimension: int) -> Callable[[list[bytes]], NDArray[np.floating]]:
        """What reads words -> matrix_KD from `file` (plain bytes), which it closes in the end."""
        read = _Records(self, file, dimension)
        weakref.finalize(read, file.close)
        return read


class _Records:
    def __init__(self, index: Index, file: IO[bytes], dimension: int) -> None:
        self.index, self.file, self.dimension = index, file, dimension

    def __call__(self, words: list[bytes]) -> NDArray[np.floating]:
        matrix_KD = np.empty((len(words), self.dimension), np.float32 if self.index.binary else np.float64)
        for row, word in enumerate(words):
            number = self.index.found[word]
            start = word + b" "
            size = len(start) + self.index.sizes[number]
            record = os.pread(self.file.fileno(), size, self.index.places[number])
            if len(record) < size or not record.startswith(start):
                raise MetricError(
                    str(self.index.path),
                    found=f"another vector where that of {word.decode(errors='replace')!r} was",
                    expected="the table that was opened",
                    next_step="leave the file as it is while it is in use",
                )
            matrix_KD[row] = self.index.numbers(number + 1, record[len(start) :])
        return matrix_KD


def _is_fine_text(values: bytes) -> bool:
    """Whether these are finite numbers that are not all 0, at a glance; what is not is looked at closely."""
    return not values.translate(None, _NUMBERS) and _NOT_ZERO.search(values) is not None


def _is_fine_binary(values: bytes) -> bool:
    """Beyond the range of float32 the product fails although the vector may be fine."""
    vector_D = np.frombuffer(values, "<f4")
    return bool(0.0 < vector_D.dot(vector_D) < np.inf)
