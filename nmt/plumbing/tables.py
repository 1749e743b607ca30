"""Text in aligned columns."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence


def table(
    rows: Sequence[Sequence[str]],
    header: Sequence[str] | None = None,
    right: Collection[int] | None = None,
    indent: str = "",
) -> str:
    """Columns as wide as their widest cell, two blanks between; a header stands over a rule.

    `right` names the columns that are flush right. None: all but the first whose cells begin like numbers or are "-".
    """
    lines = list(rows) if header is None else [header, *rows]
    assert all(len(line) == len(lines[0]) for line in lines), "a row has a cell for each column"
    widths = [max(map(width, column)) for column in zip(*lines, strict=True)]
    if right is None:
        right = [place for place, column in enumerate(zip(*rows, strict=True)) if place > 0 and _numeric(column)]
    if header is not None:
        lines.insert(1, ["-" * wide for wide in widths])
    return "\n".join(
        (indent + "  ".join(pad(cell, widths[place], place in right) for place, cell in enumerate(line))).rstrip()
        for line in lines
    )


def pad(text: str, wide: int, flush_right: bool = False) -> str:
    """With blanks up to so many columns of a terminal."""
    gap = " " * (wide - width(text))
    return gap + text if flush_right else text + gap


def width(text: str) -> int:
    """Columns of a terminal: a combining mark takes none, a wide character two."""
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )


def _numeric(cells: Sequence[str]) -> bool:
    return all(cell == "-" or cell.lstrip("+-")[:1].isdigit() for cell in cells)
