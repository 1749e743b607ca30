# N sentence pairs
"""A parallel corpus as numbers: flat arrays, since millions of pairs do not fit as Python objects."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from nmt.data.subwords import EOS, UNK, Vocabularies
from nmt.errors import DataError

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]

EMPTY, LONG, RATIO = "empty side", "too long", "ratio"


@dataclass(frozen=True)
class Ragged:
    """Rows of unequal length: row i is `ids[offsets[i] : offsets[i + 1]]`."""

    ids: Int32
    offsets: Int64

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Int64:
        """[N], the end mark included."""
        return np.diff(self.offsets)

    def padded(self, row_B: Int64) -> Int32:
        """[B, longest] of the rows asked for, padded with PAD (0)."""
        starts_B = self.offsets[row_B]
        columns_BS, real_BS = _columns(self.offsets[row_B + 1] - starts_B)
        padded_BS = np.zeros(real_BS.shape, np.int32)
        padded_BS[real_BS] = self.ids[(starts_B[:, np.newaxis] + columns_BS)[real_BS]]
        return padded_BS


class Rows(Protocol):
    """Rows of unequal length, in memory (Ragged) or in a file (nmt/data/corpus_cache.py)."""

    def __len__(self) -> int: ...
    @property
    def lengths(self) -> Int64:
        """[N], the end mark included."""

    def padded(self, row_B: Int64) -> Int32:
        """[B, longest] of the rows asked for, padded with PAD (0)."""


@dataclass(frozen=True)
class EncodedCorpus:
    """Pairs of sentences as ids. Both sides of each end in EOS, which counts in the lengths."""

    src: Rows
    tgt: Rows
    line_N: Int64  # where in the text each pair stood, from 0
    dropped: dict[str, int] = field(default_factory=dict)  # reason -> pairs; only reasons that there were
    unknown_src: int = 0  # UNK among the ids kept
    unknown_tgt: int = 0

    def __len__(self) -> int:
        return len(self.src)

    @property
    def lengths_src(self) -> Int64:
        """[N], the end mark included."""
        return self.src.lengths

    @property
    def lengths_tgt(self) -> Int64:
        """[N], the end mark included."""
        return self.tgt.lengths


def encode_corpus(
    text_src: Sequence[str],
    text_tgt: Sequence[str],
    vocabularies: Vocabularies,
    max_length: int | None = None,
    max_ratio: float | None = None,
    name: str = "the training set",
) -> EncodedCorpus:
    """Encode a parallel text; with limits, drop pairs that have an empty side, are too long, or too uneven.

    `max_length` is in subwords a side and `max_ratio` longer over shorter, both before EOS is added. Without both
    (dev and test sets) every line is kept. Raises DataError when no pair is left.
    """
    assert len(text_src) == len(text_tgt), "a parallel text has as many lines on either side"
    rows_src, rows_tgt, lines = _Rows(), _Rows(), array("q")
    dropped: dict[str, int] = {}
    for line, src, tgt in kept_pairs(text_src, text_tgt, vocabularies, max_length, max_ratio, dropped, name):
        rows_src.add(src)
        rows_tgt.add(tgt)
        lines.append(line)
    src_rows, tgt_rows = rows_src.ragged(), rows_tgt.ragged()
    unknown = [int(np.count_nonzero(rows.ids == UNK)) for rows in (src_rows, tgt_rows)]
    return EncodedCorpus(src_rows, tgt_rows, np.array(lines, np.int64), dropped, *unknown)


def kept_pairs(
    text_src: Sequence[str],
    text_tgt: Sequence[str],
    vocabularies: Vocabularies,
    max_length: int | None,
    max_ratio: float | None,
    dropped: dict[str, int],
    name: str,
) -> Iterator[tuple[int, list[int], list[int]]]:
    """Line, source and target ids of each pair that is kept, without EOS; the others are counted in `dropped`.

    Raises DataError, in the end, where there was none.
    """
    counts, kept = {EMPTY: 0, LONG: 0, RATIO: 0}, 0
    for line, (source, target) in enumerate(zip(text_src, text_tgt, strict=True)):
        src, tgt = vocabularies.src.encode(source), vocabularies.tgt.encode(target)
        reason = _reason(len(src), len(tgt), max_length, max_ratio)
        if reason is not None:
            counts[reason] += 1
            continue
        kept += 1
        yield line, src, tgt
    dropped.update({reason: count for reason, count in counts.items() if count})
    if not kept:
        raise _nothing_left(name, len(text_src), dropped, max_length, max_ratio)


def pad_right(sentences: Sequence[Sequence[int] | Int32]) -> Int32:
    """[B, longest] of the sentences as they are, padded with PAD (0)."""
    offsets = np.concatenate([[0], np.cumsum([len(ids) for ids in sentences], dtype=np.int64)])
    flat = np.fromiter((i for ids in sentences for i in ids), np.int32, int(offsets[-1]))
    return Ragged(flat, offsets).padded(np.arange(len(sentences)))


def _columns(lengths_B: Int64) -> tuple[Int64, npt.NDArray[np.bool_]]:
    """Numbers of columns [1, longest], and where rows of these lengths have something [B, longest]."""
    columns_BS = np.arange(lengths_B.max(initial=0))[np.newaxis]
    return columns_BS, columns_BS < lengths_B[:, np.newaxis]


def pad_flat(flat: npt.NDArray[np.generic], lengths_B: Int64) -> Int32:
    """[B, longest] of rows that lie one after another in `flat`, padded with PAD (0)."""
    _, real_BS = _columns(lengths_B)
    padded_BS = np.zeros(real_BS.shape, np.int32)
    padded_BS[real_BS] = flat
    return padded_BS


class _Rows:
    """A Ragged that grows."""

    def __init__(self) -> None:
        self._ids, self._ends = array("i"), array("q", [0])

    def add(self, ids: Sequence[int]) -> None:
        self._ids.extend(ids)
        self._ids.append(EOS)
        self._ends.append(len(self._ids))

    def ragged(self) -> Ragged:
        return Ragged(np.array(self._ids, np.int32), np.array(self._ends, np.int64))


def _reason(src: int, tgt: int, max_length: int | None, max_ratio: float | None) -> str | None:
    """Why a pair of these lengths is dropped, None if it is kept."""
    if max_length is None and max_ratio is None:
        return None
    if min(src, tgt) == 0:
        return EMPTY
    if max_length is not None and max(src, tgt) > max_length:
        return LONG
    if max_ratio is not None and max(src, tgt) > max_ratio * min(src, tgt):
        return RATIO
    return None


def _nothing_left(
    name: str, pairs: int, dropped: dict[str, int], max_length: int | None, max_ratio: float | None
) -> DataError:
    if not pairs:
        return DataError(name, found="no sentence pairs", expected="at least one", next_step="check its files")
    reasons = ", ".join(f"{reason}: {count}" for reason, count in dropped.items())
    return DataError(
        name,
        found=f"no sentence pair to keep of {pairs} ({reasons})",
        expected=f"some within data.max_length={max_length} and data.max_ratio={max_ratio}",
        next_step="raise these limits, or check that line n of one file translates line n of the other",
    )
