# P source pieces, V target pieces, W pieces that a batch may write
"""Lexical shortlists (Jean et al. 2015; Devlin 2017): the target pieces that go with a source's, and no others.

Most of a step is spent on the output layer, most of whose words no translation of these sentences has. The pieces that
go with a source piece are those that the model wrote while it looked there, over its training text; to them come the
most frequent ones. The softmax is over the shortlist of a batch: what is left out has probability 0, and the
probabilities of the rest are scaled up.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from nmt.data.specials import NUM_SPECIALS
from nmt.data.subwords import Vocabularies
from nmt.errors import DataError
from nmt.plumbing.files import write_text
from nmt.plumbing.records import parsed, record_of
from nmt.plumbing.text import read_bytes

Ids = NDArray[np.int32]
ROUNDED = 64  # pieces; oneDNN keeps a program for every width of a product that it meets
LEAST = 0.05  # of the attention; what is less is no pair


def digest_of(vocabularies: Vocabularies) -> str:
    """Of the pieces of both sides."""
    sides = (vocabularies.src.to_bytes(), vocabularies.tgt.to_bytes())
    return hashlib.sha256(b"".join(hashlib.sha256(side).digest() for side in sides)).hexdigest()[:16]


@dataclass(frozen=True)
class ShortlistFile:
    """What stands in the file, as JSON."""

    vocabularies: str  # their digest
    learnt_from: str  # in words
    frequent: int  # that every sentence may write
    by_frequency: list[int]  # all target pieces, the most frequent first
    pieces: list[list[int]]  # for each source piece those that go with it


class Shortlist:
    """Which pieces a batch may write."""

    def __init__(self, content: ShortlistFile, name: str) -> None:
        most = max(map(len, content.pieces), default=0)
        self.pieces_P = [np.array(pieces, np.int32) for pieces in content.pieces]
        self.frequent = np.array([*range(NUM_SPECIALS), *content.by_frequency[: content.frequent]], np.int32)
        self.by_frequency_V = np.array(content.by_frequency, np.int32)
        self.signature = f"{most} a piece|{content.frequent} frequent|{content.learnt_from}|{name}"

    def of(self, sources: Iterable[Sequence[int]]) -> Ids:
        """Rising ids [W], the special ones first: for a batch the union of its sentences' lists, filled with frequent
        pieces to a multiple of `ROUNDED`."""
        read = {piece for source in sources for piece in source}
        size = NUM_SPECIALS + len(self.by_frequency_V)
        may_V = np.zeros(size, bool)
        may_V[np.concatenate([self.pieces_P[piece] for piece in read])] = True
        may_V[self.frequent] = True
        count = int(np.count_nonzero(may_V))
        width = min(size, -(-count // ROUNDED) * ROUNDED)
        may_V[self.by_frequency_V[~may_V[self.by_frequency_V]][: width - count]] = True
        return np.flatnonzero(may_V).astype(np.int32)


class Counts:
    """How much of the attention went to each source piece as each target piece was written."""

    def __init__(self, num_src: int, num_tgt: int) -> None:
        self.count_PV = csr_array((num_src, num_tgt), dtype=np.float32)
        self.seen_V = np.zeros(num_tgt, np.int64)

    def add(self, source_BS: Ids, target_BT: Ids, weight_BTS: NDArray[np.float32]) -> None:
        """A batch, padded with 0, and the attention of its model as it was forced to write the targets."""
        strong_BTS = (weight_BTS >= LEAST) & (target_BT[:, :, np.newaxis] >= NUM_SPECIALS)
        row, step, place = np.nonzero(strong_BTS)
        pair = (source_BS[row, place], target_BT[row, step])
        self.count_PV = self.count_PV + csr_array((weight_BTS[strong_BTS], pair), shape=self.count_PV.shape)
        self.seen_V += np.bincount(target_BT.ravel(), minlength=len(self.seen_V))

    def file(self, vocabularies: Vocabularies, pieces: int, frequent: int, learnt_from: str) -> ShortlistFile:
        """The `pieces` that got most of each source piece; on a tie the smaller id."""
        start, column, value = self.count_PV.indptr, self.count_PV.indices, self.count_PV.data
        chosen = []
        for begin, end in pairwise(start.tolist()):
            order = np.lexsort((column[begin:end], -value[begin:end]))[:pieces]
            chosen.append(sorted(column[begin:end][order].tolist()))
        by_frequency = NUM_SPECIALS + np.argsort(-self.seen_V[NUM_SPECIALS:], kind="stable")
        return ShortlistFile(digest_of(vocabularies), learnt_from, frequent, by_frequency.tolist(), chosen)


def write_shortlist(path: Path, content: ShortlistFile) -> None:
    write_text(path, json.dumps(asdict(content), separators=(",", ":")) + "\n")


def read_shortlist(path: Path, vocabularies: Vocabularies) -> Shortlist:
    """Raises DataError for a file that is none, or one of other vocabularies."""
    data = read_bytes(path)
    try:
        content = record_of(ShortlistFile, parsed(data))
        if not content.learnt_from.isprintable():
            raise ValueError("learnt_from")
    except ValueError as error:
        raise _refused(path, f"no shortlist ({error})"[:200], "a file that nmt shortlist has written") from error
    if content.vocabularies != digest_of(vocabularies):
        raise _refused(path, "a shortlist of other vocabularies", "one that was learnt with this checkpoint's pieces")
    num_src, num_tgt = vocabularies.src.size, vocabularies.tgt.size
    pieces = {piece for row in content.pieces for piece in row}
    whole = sorted(content.by_frequency) == list(range(NUM_SPECIALS, num_tgt)) and content.frequent >= 0
    if not whole or len(content.pieces) != num_src or not pieces <= set(content.by_frequency):
        raise _refused(path, "lists of pieces that are not whole", "a file that nmt shortlist has written")
    return Shortlist(content, hashlib.sha256(data).hexdigest()[:8])


def _refused(path: Path, found: str, expected: str) -> DataError:
    return DataError(
        str(path), found=found, expected=expected, next_step="learn it anew with nmt shortlist, or leave it out"
    )
