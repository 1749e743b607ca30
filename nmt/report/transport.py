"""A transport plan of the Word Mover's Distance: which word's mass goes to which word, and how far.

    python -m nmt.metrics.wmd ... --json --explain 3 | python -m nmt.report.transport FOLDER

draws the plans that the metric explains: FOLDER/line-1.png, line-2.png, line-3.png.

A word of one sentence, B word of the other
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path as Outline
from numpy.typing import NDArray

from nmt.errors import MetricError, reason_of
from nmt.plumbing import edge
from nmt.plumbing.files import write_bytes
from nmt.plumbing.records import checked, parsed
from nmt.report.figures import literal, new_figure, png_bytes, word

_GAP = 0.04  # between words, in units of the whole mass
_NODE = 0.03  # width of a word's bar; the columns are 1 apart
_NEGLIGIBLE = 1e-9  # of the whole mass: rounding of the solver, not a band
_COLOURS = "viridis_r"
_MOVE: Mapping[str, Any] = {"from": str, "to": str, "mass": float, "cost": float}


def transport_picture(
    path: Path,
    words_a: Sequence[str],
    words_b: Sequence[str],
    flow_AB: NDArray[np.floating],
    cost_AB: NDArray[np.floating],
    title: str,
) -> None:
    """Write a PNG: words in two columns, joined by bands as wide as the mass that moves, coloured by its cost.

    flow_AB is mass (it adds up to 1), cost_AB the distance between the words' vectors.

    Raises OSError where `path` cannot be written.
    """
    write_bytes(path, transport_png(words_a, words_b, flow_AB, cost_AB, title))


def transport_png(
    words_a: Sequence[str],
    words_b: Sequence[str],
    flow_AB: NDArray[np.floating],
    cost_AB: NDArray[np.floating],
    title: str,
) -> bytes:
    """The picture of `transport_picture` as the bytes of a PNG file."""
    shape = (len(words_a), len(words_b))
    assert np.shape(flow_AB) == np.shape(cost_AB) == shape, "a mass and a cost for each pair of words"
    figure = new_figure(7.0, max(2.6, 0.42 * max(shape) + 1.2))
    axes = figure.add_subplot()
    moved = [(a, b) for a, b in np.argwhere(flow_AB > _NEGLIGIBLE * flow_AB.sum())]
    scale = Normalize(0.0, max((float(cost_AB[a, b]) for a, b in moved), default=0.0) or 1.0)
    tops_A, tops_B = _tops(flow_AB.sum(axis=1)), _tops(flow_AB.sum(axis=0))
    _bands(axes, moved, flow_AB, cost_AB, scale, tops_A.copy(), tops_B.copy())
    _column(axes, words_a, flow_AB.sum(axis=1), tops_A, left=True)
    _column(axes, words_b, flow_AB.sum(axis=0), tops_B, left=False)
    axes.set_xlim(-0.55, 1.55)
    axes.set_ylim(-1.0 - _GAP * (max(shape) - 1) - 0.02, 0.02)
    axes.set_axis_off()
    bar = figure.colorbar(ScalarMappable(scale, _COLOURS), ax=axes, fraction=0.04, pad=0.02)
    bar.set_label("distance between the words")
    bar.ax.spines["outline"].set_visible(False)
    figure.suptitle(literal(title), fontsize=11)
    return png_bytes(figure)


def _tops(mass: NDArray[np.floating]) -> NDArray[np.floating]:
    """Upper edge of each word's bar, from 0 downwards, with gaps between."""
    tops: NDArray[np.floating] = -(np.cumsum(mass) - mass) - _GAP * np.arange(len(mass))
    return tops


def _column(
    axes: Axes, words: Sequence[str], mass: NDArray[np.floating], tops: NDArray[np.floating], *, left: bool
) -> None:
    for text, size, top in zip(words, mass, tops, strict=True):
        start = -_NODE if left else 1.0
        axes.add_patch(Rectangle((start, top - size), _NODE, size, facecolor="#57606a", edgecolor="none"))
        axes.text(
            -_NODE - 0.02 if left else 1.0 + _NODE + 0.02,
            top - size / 2,
            word(text),
            ha="right" if left else "left",
            va="center",
            fontsize=10,
        )


