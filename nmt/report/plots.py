"""Where things lie in the small pictures of a report; templates/plots.html draws them as SVG, one unit a pixel.

A picture is a panel of a grid: as wide as a phone, so that its text can be read on any screen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

WIDTH = 360
COLOURS = 8  # series beyond that have the last one's
HEAD, BAR, FOOT = 20, 15, 26  # heights: of a row's label, of a point, of the axis
LEFT, RIGHT = 18, 18  # margins of the axis, room for half a label
CURVES_HEIGHT, CURVES_LEFT = 190, 46
ANY = (-math.inf, math.inf)  # bounds of values that may be any number


@dataclass(frozen=True)
class Point:
    """A value with its interval, of a series."""

    series: int
    name: str
    value: float | None
    low: float | None
    high: float | None
    told: str


@dataclass(frozen=True)
class Whisker:
    """A point as it lies in the picture; x are pixels, None where there is no number."""

    colour: int
    name: str
    told: str
    y: float
    x: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Row:
    label: str
    value: str  # beside it, where it is of one point
    y: float
    whiskers: Sequence[Whisker]


@dataclass(frozen=True)
class Tick:
    place: float
    label: str


@dataclass(frozen=True)
class Whiskers:
    """Rows of points with whiskers on one axis."""

    caption: str
    about: str  # all of it in words
    height: float
    rows: Sequence[Row]
    ticks: Sequence[Tick]
    width: int = WIDTH


@dataclass(frozen=True)
class Line:
    colour: int
    name: str
    path: str
    dots: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Curves:
    """Lines over steps."""

    caption: str
    about: str
    lines: Sequence[Line]
    across: Sequence[Tick]
    upward: Sequence[Tick]
    legend: bool  # whether the picture has to say which colour is whose
    width: int = WIDTH
    height: float = CURVES_HEIGHT + FOOT
    left: int = CURVES_LEFT
    bottom: float = CURVES_HEIGHT


@dataclass(frozen=True)
class _Scale:
    """From values to pixels."""

    low: float
    high: float
    start: float
    end: float
    ticks: Sequence[Tick] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ticks", [Tick(self(one), f"{one:.6g}") for one in ticks(self.low, self.high)])

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers between two, at most `most` + 1."""
    unit = 10.0 ** math.floor(math.log10((high - low) / most))
    step = next(unit * factor for factor in (1, 2, 5, 10) if (high - low) / (unit * factor) <= most)
    return [place * step for place in range(math.ceil(low / step), math.floor(high / step) + 1)]


def whiskers(caption: str, rows: Mapping[str, Sequence[Point]], bounds: tuple[float, float] = ANY) -> Whiskers | None:
    """None where there is no number at all. `bounds`: the axis does not go beyond what values there can be."""
    numbers = [
        value
        for points in rows.values()
        for point in points
        for value in (point.value, point.low, point.high)
        if value is not None
    ]
    if not numbers:
        return None
    scale = _scale(numbers, LEFT, WIDTH - RIGHT, bounds)
    drawn: list[Row] = []
    y = 0.0
    for label, points in rows.items():
        own = y + (HEAD if label else 0)
        value = points[0].told if len(points) == 1 else ""
        bars = [_whisker(point, scale, own + BAR * k + 8) for k, point in enumerate(points)]
        drawn.append(Row(label, value, y + 14, bars))
        y = own + BAR * len(points) + 4
    about = "; ".join(
        ": ".join([label] * bool(label) + [", ".join(f"{point.name} {point.told}" for point in points)])
        for label, points in rows.items()
    )
    return Whiskers(caption, f"{caption}: {about}", y + FOOT, drawn, scale.ticks)


def _whisker(point: Point, scale: _Scale, y: float) -> Whisker:
    value, low, high = (None if one is None else scale(one) for one in (point.value, point.low, point.high))
    return Whisker(min(point.series, COLOURS - 1), point.name, point.told, y, value, low, high)


def _scale(numbers: Sequence[float], start: float, end: float, bounds: tuple[float, float]) -> _Scale:
    low, high = min(numbers), max(numbers)
    room = 0.06 * (high - low) or abs(high) * 0.1 or 1.0
    least, most = bounds
    return _Scale(max(low - room, min(low, least)), min(high + room, max(high, most)), start, end)


def curves(
    caption: str,
    lines: Sequence[tuple[int, str, Sequence[tuple[float, float]]]],
    legend: bool = False,
    bounds: tuple[float, float] = ANY,
) -> Curves | None:
    """`lines`: number of the series, its name, (step, value); what is not finite leaves a gap. `bounds` as of
    whiskers. None without a number.
    """
    finite = [pair for _, _, pairs in lines for pair in pairs if math.isfinite(pair[1])]
    if not finite:
        return None
    steps = [step for step, _ in finite]
    across = _Scale(min(0, *steps), max(steps) or 1, CURVES_LEFT, WIDTH - RIGHT)
    upward = _scale([value for _, value in finite], CURVES_HEIGHT, 8, bounds)
    drawn = [
        Line(min(series, COLOURS - 1), name, *_path(pairs, across, upward))
        for series, name, pairs in lines
        if any(math.isfinite(value) for _, value in pairs)
    ]
    ends = ", ".join(
        f"{name} {[value for _, value in pairs if math.isfinite(value)][-1]:.6g}"
        for _, name, pairs in lines
        if any(math.isfinite(value) for _, value in pairs)
    )
    return Curves(caption, f"{caption} over steps; at the end {ends}", drawn, across.ticks, upward.ticks, legend)


def _path(
    pairs: Sequence[tuple[float, float]], across: _Scale, upward: _Scale
) -> tuple[str, list[tuple[float, float]]]:
    """The line, and the points that it would not show: those that stand alone."""
    words: list[str] = []
    alone: list[tuple[float, float]] = []
    run: list[tuple[float, float]] = []
    for step, value in [*pairs, (0, math.nan)]:
        if math.isfinite(value):
            run.append((across(step), upward(value)))
            continue
        if len(run) == 1:
            alone += run
        elif run:
            words.append("M" + "L".join(f"{x:g} {y:g}" for x, y in run))
        run = []
    return "".join(words), alone
