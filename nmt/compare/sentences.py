"""What can be seen of a sentence and its translation without knowing the languages: words, numbers, names, repeats.

S source step, T target step
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, pairwise

import numpy as np

from nmt.data.specials import UNKNOWN
from nmt.data.words import GLUE, STAND_INS, split_words

UNSEEN = 0.1  # of one step's attention: a word that got less over the whole translation was not looked at
_ONE_EACH = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")  # letters that are words: Chinese, Japanese


@dataclass(frozen=True)
class Trace:
    """How a model came to one translation; the last source step is the end mark."""

    words_src: Sequence[str]  # of each source piece but the end mark, the word of the line that it belongs to
    pieces_src: Sequence[str]  # labels, as those of the translation below
    pieces_tgt: Sequence[str]
    weight_TS: np.ndarray  # attention; each row sums to 1
    unknown: bool = False  # whether source or translation has a piece that the vocabulary lacks


@lru_cache(maxsize=2**15)  # a dozen properties ask for each line of a test set
def words(line: str) -> tuple[str, ...]:
    """Between white space, without punctuation around them; of Chinese and Japanese each letter."""
    return tuple(_words(line))


def _words(line: str) -> list[str]:
    found = (STAND_INS.show(word.strip(GLUE)) for word in split_words(_ONE_EACH.sub(r" \g<0> ", line)))
    return [word for word in found if any(map(str.isalnum, word))]


def word_counts(lines: Iterable[str]) -> Counter[str]:
    """How often a text has each word."""
    return Counter(word for line in lines for word in _words(line))


def rarest(source: str, counts: Counter[str]) -> int | None:
    """How often the training text has the word of `source` that it has least often; None without a word."""
    return min((counts[word] for word in words(source)), default=None)


def is_number(word: str) -> bool:
    return any(map(str.isdigit, word))


def is_name(word: str) -> bool:
    """As far as writing tells: a capital letter, and no digit. That a reference has it too is asked for elsewhere."""
    return not is_number(word) and any(map(str.isupper, word))


def lost(kind: Callable[[str], bool], source: str, translation: str, references: Iterable[str]) -> int | None:
    """Words of that kind which source and a reference share, and the translation has not; None where none is shared."""
    expected = {word for word in words(source) if kind(word)} & _all_words(references)
    return len(expected - set(words(translation))) if expected else None


def copied(source: str, translation: str, references: Iterable[str]) -> int:
    """Words of the translation that are the source's and no reference's: left as they were."""
    return len((set(words(translation)) & set(words(source))) - _all_words(references))


def repeated(translation: str, references: Iterable[str]) -> int:
    """Pairs of neighbouring words that come again, and words that follow themselves, more often than in any reference.

    "a b a b" has one (a b), "the the the" two.
    """
    allowed = Counter[tuple[str, str]]()
    for reference in references:
        allowed |= Counter(pairwise(words(reference)))
    found = Counter(pairwise(words(translation)))
    return sum(max(0, count - max(allowed[pair], pair[0] != pair[1])) for pair, count in found.items())


def unseen(trace: Trace) -> int:
    """Words of the source that no step of the decoder looked at: over all steps they got less than UNSEEN."""
    summed_S = trace.weight_TS.sum(axis=0)
    start, number = 0, 0
    for word, pieces in groupby(trace.words_src):
        end = start + len(list(pieces))
        number += any(map(str.isalnum, word)) and float(summed_S[start:end].sum()) < UNSEEN
        start = end
    return number


def has_unknown(translation: str, trace: Trace | None) -> bool:
    """Without a trace, as far as the text shows it."""
    return UNKNOWN in translation or "<unk>" in translation or (trace is not None and trace.unknown)


def _all_words(lines: Iterable[str]) -> set[str]:
    return {word for line in lines for word in words(line)}
