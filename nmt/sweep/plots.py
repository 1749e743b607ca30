"""The pictures of a sweep as SVG with real text, one unit a pixel: broad ones for a screen, narrow ones for a phone."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nmt.report.figures import FAINT, LINE, SERIES, SOFT, literal, new_figure, svg_text
from nmt.report.pages import Picture
from nmt.sweep.leaderboard import Board, Row, brief, numbers
from nmt.sweep.results import Result

_INK, _BEST, _SOFT, _GREY, _LINE = SERIES[0], SERIES[1], SOFT, FAINT, LINE
_COLOURS = (_BEST, _INK, *SERIES[2:])
BROAD, NARROW, PANEL = 880, 372, 290  # pixels
MOST_ROWS = 20
LETTER, SMALL = 11, 9
FEW_VALUES = 6  # of a parameter, each with its place on the axis
COSTS = {"seconds": "seconds of training, mean", "usd": "US dollars a trial, mean"}
WIDE_RANGE = 20.0  # a parameter whose largest value is so many times the least is shown on a logarithmic scale

Draw = Callable[[int], Figure]


def both(draw: Draw) -> Picture:
    return Picture(svg_text(draw(BROAD)), svg_text(draw(NARROW)))


def means(board: Board) -> Picture:
    """Means of the configurations with one standard deviation to each side, and the trials as dots."""

    def draw(width: int) -> Figure:
        rows = board.rows[:MOST_ROWS]
        axes = _axes(width, 38 * len(rows) + 56)
        for place, row in enumerate(rows):
            colour = _BEST if row is board.rows[0] else _INK
            scores = [trial.score for trial in row.trials]
            axes.plot(scores, [-place] * len(scores), "o", color=colour, alpha=0.3, ms=5, mew=0, clip_on=False)
            axes.errorbar(row.dev.mean, -place, xerr=row.dev.deviation or None, color=colour, capsize=3)
            axes.plot(row.dev.mean, -place, "o", color=colour, ms=6, clip_on=False)
            axes.annotate(
                _told(board, row), (0, -place + 0.3), xycoords=("axes fraction", "data"), fontsize=LETTER, va="bottom"
            )
        _keep_within(axes, "x", board)
        axes.set_yticks([])
        axes.set_ylim(-len(rows) + 0.4, 0.95)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(f"dev {board.figure.label}", fontsize=LETTER)
        return _finish(axes, "x")

    return both(draw)


def curves(board: Board, scores_by_step: Mapping[Path, Mapping[int, float]]) -> Picture | None:
    """The dev score of every trial over its steps, a colour for each of the best configurations; None without any."""
    places = {trial.folder: place for place, row in enumerate(board.rows) for trial in row.trials}
    trials = [trial for trial in board.results if any(map(math.isfinite, scores_by_step[trial.folder].values()))]
    trials.sort(key=lambda trial: places.get(trial.folder, len(places)))
    if not trials:
        return None

    def draw(width: int) -> Figure:
        axes = _axes(width, 360 if width == BROAD else 300 + 18 * min(len(board.rows), len(_COLOURS)))
        named: set[int] = set()
        for trial in reversed(trials):  # the best on top
            steps, place = scores_by_step[trial.folder], places.get(trial.folder, len(_COLOURS))
            label = _told(board, board.rows[place]) if place < len(_COLOURS) and place not in named else None
            named.add(place)
            axes.plot(
                list(steps),
                list(steps.values()),
                "-" if trial.finished else "--",
                color=_COLOURS[place] if place < len(_COLOURS) else _GREY,
                label=label,
                linewidth=1.4,
                clip_on=False,
                marker="o" if len(steps) == 1 else None,
                ms=4,
            )
        axes.set_xlabel("step", fontsize=LETTER)
        axes.set_ylabel(f"dev {board.figure.label}", fontsize=LETTER)
        handles, labels = axes.get_legend_handles_labels()
        if labels:
            beside = (1.03, 1.0) if width == BROAD else (0.0, -0.2)
            axes.legend(
                handles[::-1], labels[::-1], frameon=False, fontsize=LETTER, loc="upper left", bbox_to_anchor=beside
            )
        _keep_within(axes, "y", board)
        ends = [_last(scores_by_step[trial.folder]) for trial in trials]
        _name(axes, ends, [str(trial.number + 1) for trial in trials], (4, -3))
        return _finish(axes, "both")

    return both(draw)


def _last(scores: Mapping[int, float]) -> tuple[int, float]:
    """The last step with a score that is a number."""
    return max((step, score) for step, score in scores.items() if math.isfinite(score))


def parameters(board: Board, keys: Sequence[str]) -> dict[str, Picture]:
    """Key -> the score of each trial over the values of it."""
    done = [trial for row in board.rows for trial in row.trials]  # the best first
    return {key: Picture(svg_text(_parameter(board, done, key))) for key in keys if len(done) > 1}


def _parameter(board: Board, done: Sequence[Result], key: str) -> Figure:
    axes = _axes(PANEL, 230)
    texts = [result.values.get(key, "-") for result in done]
    found = numbers(texts)
    values = sorted(set(texts), key=texts.index if found is None else float)
    if found is None or len(values) <= FEW_VALUES:
        places: Sequence[float] = [values.index(text) for text in texts]
        axes.set_xticks(range(len(values)), [_short(brief(value), 12) for value in values])
        axes.set_xlim(-0.5, len(values) - 0.5)
    else:
        places = found
        if min(found) > 0 and max(found) >= WIDE_RANGE * min(found):
            axes.set_xscale("log")
        axes.margins(x=0.12)
    axes.margins(y=0.12)
    for place, result in zip(places, done, strict=True):
        colour = _BEST if result is done[0] else _INK
        axes.plot(place, result.score, "o", color=colour, alpha=0.75, ms=5, mew=0, clip_on=False)
    _keep_within(axes, "y", board)
    axes.set_ylabel(f"dev {board.figure.label}", fontsize=LETTER)
    _name(axes, [(place, result.score) for place, result in zip(places, done, strict=True)],
          [str(result.number + 1) for result in done], (5, -3))  # fmt: skip
    return _finish(axes, "both")


def importance(board: Board) -> Picture | None:
    """A bar for each parameter; None where none varies."""
    if not board.importance:
        return None

    def draw(width: int) -> Figure:
        axes = _axes(width, 36 * len(board.importance) + 52)
        for place, one in enumerate(board.importance):
            axes.barh(-place, 100 * one.share, color=_INK, height=0.3)
            text = f"{literal(one.key)}  {100 * one.share:.1f} %"
            axes.annotate(text, (0, -place + 0.2), xycoords=("axes fraction", "data"), fontsize=LETTER, va="bottom")
        axes.set_yticks([])
        axes.set_xlim(0, 100)
        axes.set_ylim(-len(board.importance) + 0.6, 0.85)
        axes.set_xlabel(f"variance of dev {board.figure.label} explained alone (%)", fontsize=LETTER)
        return _finish(axes, "x")

    return both(draw)


def pareto(board: Board, cost: str) -> Picture | None:
    """Quality over `cost` ("seconds" or "usd"), the front joined, each point named; None where no cost is known."""
    if cost not in board.fronts or not board.rows:
        return None
    costs = {row.name: row.seconds if cost == "seconds" else row.usd or 0.0 for row in board.rows}
    means = {row.name: row.dev.mean for row in board.rows}
    front = board.fronts[cost]

    def draw(width: int) -> Figure:
        axes = _axes(width, 320)
        axes.plot([costs[name] for name in front], [means[name] for name in front], "-", color=_BEST, linewidth=1.3)
        for row in board.rows:
            colour = _BEST if row.name in front else _INK
            axes.plot(costs[row.name], means[row.name], "o", color=colour, ms=6, mew=0, clip_on=False)
        axes.margins(x=0.15, y=0.15)
        _keep_within(axes, "y", board)
        axes.set_xlabel(COSTS[cost], fontsize=LETTER)
        axes.set_ylabel(f"dev {board.figure.label}", fontsize=LETTER)
        axes.xaxis.set_major_locator(MaxNLocator(8 if width == BROAD else 4))
        first = sorted(board.rows, key=lambda row: row.name not in front)  # their names have the first right to a place
        texts = [_told(board, row) if row.name in front and width == BROAD else _place(board, row) for row in first]
        _name(axes, [(costs[row.name], means[row.name]) for row in first], texts, (7, -10))
        return _finish(axes, "both")

    return both(draw)


def progress(board: Board) -> Picture | None:
    """The score of each trial in their order, and the best so far; None before the second has finished."""
    done = [result for result in board.results if result.finished]
    if len(done) < 2:
        return None
    best = [done[0].score]
    for result in done[1:]:
        best.append(max(best[-1], result.score) if board.figure.sign > 0 else min(best[-1], result.score))

    def draw(width: int) -> Figure:
        axes = _axes(width, 240)
        order = [one.number + 1 for one in done]
        axes.plot(order, [one.score for one in done], "o", color=_INK, ms=5, mew=0, clip_on=False, label="trial")
        axes.step(order, best, where="post", color=_BEST, linewidth=1.3, label="best so far")
        _keep_within(axes, "y", board)
        axes.set_xlabel("trial", fontsize=LETTER)
        axes.set_ylabel(f"dev {board.figure.label}", fontsize=LETTER)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(frameon=False, fontsize=LETTER - 1)
        return _finish(axes, "both")

    return both(draw)


def _told(board: Board, row: Row) -> str:
    """1. units=64 cell=gru"""
    return _short(f"{_place(board, row)}. {row.label}", 40)


def _place(board: Board, row: Row) -> str:
    return str(board.rows.index(row) + 1)


def _short(text: str, letters: int) -> str:
    return literal(text if len(text) <= letters else text[: letters - 1] + "…")


def _axes(width: int, height: int) -> Axes:
    return new_figure(width / 72, height / 72).add_subplot()


def _keep_within(axes: Axes, which: str, board: Board) -> None:
    """The axis of the score does not go beyond what scores there can be."""
    low, high = axes.get_xlim() if which == "x" else axes.get_ylim()
    least, most = board.figure.bounds
    axes.set(**{f"{which}lim": (max(low, least), min(high, most))})


def _name(axes: Axes, points: Sequence[tuple[float, float]], texts: Sequence[str], offset: tuple[int, int]) -> None:
    """Write the names of points beside them, the first ones first; one that another name would cover is left out."""
    figure = _figure(axes)
    figure.draw_without_rendering()  # so that places on the axes are places on the page
    taken: list[tuple[float, float, float]] = []
    for point, text in zip(points, texts, strict=True):
        x, y = axes.transData.transform(point) * 72 / figure.dpi
        width = SMALL * len(text) * 0.6
        if any(abs(y - above) < SMALL and left - width < x < left + wide for left, above, wide in taken):
            continue
        taken.append((x, y, width))
        axes.annotate(text, point, xytext=offset, textcoords="offset points", fontsize=SMALL, color=_SOFT)


def _finish(axes: Axes, grid: str) -> Figure:
    axes.grid(color=_LINE, linewidth=0.6, axis="x" if grid == "x" else "both")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=LETTER - 1)
    return _figure(axes)


def _figure(axes: Axes) -> Figure:
    assert isinstance(axes.figure, Figure)
    return axes.figure
