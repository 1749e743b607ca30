"""Draws docs/euclid.svg, the rectangle that docs/article.md speaks of: `python -m docs.draw_euclid`."""

from __future__ import annotations

from pathlib import Path

from nmt.arithmetic import Cut, euclid

FILE = Path(__file__).with_name("euclid.svg")
SCALE = 3  # points a unit of length
MARGIN, LINE = 12, 20
COLOURS = ("#4c78a8", "#f58518", "#54a24b", "#b279a2", "#e45756", "#72b7b2")  # a colour a cut, in turn


def draw(length: int, side: int) -> str:
    """The rectangle length x side (length at least side, both at least 1) cut into squares, and its equations: SVG."""
    divisor, cuts = euclid(length, side)
    width, height = SCALE * length + 2 * MARGIN, SCALE * side + 2 * MARGIN + LINE * (len(cuts) + 1)
    sentence = f"A rectangle of {length} x {side} cut into squares; the smallest has side {divisor}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" font-family="sans-serif">',
        f"<title>{sentence}</title>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
        *_squares(length, side, cuts),
        *_equations(side, cuts, divisor),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _squares(width: int, height: int, cuts: list[Cut]) -> list[str]:
    """Each cut takes its squares off the longer side of what is left."""
    lines, x, y = [], 0, 0
    for number, cut in enumerate(cuts):
        colour, size = COLOURS[number % len(COLOURS)], SCALE * cut.side
        for _ in range(cut.count):
            left, top = MARGIN + SCALE * x, MARGIN + SCALE * y
            lines.append(
                f'<rect x="{left}" y="{top}" width="{size}" height="{size}" fill="{colour}" stroke="white" '
                'stroke-width="2"/>'
            )
            lines.append(
                f'<text x="{left + size / 2:g}" y="{top + size / 2:g}" fill="white" font-size="18" '
                f'text-anchor="middle" dominant-baseline="central">{cut.side}</text>'
            )
            if width >= height:
                x, width = x + cut.side, width - cut.side
            else:
                y, height = y + cut.side, height - cut.side
    return lines


def _equations(side: int, cuts: list[Cut], divisor: int) -> list[str]:
    """One line a cut, in its colour: 217 = 1 · 124 + 93."""
    told = [f"{cut.length} = {cut.count} · {cut.side} + {cut.rest}" for cut in cuts]
    colours = [COLOURS[number % len(COLOURS)] for number in range(len(cuts))]
    top = SCALE * side + 2 * MARGIN
    return [
        f'<text x="{MARGIN}" y="{top + LINE * number + LINE // 2}" fill="{colour}" font-size="15">{text}</text>'
        for number, (text, colour) in enumerate(
            zip([*told, f"greatest common divisor: {divisor}"], [*colours, "black"], strict=True)
        )
    ]


if __name__ == "__main__":
    FILE.write_text(draw(217, 124), encoding="utf-8")
