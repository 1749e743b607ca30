"""Word vectors that stay in their file: an index of places, and the vectors of a text when it comes.

W word of the file, D dimension, K word that is read
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from nmt.metrics.vector_files import text_numbers, word_fault
from nmt.metrics.vector_table import LeftOut, WordVectors, fault_of, unusable_rows
from nmt.plumbing.steady import SteadyFile

_NUMBERS = b"+-.0123456789eE "  # bytes of finite numbers
_FAR = re.compile(rb"[eE][-+]?[0-9]{3}|[0-9]{300}")  # beyond the range of numbers, perhaps
_NOT_ZERO = re.compile(rb"(?:^| )[-+]?[0.]*[1-9]")


class VectorFile:
    """A table of which `select` reads the vectors that are asked for, and keeps them: some 165 bytes a word beside.

    For texts that are not there yet, as translations of a run that trains; `load_vectors` is for texts that are there.
    Threads may ask at once, as those of a service do.
    """

    def __init__(
        self, places: dict[bytes, int], read: Callable[[list[bytes]], NDArray[np.floating]], dimension: int,
        digest: Future[str], source: str,
    ) -> None:  # fmt: skip
        self._places, self._read, self._digest = places, read, digest
        self.dimension, self.source = dimension, source
        self._rows: dict[str, int] = {}
        self._matrix_KD: NDArray[np.floating] = read([])
        self._lock = Lock()

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
        with self._lock:
            fresh = sorted(word for word in set(words) - self._rows.keys() if word in self)
            if fresh:
                self._matrix_KD = np.concatenate([self._matrix_KD, self._read([word.encode() for word in fresh])])
                self._rows = {**self._rows, **{word: len(self._rows) + n for n, word in enumerate(fresh)}}
            return WordVectors(self._rows, self._matrix_KD, self._digest, self.source)


@dataclass
class Index:
    """Takes the place of each word (a sink of `vector_files`) and looks at each row: what cannot be used is left out.

    `found[word]` is its number among the places.
    """

    path: Path
    binary: bool
    needed: frozenset[bytes] | None = None
    found: dict[bytes, int] = field(default_factory=dict)
    places: array[int] = field(default_factory=lambda: array("q"))
    sizes: array[int] = field(default_factory=lambda: array("q"))
    left_out: LeftOut = field(init=False)
    faulty: set[bytes] = field(default_factory=set)  # words that were left out: a second vector does not count

    def __post_init__(self) -> None:
        self.left_out = LeftOut(self.path)

    def add(self, word: bytes, number: int, place: int, values: bytes) -> None:
        if word in self.faulty:
            return
        fault = word_fault(word) or self._fault(word, number, values)
        if fault:
            self.faulty.add(word)
            self.left_out.add(f"{'vector' if self.binary else 'line'} {number}", fault)
            return
        self.found[word] = len(self.places)
        self.places.append(place)
        self.sizes.append(len(values))

    def _fault(self, word: bytes, number: int, values: bytes) -> str:
        if _is_fine_binary(values) if self.binary else _is_fine_text(values):
            return ""
        vector_1D = self.numbers(number, values)[np.newaxis]
        return f"{fault_of(vector_1D)} for {word.decode()!r}" if len(unusable_rows(vector_1D)) else ""

    def numbers(self, number: int, values: bytes) -> NDArray[np.floating]:
        """vector_D"""
        return np.frombuffer(values, "<f4") if self.binary else np.frombuffer(text_numbers(self.path, number, values))

    def reader(self, file: SteadyFile, dimension: int) -> Callable[[list[bytes]], NDArray[np.floating]]:
        """What reads words -> matrix_KD from the file, which is plain bytes."""
        return _Records(self, file, dimension)


class _Records:
    def __init__(self, index: Index, file: SteadyFile, dimension: int) -> None:
        self.index, self.file, self.dimension = index, file, dimension

    def __call__(self, words: list[bytes]) -> NDArray[np.floating]:
        matrix_KD = np.empty((len(words), self.dimension), np.float32 if self.index.binary else np.float64)
        for row, word in enumerate(words):
            number = self.index.found[word]
            start = word + b" "
            record = self.file.read(self.index.places[number], len(start) + self.index.sizes[number])
            if not record.startswith(start):
                raise self.file.changed()
            matrix_KD[row] = self.index.numbers(number + 1, record[len(start) :])
        self.file.check()
        return matrix_KD


def _is_fine_text(values: bytes) -> bool:
    """Whether these are finite numbers that are not all 0, at a glance; what is not is looked at closely."""
    usual = not values.translate(None, _NUMBERS) and _FAR.search(values) is None
    return usual and _NOT_ZERO.search(values) is not None


def _is_fine_binary(values: bytes) -> bool:
    """Beyond the range of float32 the product fails although the vector may be fine."""
    vector_D = np.frombuffer(values, "<f4")
    return bool(0.0 < vector_D.dot(vector_D) < np.inf)
