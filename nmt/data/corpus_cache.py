# N sentence pairs
"""Corpora that have been cut into subwords, in files: cut once on a machine, and read from there as batches need them.

An entry is a folder named by a hash of all that it depends on:

    src.ids, tgt.ids      ids of all rows one after another, EOS included: uint16 if the vocabulary allows, else int32
    src.ends, tgt.ends    where each row ends in them: int64 [N]
    lines                 which line of the text each pair was: int64 [N]
    about.json            number of pairs, what was dropped and unknown, and of each file its XXH3-128
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import sentencepiece
import xxhash

from nmt.data.encode import EncodedCorpus, Int32, Int64, encode_corpus, kept_pairs, pad_flat
from nmt.data.specials import EOS, UNK
from nmt.data.subwords import Subwords, Vocabularies
from nmt.data.text import ParallelText

log = logging.getLogger(__name__)
FORMAT = "1"  # raise it when the same text and vocabulary come to mean other ids
LEAST = 10_000  # pairs; fewer are cut anew each time and held in memory
BLOCK = 2**22  # bytes looked at at once
FLUSH = 2**16  # ids gathered before they are written
FILES = ("src.ids", "src.ends", "tgt.ids", "tgt.ends", "lines")
SHORT_IDS = 2**16  # vocabularies of at most so many pieces have ids of 2 bytes


class StoredRows:
    """Rows of ids that stay in their files (nmt.data.encode.Rows). Holds nothing; may be used from any thread."""

    def __init__(self, folder: Path, side: str, kind: npt.DTypeLike, count: int) -> None:
        self._kind, self._count = np.dtype(kind), count
        self._ids, self._ends = (os.open(folder / f"{side}.{part}", os.O_RDONLY) for part in ("ids", "ends"))
        for file in (self._ids, self._ends):
            weakref.finalize(self, os.close, file)

    def __len__(self) -> int:
        return self._count

    @property
    def lengths(self) -> Int64:
        """[N], the end mark included; read anew each time."""
        ends = np.frombuffer(os.pread(self._ends, 8 * self._count, 0), np.int64)
        assert len(ends) == self._count, "a file of ends was cut while it was open"
        lengths: Int64 = np.diff(ends, prepend=0)
        return lengths

    def padded(self, row_B: Int64) -> Int32:
        """[B, longest] of the rows asked for, padded with PAD (0)."""
        places = [self._place(i) for i in row_B.tolist()]
        flat = [self._read(*place) for place in places] or [np.zeros(0, np.int32)]
        return pad_flat(np.concatenate(flat), np.array([end - start for start, end in places], np.int64))

    def _place(self, i: int) -> tuple[int, int]:
        """Where row i begins and ends among the ids."""
        around = np.frombuffer(os.pread(self._ends, 8 if i == 0 else 16, 8 * max(i - 1, 0)), np.int64).tolist()
        return (0, around[0]) if i == 0 else (around[0], around[1])

    def _read(self, start: int, end: int) -> npt.NDArray[np.generic]:
        size = self._kind.itemsize
        return np.frombuffer(os.pread(self._ids, size * (end - start), size * start), self._kind)


def encode_stored(
    text: ParallelText, vocabularies: Vocabularies, max_length: int | None, max_ratio: float | None, folder: Path
) -> EncodedCorpus:
    """As `encode_corpus`, its ids in files of `folder`: those of before where text, vocabularies and limits are alike.

    A folder that cannot be written costs a warning, and the ids are held in memory. Raises DataError as
    `encode_corpus` does.
    """
    limits = max_length, max_ratio
    if len(text) >= LEAST:
        place = folder / _key(text, vocabularies, limits)
        try:
            if not _whole(place):
                _write(place, text, vocabularies, limits)
            return _open(place, vocabularies)
        except OSError as error:
            log.warning("%s as subwords cannot be kept in %s (%s); they are held in memory.", text.name, folder, error)
    return encode_corpus(text.src, text.tgt, vocabularies, *limits, name=text.name)


def _key(text: ParallelText, vocabularies: Vocabularies, limits: Sequence[object]) -> str:
    digest = xxhash.xxh3_128(repr((FORMAT, sentencepiece.__version__, len(text), *limits)).encode())
    for side in (vocabularies.src, vocabularies.tgt):
        digest.update(side.kind.value.encode() + side.to_bytes())
    for lines in (text.src, text.tgt):
        for line in lines:
            digest.update(line.encode() + b"\n")
    return digest.hexdigest()


def _kind(subwords: Subwords) -> npt.DTypeLike:
    return np.uint16 if subwords.size <= SHORT_IDS else np.int32


@dataclass
class _Writer:
    """One side's files while they grow."""

    ids: BinaryIO
    ends: BinaryIO
    kind: npt.DTypeLike
    end: int = 0
    unknown: int = 0

    def add(self, rows: Iterable[list[int]]) -> None:
        flat, ends = [], []
        for row in rows:
            flat += [*row, EOS]
            self.end += len(row) + 1
            ends.append(self.end)
        ids_X = np.array(flat, self.kind)
        self.unknown += int(np.count_nonzero(ids_X == UNK))
        self.ids.write(ids_X.tobytes())
        self.ends.write(np.array(ends, np.int64).tobytes())


