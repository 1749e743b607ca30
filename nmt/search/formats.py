"""How a translated line is written.

text      the best translation
json      an object: {"source": line, "source_pieces": [...], "translations": [{"text", "score", "pieces",
          "alignment"}, ...]}, best first; the alignment lists, for each piece of the target but the end mark,
          [its position, the position of the source piece with the largest weight], counted from 0
pharaoh   the best translation, " ||| ", and pairs source-target of words that are set off by spaces, counted from
          0: each word beside those that the attention looked at most as it wrote its pieces
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import assert_never

from nmt.config.commands import Format
from nmt.data.specials import EOS
from nmt.data.subwords import Subwords, Vocabularies
from nmt.search.translation import Translation

# Not escaped by the json module, and taken for the end of a line by some programs.
_LINE_ENDS = str.maketrans({mark: f"\\u{ord(mark):04x}" for mark in "\x85\u2028\u2029"})


def render(format: Format, line: str, translations: list[Translation], vocabularies: Vocabularies) -> str:
    """What is written for one line, without a line end."""
    match format:
        case Format.text:
            return translations[0].text
        case Format.json:
            return as_json(line, translations)
        case Format.pharaoh:
            pairs = word_alignment(line, translations[0], vocabularies)
            return f"{translations[0].text} ||| {' '.join(f'{source}-{target}' for source, target in pairs)}".rstrip(
                " "
            )
    assert_never(format)


def as_json(source: str, translations: list[Translation]) -> str:
    """One line of JSON."""
    record = {
        "source": source,
        "source_pieces": translations[0].pieces_src,
        "translations": [
            {"text": one.text, "score": one.score, "pieces": one.pieces_tgt, "alignment": piece_alignment(one)}
            for one in translations
        ],
    }
    return json.dumps(record, ensure_ascii=False).translate(_LINE_ENDS)


def piece_alignment(translation: Translation) -> list[list[int]]:
    """[target position, source position of the largest weight] for each target piece but the end mark."""
    if translation.weight_TS is None:
        return []
    return [[target, int(source)] for target, source in enumerate(translation.weight_TS[:-1].argmax(axis=1))]


def word_alignment(line: str, translation: Translation, vocabularies: Vocabularies) -> list[tuple[int, int]]:
    """(source word, target word), in order, each once."""
    if translation.weight_TS is None:
        return []
    source = vocabularies.src.encode(line)[: translation.weight_TS.shape[1] - 1]
    source_word, target_word = (
        word_numbers(source, vocabularies.src),
        word_numbers(translation.tokens, vocabularies.tgt),
    )
    best_T = translation.weight_TS[:, : len(source)].argmax(axis=1)
    pairs = {
        (source_word[int(best_T[place])], target_word[place])
        for place, token in enumerate(translation.tokens)
        if token != EOS
    }
    return sorted(pairs)


def word_numbers(pieces: Sequence[int], subwords: Subwords) -> list[int]:
    """For each piece the number, from 0, of the word that it is a part of: words are set off by spaces."""
    numbers, word, parted = [], -1, True
    for piece in pieces:
        surface = "" if piece == EOS else subwords.surface(piece)
        begins = parted or surface[:1].isspace()
        word += begins and (surface.strip() != "" or surface == "")
        numbers.append(max(word, 0))
        parted = surface != "" and surface.strip() == ""
    return numbers
