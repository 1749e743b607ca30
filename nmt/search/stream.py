"""A stream of lines through a translator: one line out for each line in, always, and never all of it in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Literal, Protocol

from nmt.config.search import SearchConfig
from nmt.errors import ConfigError
from nmt.search.translate import Translation

Format = Literal["text", "json"]

CHUNK_LINES = 2_048  # enough to fill batches of like length, little enough to hold

# Not escaped by the json module, and taken for the end of a line by some programs.
_LINE_ENDS = str.maketrans({mark: f"\\u{ord(mark):04x}" for mark in "\x85\u2028\u2029"})


class LineTranslator(Protocol):
    """What a stream needs of `nmt.search.translate.Translator`."""

    cfg: SearchConfig

    def translate(self, lines: list[str], first_line: int = 1) -> list[list[Translation]]:
        """For each line its best translations, best first."""


def translate_stream(
    translator: LineTranslator,
    lines_in: Iterable[str],
    write: Callable[[str], object],
    format: Format = "text",
    nbest: int = 1,
    chunk_lines: int = CHUNK_LINES,
) -> int:
    """Translate lines (without their line ends), handing `write` one line with its "\\n" for each; returns how many.

    format "text": the best translation. "json": an object

        {"source": line, "source_pieces": [...], "translations": [{"text", "score", "pieces", "alignment"}, ...]}

    with up to `nbest` translations, best first; the alignment lists, for each piece of the target but the end mark,
    [its position, the position of the source piece with the largest weight], counted from 0.

    Lines are read, translated and written `chunk_lines` at a time: 1 suits a person who types.

    Raises ConfigError where more translations are asked for than `translator` finds or the format can hold.
    """
    _check(translator.cfg, format, nbest)
    lines, done = iter(lines_in), 0
    while chunk := list(islice(lines, chunk_lines)):
        answers = translator.translate(chunk, first_line=done + 1)
        for line, answer in zip(chunk, answers, strict=True):
            write((answer[0].text if format == "text" else as_json(line, answer[:nbest])) + "\n")
        done += len(chunk)
    return done


def as_json(source: str, translations: list[Translation]) -> str:
    """One line of JSON: see `translate_stream`."""
    record = {
        "source": source,
        "source_pieces": translations[0].pieces_src,
        "translations": [
            {"text": one.text, "score": one.score, "pieces": one.pieces_tgt, "alignment": alignment(one)}
            for one in translations
        ],
    }
    return json.dumps(record, ensure_ascii=False).translate(_LINE_ENDS)


def alignment(translation: Translation) -> list[list[int]]:
    """[target position, source position of the largest weight] for each target piece but the end mark."""
    if translation.weight_TS is None:
        return []
    return [[target, int(source)] for target, source in enumerate(translation.weight_TS[:-1].argmax(axis=1))]


def _check(cfg: SearchConfig, format: Format, nbest: int) -> None:
    if format not in ("text", "json"):
        raise ConfigError(
            "format", found=format, expected="text or json", next_step="json carries scores and alignments"
        )
    if format == "text" and nbest != 1:
        raise ConfigError(
            "nbest", found=nbest, expected="1 with format=text, one line for each line", next_step="set format=json"
        )
    if not 1 <= nbest <= cfg.nbest:
        raise ConfigError(
            "nbest",
            found=nbest,
            expected=f"1 to search.nbest ({cfg.nbest})",
            next_step="raise search.nbest, and search.beam with it",
        )
