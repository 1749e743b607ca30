"""Sentences of a line of running text.

A sentence ends after . ! ? or an ellipsis, with what closes quotations and brackets behind it, where white space and
then something other than a lower-case letter follow. It does not end after a single letter or a listed abbreviation
with a full stop, nor after a number with one ("am 3. Mai"). After 。 ！ ？ it ends whatever follows.
"""

from __future__ import annotations

import re

_CLOSING = "[\"'’”»)\\]」』]*"
_END = re.compile(f"(?:[.!?…]+{_CLOSING}(?=\\s)|[。！？]+{_CLOSING})")
_ENGLISH = (
    "mr",
    "mrs",
    "ms",
    "dr",
    "prof",
    "st",
    "sr",
    "jr",
    "vs",
    "inc",
    "ltd",
    "co",
    "no",
    "vol",
    "fig",
    "cf",
    "approx",
)
_GERMAN = ("bzw", "usw", "ca", "nr", "str", "hr", "fr", "bd", "hrsg", "vgl", "sog", "ggf", "inkl", "evtl")
_ABBREVIATIONS = frozenset((*_ENGLISH, *_GERMAN, "etc", "al", "e.g", "i.e", "z.b", "d.h", "u.a", "mme", "mlle"))


def split_sentences(line: str) -> list[tuple[str, str]]:
    """(sentence, the white space behind it), in order; joined they are `line`. None for an empty line."""
    parts: list[tuple[str, str]] = []
    start = len(line) - len(line.lstrip())
    begin = 0  # white space in front of the first sentence stays with it
    for match in _END.finditer(line, start):
        space = re.compile(r"\s*").match(line, match.end())
        assert space is not None, "any place has white space of length 0 or more"
        after = line[space.end() : space.end() + 1]
        if not after or not _ends(line[begin : match.end()], match.group(), after):
            continue
        parts.append((line[begin : match.end()], line[match.end() : space.end()]))
        begin = space.end()
    rest = line[begin:].rstrip()
    if line:
        parts.append((rest, line[begin + len(rest) :]))
    return parts


def _ends(sentence: str, mark: str, after: str) -> bool:
    """Whether a sentence may end with `mark` where `after` is the next letter."""
    if mark[0] in "。！？":
        return True
    if after.islower():
        return False
    if not mark.startswith("."):
        return True
    last = sentence[: -len(mark)].split()[-1:] or [""]
    word = last[0].lstrip("\"'‘“«([„").lower()
    return not (len(word) == 1 and word.isalpha()) and word not in _ABBREVIATIONS and not word.isdigit()
