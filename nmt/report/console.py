"""What a run says at its end, as text for a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple


class Sample(NamedTuple):
    """One sentence of a test set and what became of it."""

    source: str
    reference: str
    translation: str


SCORES_HEADER = ("data", "sentences", "BLEU", "chrF", "WMD similarity", "WMD distance", "coverage")


def table(rows: Sequence[Sequence[str]], header: Sequence[str]) -> str:
    """Aligned columns under a rule: the first to the left, numbers and all that begins like one to the right."""
    assert all(len(row) == len(header) for row in rows), "a row has a cell for each column"
    columns = list(zip(header, *rows, strict=True))
    widths = [max(map(_width, column)) for column in columns]
    right = [place > 0 and _numeric(column[1:]) for place, column in enumerate(columns)]
    lines = [header, ["-" * width for width in widths], *rows]
    return "\n".join(
        "  ".join(_pad(cell, width, flush) for cell, width, flush in zip(line, widths, right, strict=True)).rstrip()
        for line in lines
    )


def score_rows(results_by_name: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    """Cells under SCORES_HEADER, from the content of one `results.json` a name."""
    return [
        [
            name,
            str(result["sentences"]),
            with_interval(result["bleu"], "score", 2),
            with_interval(result["chrf"], "score", 2),
            with_interval(result["wmd"], "similarity", 4),
            "-" if result["wmd"]["distance"] is None else f"{result['wmd']['distance']:.4f}",
            f"{100 * result['wmd']['coverage']:.1f} %",
        ]
        for name, result in results_by_name.items()
    ]


def scores_table(results_by_name: Mapping[str, Mapping[str, Any]]) -> str:
    """Scores with their intervals, and below them what makes them comparable: signatures and reference lengths."""
    lines = [table(score_rows(results_by_name), SCORES_HEADER), ""]
    for name, result in results_by_name.items():
        lines += [
            f"{name}: BLEU {result['bleu']['signature']} (reference length {result['bleu']['ref_len']:,})",
            f"{name}: chrF {result['chrf']['signature']}",
            f"{name}: WMD {result['wmd']['signature']} ({left_out(result['wmd'])})",
        ]
    return "\n".join(lines)


def left_out(wmd: Mapping[str, Any]) -> str:
    """Sentences that have no distance, by the reason."""
    return f"{wmd['num_empty']} empty, {wmd['num_unknown']} without a known word"


def with_interval(score: Mapping[str, Any], key: str, digits: int) -> str:
    """`41.20 [39.98, 42.37]`: a score and, where there is one, its interval (called ci95, ci90, ...)."""
    bounds = next((value for name, value in score.items() if name.startswith("ci") and value is not None), None)
    text = f"{score[key]:.{digits}f}"
    return text if bounds is None else f"{text} [{bounds[0]:.{digits}f}, {bounds[1]:.{digits}f}]"


def spent(seconds: float, gpu_seconds: float, usd: float | None) -> str:
    """`3 min 42 s, 222 GPU-seconds, 0.03 US dollars`: what training took. A price is told where one is known."""
    hours, minutes = int(seconds) // 3600, int(seconds) // 60 % 60
    parts = [f"{hours} h"] * (hours > 0) + [f"{minutes} min"] * (hours + minutes > 0) + [f"{int(seconds) % 60} s"]
    told = [" ".join(parts)]
    if gpu_seconds:
        told.append(f"{gpu_seconds:,.0f} GPU-seconds")
    if usd is not None:
        told.append(f"{usd:,.2f} US dollars" if usd >= 0.01 else f"{usd:.4f} US dollars")
    return ", ".join(told)


def samples(sentences: Sequence[Sample]) -> str:
    """Source, reference and translation below each other, a blank line between sentences."""
    return "\n\n".join(
        f"source       {sample.source}\nreference    {sample.reference}\ntranslation  {sample.translation}"
        for sample in sentences
    )


def summary(
    results_by_name: Mapping[str, Mapping[str, Any]], sentences: Sequence[Sample], places: Mapping[str, Path], took: str
) -> str:
    """The end of a run: scores, sample translations, what training took, and where everything lies (what -> path)."""
    width = max((_width(what) for what in places), default=0)
    lie = "\n".join(f"{_pad(what, width, False)}  {path}" for what, path in places.items())
    return "\n\n".join(
        part for part in (scores_table(results_by_name), samples(sentences), took and f"training: {took}", lie) if part
    )


def _numeric(cells: Sequence[str]) -> bool:
    return all(cell == "-" or cell.lstrip("+-")[:1].isdigit() for cell in cells)


def _width(text: str) -> int:
    """Columns of a terminal: a combining mark takes none, a wide character two."""
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )


def _pad(text: str, width: int, flush_right: bool) -> str:
    gap = " " * (width - _width(text))
    return gap + text if flush_right else text + gap
