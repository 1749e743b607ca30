# B batch, C phrases that must occur, D phrases that must not, L pieces of a phrase, P pieces of a beginning, V pieces
"""What people ask of a translation, as text, and the pieces that the rules of a search look for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nmt.config.subword import SubwordKind
from nmt.data.specials import NUM_SPECIALS, UNK
from nmt.data.subwords import Subwords
from nmt.errors import DataError
from nmt.search.rules import Demands

# Scripts that set no spaces between words: there a word may be followed by any letter.
UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]"
)
_ASIDE = "。"  # set before a phrase of such a script, so that it is cut as it is within a sentence


@dataclass(frozen=True)
class Demand:
    """What is asked of the translation of one line."""

    prefix: str = ""  # it begins with this
    must: tuple[str, ...] = ()  # words or phrases that occur in it, whole
    never: tuple[str, ...] = ()  # words or phrases that do not; nor words that begin with their last piece

    def joined(self, other: Demand) -> Demand:
        """What both ask; the beginning is the other's where it has one."""
        return Demand(other.prefix or self.prefix, self.must + other.must, self.never + other.never)


def begins_word(subwords: Subwords) -> np.ndarray:
    """bool [V]: whether a piece leaves the word before it complete: it begins another, or is no letter or digit."""
    if subwords.kind is SubwordKind.words:
        return np.ones(subwords.size, bool)
    surfaces = [subwords.surface(piece) for piece in range(NUM_SPECIALS, subwords.size)]
    parted = [not text[:1].isalnum() or bool(UNSPACED.match(text)) for text in surfaces]
    return np.array([*(piece != UNK for piece in range(NUM_SPECIALS)), *parted])


def as_pieces(asked: Sequence[Demand], subwords: Subwords, line_numbers: Sequence[int]) -> Demands:
    """The pieces that are asked for, a row a line.

    Raises DataError, naming the line, for a phrase without text, one that the vocabulary has no pieces for, or one
    that must and must not occur.
    """
    rows = [pieces_of(one, subwords, f"line {number}") for one, number in zip(asked, line_numbers, strict=True)]
    prefixes, musts, nevers = zip(*rows, strict=True)
    return Demands(_table(prefixes), _tables(musts), _tables(nevers))


def pieces_of(asked: Demand, subwords: Subwords, place: str) -> tuple[list[int], list[list[int]], list[list[int]]]:
    """Beginning, what must occur, what must not. Raises DataError as `as_pieces` does, naming the place."""
    prefix = _known(subwords.encode(asked.prefix), asked.prefix, place) if asked.prefix else []
    must = [_phrase(text, subwords, place) for text in dict.fromkeys(asked.must)]
    never = [_phrase(text, subwords, place) for text in dict.fromkeys(asked.never)]
    for text, wanted in zip(dict.fromkeys(asked.must), must, strict=True):
        for banned in never:
            if any(wanted[i : i + len(banned)] == banned for i in range(len(wanted))):
                raise DataError(
                    place,
                    found=f"{text!r}, which must occur and has what must not",
                    expected="phrases that do not exclude each other",
                    next_step="take one of them back",
                )
    return prefix, must, never


def _phrase(text: str, subwords: Subwords, place: str) -> list[int]:
    text = " ".join(text.split())
    if not text:
        raise DataError(
            place, found="a phrase without text", expected="a word or more", next_step="leave the phrase out"
        )
    if subwords.kind is not SubwordKind.words and UNSPACED.match(text):
        return _known(subwords.encode(_ASIDE + text)[len(subwords.encode(_ASIDE)) :], text, place)
    return _known(subwords.encode(text), text, place)


def _known(ids: list[int], text: str, place: str) -> list[int]:
    if UNK in ids or not ids:
        raise DataError(
            place,
            found=f"{text!r}, which the model cannot write",
            expected="text of characters and words that its vocabulary knows",
            next_step="choose another word, or train with subwords that know it",
        )
    return ids


def _table(rows: Sequence[Sequence[int]]) -> np.ndarray:
    """int32 [B, longest], padded with 0."""
    table = np.zeros((len(rows), max(map(len, rows), default=0)), np.int32)
    for number, row in enumerate(rows):
        table[number, : len(row)] = row
    return table


def _tables(rows: Sequence[Sequence[Sequence[int]]]) -> np.ndarray:
    """int32 [B, most phrases, longest phrase], padded with 0."""
    longest = max((len(phrase) for row in rows for phrase in row), default=0)
    table = np.zeros((len(rows), max(map(len, rows), default=0), longest), np.int32)
    for number, row in enumerate(rows):
        for place, phrase in enumerate(row):
            table[number, place, : len(phrase)] = phrase
    return table
