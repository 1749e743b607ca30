# N pairs of a corpus, B pairs of a block, C candidates (a pair and a row), R rows: all dev and test sentences
"""What is wrong with a parallel corpus: sentences of dev and test sets in it, duplicates, pairs that are none.

checked = check([train], {"dev": dev, "test": test}, max_ratio=9.0)
checked.leaked()    {"dev": 1, "test": 0}
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import xxhash

from nmt.data.leaks import EXACT, NEAR, NOT, WRITTEN, Block, Found, Sought, UInt8
from nmt.data.scripts import NAMES, NO_SCRIPT, scripts_of
from nmt.data.text import ParallelText

BLOCK = 16_384  # pairs looked at at once
SHOWN = 5  # examples of each
SRC, TGT, BOTH = range(3)
SIDES = ("source", "target", "both")  # both: in one and the same training pair
DEGREES = {EXACT: "exactly", WRITTEN: "but for case, punctuation and white space", NEAR: "nearly"}
# What a training pair may be, each a bit.
LEAKED, DUPLICATE, ALIKE, EQUAL, SCRIPT, RATIO, EMPTY = (1 << bit for bit in range(7))
FAULTS = {  # name for programs, and in words
    LEAKED: ("leaked", "a sentence of a dev or test set"),
    DUPLICATE: ("duplicate", "the same as an earlier pair"),
    ALIKE: ("alike", "the same but for case, punctuation and white space"),
    EQUAL: ("equal", "source equal to target"),
    SCRIPT: ("script", "another script than the rest of its side"),
    RATIO: ("ratio", "one side much longer than the other"),
    EMPTY: ("empty", "an empty side"),
}


@dataclass(frozen=True)
class Leak:
    """A sentence of a set, and the training pair where it stands."""

    side: int
    row: int  # of the set, from 0
    corpus: str
    line: int  # of the corpus, from 0
    sentence: str
    found: str


@dataclass
class SetLeaks:
    """One dev or test set; of each side the degree to which each sentence stands in the training text."""

    degree_3R: UInt8
    examples: dict[int, list[Leak]] = field(default_factory=lambda: {degree: [] for degree in DEGREES})

    @property
    def rows(self) -> list[int]:
        """Sentences that leaked: on either side, to any degree."""
        found: list[int] = np.flatnonzero(self.degree_3R.max(axis=0) > NOT).tolist()
        return found

    def count(self, degree: int, side: int) -> int:
        """Sentences of that degree, and of none that says more."""
        return int(np.count_nonzero(self.degree_3R[side] == degree))


@dataclass(frozen=True)
class Checked:
    """All that was found."""

    corpora: Sequence[ParallelText]
    faults: Sequence[UInt8]  # of each pair of each corpus
    scripts: tuple[str, str]  # the usual one of either side
    sets: Mapping[str, SetLeaks]

    def leaked(self) -> dict[str, int]:
        """How many sentences of each set."""
        return {name: len(one.rows) for name, one in self.sets.items()}

    @property
    def num_pairs(self) -> int:
        return sum(map(len, self.corpora))

    def count(self, fault: int) -> int:
        """Training pairs with that fault."""
        return sum(int(np.count_nonzero(faults_N & fault)) for faults_N in self.faults)

    def examples(self, fault: int) -> Iterator[tuple[str, int, str, str]]:
        """The first few: corpus, line from 0, source and target."""
        shown = 0
        for text, faults_N in zip(self.corpora, self.faults, strict=True):
            for line in np.flatnonzero(faults_N & fault)[: SHOWN - shown].tolist():
                shown += 1
                yield text.name, line, text.src[line], text.tgt[line]


def check(
    corpora: Sequence[ParallelText],
    sets: Mapping[str, ParallelText],
    max_ratio: float,
    tell: Callable[[int], object] = lambda _: None,
) -> Checked:
    """Go through the training text once. `tell` is called with the number of pairs after each block."""
    seeker = _Seeker(sets)
    passes = [_Pass(text, seeker, max_ratio, tell) for text in corpora]
    faults = [one.faults_N for one in passes]
    for hashes, fault in (([one.pair_N for one in passes], DUPLICATE), ([one.written_N for one in passes], ALIKE)):
        _mark_repeated(hashes, faults, fault)
    for faults_N in faults:
        faults_N[(faults_N & DUPLICATE) > 0] &= ~np.uint8(ALIKE)
    usual = [_usual([one.script_2N[side] for one in passes]) for side in (SRC, TGT)]
    for one in passes:
        for script_N, script in zip(one.script_2N, usual, strict=True):
            one.faults_N[(script_N != NO_SCRIPT) & (script_N != script)] |= SCRIPT
    return Checked(corpora, faults, (NAMES[usual[SRC]], NAMES[usual[TGT]]), seeker.sets)


class _Seeker:
    """All sentences of all sets, and what is found of them."""

    def __init__(self, sets: Mapping[str, ParallelText]) -> None:
        self._texts = dict(sets)
        self._sought = tuple(
            Sought([line for text in sets.values() for line in getattr(text, side)]) for side in ("src", "tgt")
        )
        self._begins = np.cumsum([0, *map(len, sets.values())])
        self.sets = {name: SetLeaks(np.zeros((3, len(text)), np.uint8)) for name, text in sets.items()}

    def look(self, text: ParallelText, first: int, blocks: Sequence[Block]) -> list[int]:
        """Note what stands in a block of a corpus, which begins at line `first`; -> places in the block."""
        found = [sought.find(block) for sought, block in zip(self._sought, blocks, strict=True)]
        both_C, at_src, at_tgt = np.intersect1d(found[SRC].code_C, found[TGT].code_C, True, return_indices=True)
        both = Found(both_C, np.minimum(found[SRC].degree_C[at_src], found[TGT].degree_C[at_tgt]))
        lines: set[int] = set()
        for side, one in enumerate((*found, both)):
            for code, degree in zip(one.code_C.tolist(), one.degree_C.tolist(), strict=True):
                line, row = divmod(code, len(self._sought[SRC]))
                lines.add(line)
                self._note(side, row, degree, text, first + line, blocks[min(side, TGT)].lines[line])
        return sorted(lines)

    def _note(self, side: int, row: int, degree: int, corpus: ParallelText, line: int, found: str) -> None:
        place = int(np.searchsorted(self._begins, row, "right")) - 1
        name, own = list(self._texts)[place], row - int(self._begins[place])
        leaks = self.sets[name]
        leaks.degree_3R[side, own] = max(leaks.degree_3R[side, own], degree)
        if side != BOTH and len(leaks.examples[degree]) < SHOWN:
            text = self._texts[name]
            sentence = (text.src if side == SRC else text.tgt)[own]
            leaks.examples[degree].append(Leak(side, own, corpus.name, line, sentence, found))


class _Pass:
    """One corpus, gone through: faults that a pair has by itself, and what is needed to tell the others."""

    def __init__(self, text: ParallelText, seeker: _Seeker, max_ratio: float, tell: Callable[[int], object]) -> None:
        self.faults_N: UInt8 = np.zeros(len(text), np.uint8)
        self.pair_N, self.written_N = (np.zeros(len(text), np.uint64) for _ in range(2))
        self.script_2N: UInt8 = np.zeros((2, len(text)), np.uint8)
        for first in range(0, len(text), BLOCK):
            here = slice(first, min(first + BLOCK, len(text)))
            sides = [Block.of(lines[here]) for lines in (text.src, text.tgt)]
            self.faults_N[here] = _alone(sides[SRC].lines, sides[TGT].lines, max_ratio)
            self.faults_N[here][seeker.look(text, first, sides)] |= LEAKED
            self.pair_N[here] = _hashed(*(side.lines for side in sides))
            self.written_N[here] = _hashed(*(side.written for side in sides))
            for side, block in enumerate(sides):
                self.script_2N[side, here] = scripts_of(block.lines)
            tell(len(sides[SRC].lines))


def _alone(src: Sequence[str], tgt: Sequence[str], max_ratio: float) -> UInt8:
    """[B] faults of single pairs; lengths in characters."""
    src_B, tgt_B = (np.array([len(line.strip()) for line in lines], np.int64) for lines in (src, tgt))
    short_B, long_B = np.minimum(src_B, tgt_B), np.maximum(src_B, tgt_B)
    equal_B = np.array([one.strip() == other.strip() for one, other in zip(src, tgt, strict=True)], np.bool_)
    faults_B = np.where(short_B == 0, EMPTY, 0) | np.where((short_B > 0) & (long_B > max_ratio * short_B), RATIO, 0)
    faults_B = faults_B | np.where(equal_B & (short_B > 0), EQUAL, 0)
    return np.asarray(faults_B, np.uint8)


def _hashed(src: Sequence[str], tgt: Sequence[str]) -> npt.NDArray[np.uint64]:
    """[B] of 64 bits: of 3,000,000 pairs that differ, two have the same in one corpus of four million."""
    pairs = (xxhash.xxh3_64_intdigest(f"{one}\n{other}".encode()) for one, other in zip(src, tgt, strict=True))
    return np.fromiter(pairs, np.uint64, len(src))


def _mark_repeated(hashes: Sequence[npt.NDArray[np.uint64]], faults: Sequence[UInt8], fault: int) -> None:
    """Every pair but the first of those that are alike, over all corpora."""
    together_N = np.concatenate(hashes)
    later_N = np.ones(len(together_N), np.bool_)
    later_N[np.unique(together_N, return_index=True)[1]] = False
    for later, faults_N in zip(np.split(later_N, np.cumsum([len(one) for one in hashes])[:-1]), faults, strict=True):
        faults_N[later] |= fault


def _usual(scripts: Sequence[UInt8]) -> int:
    """The script of most lines."""
    counts = np.bincount(np.concatenate(scripts), minlength=len(NAMES))
    counts[NO_SCRIPT] = 0
    return int(counts.argmax())
