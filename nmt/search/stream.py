"""A stream of lines through a translator: one line out for each line in, always, and never all of it in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Protocol

from nmt.config.commands import Format
from nmt.config.search import SearchConfig
from nmt.data.subwords import Vocabularies
from nmt.errors import ConfigError
from nmt.search.demands import Demand
from nmt.search.formats import render
from nmt.search.paragraphs import split_sentences
from nmt.search.translation import Translation

CHUNK_LINES = 2_048  # enough to fill batches of like length, little enough to hold


class LineTranslator(Protocol):
    """What a stream needs of `nmt.search.translate.Translator`."""

    cfg: SearchConfig
    vocabularies: Vocabularies

    def translate(
        self, lines: list[str], first_line: int = 1, *, demands: list[Demand] | None = None
    ) -> list[list[Translation]]:
        """For each line its best translations, best first."""


def translate_stream(
    translator: LineTranslator,
    lines_in: Iterable[str],
    write: Callable[[str], object],
    format: Format = Format.text,
    nbest: int = 1,
    chunk_lines: int = CHUNK_LINES,
    demand_of: Callable[[int, str], Demand] | None = None,
    by_paragraph: bool = False,
) -> int:
    """Translate lines (without their line ends), handing `write` one line with its "\n" for each; returns how many.

    `demand_of` is given the number of a line, from 1, and the line. By paragraph the sentences of a line are translated
    each for itself and joined again (`nmt.search.paragraphs`); how the line is written is said in
    `nmt.search.formats`.

    Lines are read, translated and written `chunk_lines` at a time: 1 suits a person who types.

    Raises ConfigError where more translations are asked for than `translator` finds or the format can hold.
    """
    _check(translator.cfg, format, nbest, by_paragraph)
    lines, done = iter(lines_in), 0
    while chunk := list(islice(lines, chunk_lines)):
        if by_paragraph:
            for text in translate_paragraphs(translator, chunk, done + 1, demand_of):
                write(text + "\n")
        else:
            demands = demand_of and [demand_of(done + 1 + place, line) for place, line in enumerate(chunk)]
            answers = translator.translate(chunk, first_line=done + 1, **({"demands": demands} if demands else {}))
            for line, answer in zip(chunk, answers, strict=True):
                write(render(format, line, answer[:nbest], translator.vocabularies) + "\n")
        done += len(chunk)
    return done


def translate_paragraphs(
    translator: LineTranslator, lines: list[str], first_line: int, demand_of: Callable[[int, str], Demand] | None
) -> list[str]:
    """Each line translated sentence by sentence, with the white space between them as it was."""
    split = [split_sentences(line) for line in lines]
    texts = [sentence for parts in split for sentence, _ in parts]
    places = [first_line + place for place, parts in enumerate(split) for _ in parts]
    demands = demand_of and [demand_of(place, text) for place, text in zip(places, texts, strict=True)]
    translated = iter(translator.translate(texts, first_line, **({"demands": demands} if demands else {})))
    return ["".join(next(translated)[0].text + space for _, space in parts) for parts in split]


def _check(cfg: SearchConfig, format: Format, nbest: int, by_paragraph: bool) -> None:
    if format is not Format.json and nbest != 1:
        raise ConfigError(
            "nbest",
            found=nbest,
            expected=f"1 with format={format.value}, one line for each line",
            next_step="set format=json",
        )
    if by_paragraph and format is not Format.text:
        raise ConfigError(
            "by_paragraph",
            found=f"true with format={format.value}",
            expected="format=text: a line of several sentences has no one alignment",
            next_step="leave one of the two out",
        )
    if not 1 <= nbest <= cfg.nbest:
        raise ConfigError(
            "nbest",
            found=nbest,
            expected=f"1 to search.nbest ({cfg.nbest})",
            next_step="raise search.nbest, and search.beam with it",
        )