def _write(
    place: Path, text: ParallelText, vocabularies: Vocabularies, limits: tuple[int | None, float | None]
) -> None:
    """Beside the place, and renamed, so that another process never sees half an entry."""
    place.parent.mkdir(parents=True, exist_ok=True)
    own = Path(tempfile.mkdtemp(dir=place.parent, prefix=".encoding-"))
    try:
        about = _fill(own, text, vocabularies, limits)
        digests = {name: _digest(own / name) for name in FILES}
        (own / "about.json").write_text(json.dumps({**about, "digests": digests}))
        try:
            own.rename(place)
        except OSError:
            if not _whole(place):  # else another process was here first
                shutil.rmtree(place, ignore_errors=True)
                own.rename(place)
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _fill(
    own: Path, text: ParallelText, vocabularies: Vocabularies, limits: tuple[int | None, float | None]
) -> dict[str, object]:
    """Write the files of an entry; -> what about.json tells but for digests."""
    dropped: dict[str, int] = {}
    pairs = kept_pairs(text.src, text.tgt, vocabularies, *limits, dropped, text.name)
    count = 0
    with (
        (own / "src.ids").open("wb") as src_ids,
        (own / "src.ends").open("wb") as src_ends,
        (own / "tgt.ids").open("wb") as tgt_ids,
        (own / "tgt.ends").open("wb") as tgt_ends,
        (own / "lines").open("wb") as lines,
    ):
        src = _Writer(src_ids, src_ends, _kind(vocabularies.src))
        tgt = _Writer(tgt_ids, tgt_ends, _kind(vocabularies.tgt))
        block: list[tuple[int, list[int], list[int]]] = []

        def flush() -> None:
            src.add(row for _, row, _ in block)
            tgt.add(row for _, _, row in block)
            lines.write(np.array([line for line, _, _ in block], np.int64).tobytes())
            block.clear()

        for pair in pairs:
            block.append(pair)
            count += 1
            if len(block) >= FLUSH // 16:
                flush()
        flush()
    return {"pairs": count, "dropped": dropped, "unknown_src": src.unknown, "unknown_tgt": tgt.unknown}


def _digest(path: Path) -> str:
    digest = xxhash.xxh3_128()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _whole(place: Path) -> bool:
    """Whether an entry is there, and is what was written."""
    try:
        about = json.loads((place / "about.json").read_text())
        if {name: _digest(place / name) for name in FILES} == about["digests"]:
            return True
        broken = "digests differ"
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (ValueError, KeyError, TypeError) as error:
        broken = repr(error)
    log.warning("The corpus kept in %s is broken (%s); it is cut into subwords anew.", place, broken)
    return False


def _open(place: Path, vocabularies: Vocabularies) -> EncodedCorpus:
    about = json.loads((place / "about.json").read_text())
    src = StoredRows(place, "src", _kind(vocabularies.src), about["pairs"])
    tgt = StoredRows(place, "tgt", _kind(vocabularies.tgt), about["pairs"])
    line_N = np.memmap(place / "lines", np.int64, "r")
    return EncodedCorpus(src, tgt, line_N, about["dropped"], about["unknown_src"], about["unknown_tgt"])