def _bands(
    axes: Axes,
    moved: Sequence[tuple[int, int]],
    flow_AB: NDArray[np.floating],
    cost_AB: NDArray[np.floating],
    scale: Normalize,
    top_A: NDArray[np.floating],
    top_B: NDArray[np.floating],
) -> None:
    """Bands leave and arrive in the order of the words, each below the last (`top_A`, `top_B` move down)."""
    colours = colormaps[_COLOURS]
    codes = [Outline.MOVETO, *[Outline.CURVE4] * 3, Outline.LINETO, *[Outline.CURVE4] * 3, Outline.CLOSEPOLY]
    for a, b in moved:
        size = float(flow_AB[a, b])
        left, right = float(top_A[a]), float(top_B[b])
        corners = [
            (0, left), (0.5, left), (0.5, right), (1, right),
            (1, right - size), (0.5, right - size), (0.5, left - size), (0, left - size), (0, left),
        ]  # fmt: skip
        colour = colours(scale(float(cost_AB[a, b])))
        axes.add_patch(PathPatch(Outline(corners, codes), facecolor=colour, edgecolor="none", alpha=0.75))
        top_A[a] -= size
        top_B[b] -= size


def plan_picture(path: Path, plan: Mapping[str, Any], title: str) -> None:
    """`transport_picture` of a plan as JSON has it: {"distance", "moves": [{"from", "to", "mass", "cost"}]}."""
    moves = plan["moves"]
    words_a = list(dict.fromkeys(move["from"] for move in moves))
    words_b = list(dict.fromkeys(move["to"] for move in moves))
    flow_AB, cost_AB = np.zeros((len(words_a), len(words_b))), np.zeros((len(words_a), len(words_b)))
    for move in moves:
        place = words_a.index(move["from"]), words_b.index(move["to"])
        flow_AB[place], cost_AB[place] = move["mass"], move["cost"]
    transport_picture(path, words_a, words_b, flow_AB, cost_AB, title)


def main(arguments: Sequence[str]) -> int:
    """Exit status: 0, or 2 with one sentence on standard error for a mistake that the user can mend."""
    return edge.command(lambda: _draw(arguments))


def _draw(arguments: Sequence[str]) -> None:
    parser = edge.Parser(prog="python -m nmt.report.transport", description="Draw plans read from stdin.")
    parser.add_argument("folder", type=Path, help="where line-1.png, line-2.png and so on are written")
    folder: Path = parser.parse_args(arguments).folder
    plans = _read_plans(sys.stdin)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number, plan in enumerate(plans, start=1):
            if plan is not None:  # a line between whose texts nothing can be moved
                plan_picture(folder / f"line-{number}.png", plan, f"line {number}: distance {plan['distance']:.4f}")
    except OSError as error:
        raise MetricError(
            str(folder),
            found=reason_of(error),
            expected="a folder that can be written to",
            next_step="name another",
        ) from error


def _read_plans(source: TextIO) -> list[Mapping[str, Any] | None]:
    """Raises MetricError for what is not the metric's JSON with plans in it."""
    try:
        content = parsed(source.read())
        checked(content, {"plans": list[dict[str, Any] | None]}, {"plans"})
        plans: list[Mapping[str, Any] | None] = content["plans"]
        for plan in filter(None, plans):
            checked(plan, {"distance": float, "moves": list[dict[str, Any]]}, {"distance", "moves"})
            for move in plan["moves"]:
                checked(move, _MOVE, {*_MOVE})
    except ValueError as error:
        raise MetricError(
            "python -m nmt.report.transport",
            found=f"no plans on standard input ({type(error).__name__})",
            expected="what python -m nmt.metrics.wmd prints with --json --explain N",
            next_step="pipe the one into the other",
        ) from error
    return plans


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
