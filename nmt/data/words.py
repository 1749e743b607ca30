"""Whole words, or single characters: vocabularies that are merely counted."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from nmt.config.subword import SubwordKind
from nmt.data.specials import BOS, EOS, NUM_SPECIALS, PAD, SPECIAL_NAMES, UNK
from nmt.data.standins import StandIns
from nmt.errors import DataError

GLUE = "￭"  # on the side of a mark where the text has no space: "Hund," is "Hund" and "￭,"
STAND_INS = StandIns(GLUE)  # for that letter in text
MARKS = '.,;:!?…¿¡()[]{}"„“”‟«»‹›。、，；：！？（）「」『』'  # no apostrophes or hyphens: they belong to words
ENTITY = re.compile(r"&#?\w+;")  # as in tokenised text: &quot;


def split_words(line: str) -> list[str]:
    """Words, with sentence marks split off; `join_words` undoes it, but a run of white space becomes one space.

    "Ein Hund, der rennt." is Ein, Hund, ￭,, der, rennt, ￭. and the tokenised "Ein Hund , der rennt ." is
    Ein, Hund, ",", der, rennt, "." without any glue.
    """
    return [word for chunk in STAND_INS.hide(line).split() for word in _split_chunk(chunk)]


def join_words(words: Iterable[str]) -> str:
    """The text that `split_words` made these of."""
    text, glued = "", True  # the first word needs no space before it
    for word in words:
        if not (glued or word.startswith(GLUE)):
            text += " "
        text += word.strip(GLUE)
        glued = word.endswith(GLUE)
    return STAND_INS.show(text)


def _split_chunk(chunk: str) -> list[str]:
    """Marks lean on the word, or on the first mark where there is no word."""
    if ENTITY.fullmatch(chunk):
        return [chunk]
    rest = chunk.lstrip(MARKS)
    if not rest:
        return [chunk[0], *(GLUE + mark for mark in chunk[1:])]
    word = rest.rstrip(MARKS)
    return [*(mark + GLUE for mark in chunk[: -len(rest)]), word, *(GLUE + mark for mark in rest[len(word) :])]


class ListedSubwords:
    """A vocabulary that is a list: of words or of characters (the interface is `nmt.data.subwords.Subwords`)."""

    def __init__(self, kind: SubwordKind, entries: Sequence[str]) -> None:
        assert kind in (SubwordKind.words, SubwordKind.characters), kind
        self.kind = kind
        self.size = NUM_SPECIALS + len(entries)
        self._entries = list(entries)
        self._ids = {entry: NUM_SPECIALS + i for i, entry in enumerate(entries)}
        assert len(self._ids) == len(entries), "an entry is listed twice"

    def encode(self, line: str) -> list[int]:
        """Ids of the words or characters; UNK for what is not listed."""
        return [self._ids.get(part, UNK) for part in _split(self.kind, line)]

    def unknown(self, line: str) -> list[str]:
        """The words or characters of `line` that are not listed."""
        return [STAND_INS.show(part.strip(GLUE)) for part in _split(self.kind, line) if part not in self._ids]

    def encode_sampled(self, line: str, rate: float, rng: np.random.Generator) -> list[int]:
        """As `encode` at rate 0. Raises ValueError at any other rate: there is one segmentation."""
        if rate:
            raise ValueError(f"{self.kind.value} have one segmentation, so none can be sampled at rate {rate}")
        return self.encode(line)

    def decode(self, ids: Iterable[int]) -> str:
        """Text again; padding, start and end marks are left out."""
        parts = [self._entry(int(i)) for i in ids if i not in (PAD, BOS, EOS)]
        return join_words(parts) if self.kind is SubwordKind.words else "".join(parts)

    def pieces(self, ids: Iterable[int]) -> list[str]:
        """Labels for a drawing; a space is an open box."""
        entries = [self._entry(int(i)) for i in ids]
        if self.kind is SubwordKind.characters:
            return ["␣" if entry == " " else entry for entry in entries]
        return [STAND_INS.show(entry.strip(GLUE)) for entry in entries]

    def surface(self, piece: int) -> str:
        """The text that the word or character adds to what stands before it, with the space that parts them."""
        if self.kind is SubwordKind.characters:
            return self._entry(piece)
        entry = self._entry(piece)
        return ("" if entry.startswith(GLUE) else " ") + STAND_INS.show(entry.strip(GLUE))

    def words(self, line: str) -> list[str]:
        """For each id of `encode(line)` the word of the line that it belongs to."""
        parts = _split(self.kind, line)
        if self.kind is SubwordKind.words:
            return [STAND_INS.show(part.strip(GLUE)) for part in parts]
        words: list[str] = []
        for chunk in re.findall(r"\s|\S+", line):
            words += [chunk] * len(chunk)
        return words

    def to_bytes(self) -> bytes:
        """All there is to know, for `subwords_from_bytes`: a JSON list."""
        return json.dumps(self._entries, ensure_ascii=False).encode()

    def _entry(self, entry_id: int) -> str:
        return SPECIAL_NAMES[entry_id] if entry_id < NUM_SPECIALS else self._entries[entry_id - NUM_SPECIALS]


def count_listed(kind: SubwordKind, lines: Iterable[str], size: int, min_count: int) -> ListedSubwords:
    """The most frequent words or characters, at most `size` with the four special ones, ties in order of code points.

    What is seen less than `min_count` times is left out. Raises DataError where that is everything.
    """
    counts = Counter(part for line in lines for part in _split(kind, line))
    check_min_count(min_count, counts, kind.value)
    ranked = sorted((-count, entry) for entry, count in counts.items() if count >= min_count)
    return ListedSubwords(kind, [entry for _, entry in ranked[: size - NUM_SPECIALS]])


def check_min_count(min_count: int, counts: Mapping[str, int], what: str) -> None:
    """Raises DataError where nothing was seen as often as that."""
    most = max(counts.values(), default=0)
    if most < min_count:
        raise DataError(
            "subword.min_count",
            found=min_count,
            expected=f"at most {most}, which is how often the most frequent of the {what} is seen",
            next_step="lower it" if most else "check the training text, which is empty",
        )


def _split(kind: SubwordKind, line: str) -> list[str]:
    return split_words(line) if kind is SubwordKind.words else list(line)
