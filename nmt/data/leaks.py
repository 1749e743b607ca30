# N lines of a block, W words of it, C candidates (a line and a row), R rows: the sentences that are looked for
"""Where sentences of dev and test sets stand in other text: exactly, but for how they are written, or nearly.

Nearly: in words, one training sentence differs from the sentence in at most a fifth of it (edit distance). So Lee et
al. (2022), "Deduplicating Training Data Makes Language Models Better", tell near duplicates: an edit similarity of
0.8. The 13-grams of Brown et al. (2020), made for documents, would see nothing here: a sentence of a test set has a
dozen words, and one changed in its middle leaves no long n-gram whole.

None is missed, and few are compared: with d words changed, one of d + 1 parts of the sentence is whole. Those parts
are the n-grams that text is searched for.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]
UInt8 = npt.NDArray[np.uint8]

NOT, NEAR, WRITTEN, EXACT = range(4)  # degrees, each of which says more than those before it
SHARE = 5  # one word of so many may differ
# Vowel signs and accents belong to words. Those beyond U+FFFF, of rare scripts, would make the pattern much slower.
_MARKS = "".join(map(chr, (c for c in range(0x10000) if unicodedata.category(chr(c)).startswith("M"))))
_WORD = re.compile(rf"[\w{_MARKS}]+")
_NO_SPACES = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_APART = re.compile(rf"[{_NO_SPACES}][{_MARKS}]*")  # a word each, in scripts that write no spaces
_FACTOR = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio, odd
_BITS = 20  # of a hash, that tell most n-grams from those that are looked for
_CELLS = 2**22  # words compared at once


def words_of(line: str) -> list[str]:
    """Without case, punctuation and white space."""
    text = line.casefold().replace("_", " ")
    if not text.isascii():
        text = _APART.sub(r" \g<0> ", text)
    return _WORD.findall(text)


@dataclass(frozen=True)
class Block:
    """Lines with their words."""

    lines: Sequence[str]
    words: Sequence[Sequence[str]]
    written: Sequence[str]  # what is left of a line without case, punctuation and white space; else the line

    @staticmethod
    def of(lines: Sequence[str]) -> Block:
        words = [words_of(line) for line in lines]
        return Block(lines, words, ["".join(parts) or line.strip() for parts, line in zip(words, lines, strict=True)])


@dataclass(frozen=True)
class Found:
    """Lines that are sentences looked for: `line * num_rows + row`, in order, and the degree of each."""

    code_C: Int64
    degree_C: UInt8


class _Ids(dict[str, int]):
    """Numbers of words from 1; 0 is every other word."""

    def __missing__(self, word: str) -> int:
        return 0


@dataclass(frozen=True)
class _Parts:
    """N-grams of one length, in order of their hashes: the sentences they are of, and where they begin in them."""

    hash_P: UInt64
    row_P: Int64
    place_P: Int64
    may_be: npt.NDArray[np.bool_]  # by the first _BITS of a hash


class Sought:
    """One side of all sentences that are looked for."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines
        block = Block.of(lines)
        self._rows: dict[str, list[int]] = {}
        for row, written in enumerate(block.written):
            if written:
                self._rows.setdefault(written, []).append(row)
        self._ids = _Ids()
        for words in block.words:
            for word in words:
                self._ids.setdefault(word, len(self._ids) + 1)
        self._words = [[self._ids[word] for word in words] for words in block.words]
        self._length_R: Int64 = np.array([len(words) for words in self._words], np.int64)
        self._parts = self._cut()

    def __len__(self) -> int:
        return len(self._lines)

    def _cut(self) -> dict[int, _Parts]:
        """By their length in words."""
        found: dict[int, list[tuple[int, int, int]]] = {}
        for row, words in enumerate(self._words):
            parts = len(words) // SHARE + 1
            ends = [len(words) * part // parts for part in range(parts + 1)]
            for begin, end in pairwise(ends):
                if parts > 1:
                    hashed = int(_hashes(np.array(words[begin:end], np.uint64), end - begin)[0])
                    found.setdefault(end - begin, []).append((hashed, row, begin))
        cut = {}
        for length, entries in found.items():
            entries.sort()
            hashes, rows, places = zip(*entries, strict=True)
            hash_P = np.array(hashes, np.uint64)
            may_be = np.zeros(2**_BITS, np.bool_)
            may_be[hash_P >> np.uint64(64 - _BITS)] = True
            cut[length] = _Parts(hash_P, np.array(rows, np.int64), np.array(places, np.int64), may_be)
        return cut

    def find(self, block: Block) -> Found:
        """Every line of the block that is a sentence looked for."""
        degrees: dict[int, int] = {}
        ids, ends = array("q"), array("q", [0])
        for number, (line, words, written) in enumerate(zip(block.lines, block.words, block.written, strict=True)):
            for row in self._rows.get(written, ()):
                degrees[number * len(self) + row] = EXACT if line == self._lines[row] else WRITTEN
            ids.extend(map(self._ids.__getitem__, words))
            ids.append(0)
            ends.append(len(ids))
        if len(ids):
            for code in self._near(np.array(ids, np.int64), np.array(ends, np.int64)):
                degrees.setdefault(code, NEAR)
        codes = sorted(degrees)
        return Found(np.array(codes, np.int64), np.array([degrees[code] for code in codes], np.uint8))

    def _near(self, id_W: Int64, end_N: Int64) -> Iterable[int]:
        """Codes of lines and rows that are near to one another; `end_N`: where lines begin, and the last one ends."""
        length_N = np.diff(end_N) - 1
        line_W = np.repeat(np.arange(len(length_N)), length_N + 1)
        codes = [self._candidates(parts, n, id_W, end_N, line_W) for n, parts in self._parts.items()]
        code_C = np.unique(np.concatenate(codes)) if codes else np.zeros(0, np.int64)
        for code in code_C[self._share_words(code_C, id_W, end_N)].tolist():
            line, row = divmod(code, len(self))
            words = id_W[end_N[line] : end_N[line + 1] - 1].tolist()
            if within(self._words[row], words, len(self._words[row]) // SHARE):
                yield code

    def _candidates(self, parts: _Parts, n: int, id_W: Int64, end_N: Int64, line_W: Int64) -> Int64:
        """Lines that have a part of a row, about where the row has it, and about as many words."""
        hash_W = _hashes(id_W.astype(np.uint64), n)
        at_H = np.flatnonzero(parts.may_be[hash_W >> np.uint64(64 - _BITS)])
        first_H = np.searchsorted(parts.hash_P, hash_W[at_H], "left")
        count_H = np.searchsorted(parts.hash_P, hash_W[at_H], "right") - first_H
        before_H = np.cumsum(count_H) - count_H
        part_C = np.repeat(first_H - before_H, count_H) + np.arange(int(count_H.sum()))
        at_C = np.repeat(at_H, count_H)
        line_C, row_C = line_W[at_C], parts.row_P[part_C]
        limit_C = self._length_R[row_C] // SHARE
        shift_C = at_C - end_N[line_C] - parts.place_P[part_C]
        longer_C = end_N[line_C + 1] - 1 - end_N[line_C] - self._length_R[row_C]
        near_C = (np.abs(shift_C) <= limit_C) & (np.abs(longer_C) <= limit_C)
        codes: Int64 = line_C[near_C] * len(self) + row_C[near_C]
        return codes

    def _share_words(self, code_C: Int64, id_W: Int64, end_N: Int64) -> npt.NDArray[np.bool_]:
        """Whether enough words of the row are in the line, in whatever order: what costs little to ask first."""
        line_C, row_C = np.divmod(code_C, max(1, len(self)))
        enough_C = np.zeros(len(code_C), np.bool_)
        order_C = np.argsort(self._length_R[row_C], kind="stable")
        begin = 0
        while begin < len(order_C):
            longest = int(self._length_R[row_C[order_C[min(begin + 1000, len(order_C)) - 1]]])
            width = longest + longest // SHARE
            some = order_C[begin : begin + min(1000, max(1, _CELLS // (longest * width)))]
            begin += len(some)
            row_BL = np.zeros((len(some), longest), np.int64)
            for place, row in enumerate(row_C[some].tolist()):
                row_BL[place, : len(self._words[row])] = self._words[row]
            start_B, stop_B = end_N[line_C[some]], end_N[line_C[some] + 1] - 1
            at_BM = start_B[:, np.newaxis] + np.arange(width)
            line_BM = np.where(at_BM < stop_B[:, np.newaxis], id_W[np.minimum(at_BM, len(id_W) - 1)], 0)
            shared_BL = (row_BL[:, :, np.newaxis] == line_BM[:, np.newaxis]).any(axis=2) & (row_BL > 0)
            length_B = self._length_R[row_C[some]]
            enough_C[some] = shared_BL.sum(axis=1) >= length_B - length_B // SHARE
        return enough_C


def _hashes(id_W: UInt64, n: int) -> UInt64:
    """Of the n words from each place on. Equal for other words once in 2^64, which costs one comparison."""
    hash_W = np.zeros(max(0, len(id_W) - n + 1), np.uint64)
    for k in range(n):
        hash_W = (hash_W + id_W[k : k + len(hash_W)] + np.uint64(1)) * _FACTOR
        hash_W ^= hash_W >> np.uint64(29)
    return hash_W


def within(one: Sequence[int], other: Sequence[int], limit: int) -> bool:
    """Whether at most `limit` words of `one` have to be changed, left out or put in to give `other`."""
    if abs(len(one) - len(other)) > limit:
        return False
    beyond = limit + 1
    above = [min(place, beyond) for place in range(len(other) + 1)]
    for row, word in enumerate(one, start=1):
        first, last = max(1, row - limit), min(len(other), row + limit)
        here = [beyond] * (len(other) + 1)
        here[0] = min(row, beyond)
        for place in range(first, last + 1):
            kept = above[place - 1] + (word != other[place - 1])
            here[place] = min(kept, above[place] + 1, here[place - 1] + 1)
        if min(here) > limit:
            return False
        above = here
    return above[-1] <= limit
