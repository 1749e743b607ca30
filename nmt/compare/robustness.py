"""The test set made worse: how much of its score does a system keep? Nothing is drawn, so every system has the same.

    typos           of the words with four letters and more every fourth, counted through the test set, has a fault
                    at its middle: in turn two letters swapped (the nearest two that differ), one left out, one doubled
    capitals        all letters large
    lowercase       all letters small
    no_punctuation  without marks, but those within a word ("don't", "1,5")
    doubled         the sentence twice, and so each of its references
    nfd             letters and their accents as characters of their own (Unicode's form NFD), which look the same

References stay as they are but where they are doubled: what is written carelessly should be translated as well.

In `comparison.json`: "robustness": [{"set": "plain", "scores": {METRIC: {SYSTEM: {"score", "low", "high"}}}},
{"set": "typos", ...}, ...].
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle

from nmt.compare.systems import References

EVERY_WORD = 4  # has a fault, of those that are long enough
SHORTEST = 4
PLAIN = "plain"


def worse(name: str, source: Sequence[str], references: References) -> tuple[list[str], References]:
    """The test set with its source changed in the way `name`."""
    if name == "doubled":
        return [f"{line} {line}" for line in source], [[f"{one} {one}" for one in each] for each in references]
    return WAYS[name](source), references


def _typos(source: Sequence[str]) -> list[str]:
    faults = cycle(FAULTS)
    number = 0
    changed = []
    for line in source:
        parts = line.split(" ")
        for place, word in enumerate(parts):
            if len(word) < SHORTEST or not word.isalpha():
                continue
            number += 1
            if number % EVERY_WORD == 0:
                parts[place] = next(faults)(word, len(word) // 2)
        changed.append(" ".join(parts))
    return changed


def _unmarked(line: str) -> str:
    """Marks with a letter or a digit to both sides are part of a word."""
    kept = [
        letter
        for place, letter in enumerate(line)
        if not unicodedata.category(letter).startswith("P")
        or (0 < place < len(line) - 1 and line[place - 1].isalnum() and line[place + 1].isalnum())
    ]
    return " ".join("".join(kept).split())


def _each(change: Callable[[str], str]) -> Callable[[Sequence[str]], list[str]]:
    return lambda source: [change(line) for line in source]


def _swapped(word: str, middle: int) -> str:
    """At the place nearest to the middle where that changes the word, if there is one."""
    places = [at for at in range(1, len(word)) if word[at - 1] != word[at]]
    if not places:
        return word
    at = min(places, key=lambda place: abs(place - middle))
    return word[: at - 1] + word[at] + word[at - 1] + word[at + 1 :]


FAULTS: Sequence[Callable[[str, int], str]] = (
    _swapped,
    lambda word, at: word[:at] + word[at + 1 :],
    lambda word, at: word[:at] + word[at] + word[at:],
)
WAYS: Mapping[str, Callable[[Sequence[str]], list[str]]] = {
    "typos": _typos,
    "capitals": _each(str.upper),
    "lowercase": _each(str.lower),
    "no_punctuation": _each(_unmarked),
    "nfd": _each(lambda line: unicodedata.normalize("NFD", line)),
}
