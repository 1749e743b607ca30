# S source step, T target step
"""Unknown pieces of a translation replaced by the source word that the attention looked at (Luong et al. 2015)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from nmt.data.specials import UNK, UNKNOWN
from nmt.data.subwords import Subwords
from nmt.errors import DataError
from nmt.plumbing.text import read_lines


def replaced(
    tokens: Sequence[int], weight_TS: np.ndarray, words: Sequence[str], target: Subwords, dictionary: Mapping[str, str]
) -> str:
    """The text of `tokens`, each unknown piece as the dictionary has its source word, or as that word itself.

    `words` has for each source piece but the end mark the word of the line that it belongs to.
    """
    text, end = "", 0
    whole = target.decode(tokens)
    for place, token in enumerate(tokens):
        if token != UNK:
            continue
        start = len(target.decode(tokens[: place + 1])) - len(UNKNOWN)
        word = words[int(weight_TS[place, : len(words)].argmax())]
        text += whole[end:start] + dictionary.get(word, word)
        end = start + len(UNKNOWN)
    return text + whole[end:]


def read_dictionary(path: Path) -> dict[str, str]:
    """Source word, tab, target word, a pair a line; the first of several for a word counts.

    Raises DataError where the file cannot be read or a line is no such pair.
    """
    pairs: dict[str, str] = {}
    for number, line in enumerate(read_lines(path), start=1):
        parts = [part.strip() for part in line.split("\t")]
        if not line.strip():
            continue
        if len(parts) != 2 or not all(parts):
            raise DataError(
                f"{path}, line {number}",
                found=repr(line[:60]),
                expected="a source word, a tab and a target word",
                next_step="mend or remove the line",
            )
        pairs.setdefault(*parts)
    return pairs
