"""The pictures of a sweep, as PNG bytes."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nmt.report.figures import literal, new_figure, png_bytes
from nmt.sweep.leaderboard import Board

_INK, _BEST, _SOFT, _LINE = "#0969da", "#bc4c00", "#57606a", "#d0d7de"
MOST_BARS = 20
LONGEST = 48  # letters of a configuration beside a bar


def board_png(board: Board) -> bytes:
    """Means of the configurations with one standard deviation to each side, and the trials as dots."""
    rows = list(reversed(board.rows[:MOST_BARS]))
    figure = new_figure(8.0, max(1.8, 0.34 * len(rows) + 1.0))
    axes = figure.add_subplot()
    for height, row in enumerate(rows):
        colour = _BEST if row is board.rows[0] else _INK
        axes.plot([trial.score for trial in row.trials], [height] * len(row.trials), "o", color=colour, alpha=0.3, ms=4)
        axes.errorbar(row.dev.mean, height, xerr=row.dev.deviation or None, fmt="o", color=colour, capsize=3, ms=6)
    axes.set_yticks(range(len(rows)), [short(row.name) for row in rows])
    axes.set_xlabel(f"dev {board.figure.label}: mean, one standard deviation, trials", fontsize=8)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    return _finish(axes, "x")


def importance_png(board: Board) -> bytes:
    """A bar for each parameter; nothing where none varies."""
    if not board.importance:
        return b""
    found = list(reversed(board.importance))
    figure = new_figure(8.0, max(1.5, 0.3 * len(found) + 0.9))
    axes = figure.add_subplot()
    axes.barh([one.key for one in found], [100 * one.share for one in found], color=_INK, height=0.6)
    axes.set_xlim(0, 100)
    axes.set_xlabel(f"variance of dev {board.figure.label} explained alone (%)", fontsize=8)
    return _finish(axes, "x")


def pareto_png(board: Board, cost: str) -> bytes:
    """Quality over `cost` ("seconds" or "usd"), the front joined; nothing where the cost is not known."""
    if cost not in board.fronts:
        return b""
    axes = new_figure(8.0, 3.6).add_subplot()
    costs = {row.name: row.seconds if cost == "seconds" else row.usd or 0.0 for row in board.rows}
    means = {row.name: row.dev.mean for row in board.rows}
    best = board.fronts[cost]
    axes.plot(list(costs.values()), list(means.values()), "o", color=_SOFT, alpha=0.6, ms=5)
    axes.plot([costs[name] for name in best], [means[name] for name in best], "o-", color=_BEST, linewidth=1.3, ms=6)
    for name in best:
        axes.annotate(
            short(name), (costs[name], means[name]), xytext=(5, -9), textcoords="offset points", fontsize=7, color=_SOFT
        )
    axes.margins(x=0.15, y=0.15)
    axes.set_xlabel("seconds of training, mean" if cost == "seconds" else "US dollars a trial, mean", fontsize=8)
    axes.set_ylabel(f"dev {board.figure.label}", fontsize=8)
    return _finish(axes, "both")


def progress_png(board: Board) -> bytes:
    """The score of each trial in their order, and the best so far."""
    done = [result for result in board.results if result.finished]
    axes = new_figure(8.0, 2.8).add_subplot()
    numbers, scores = [one.number + 1 for one in done], [one.score for one in done]
    best, so_far = [], scores[0]
    for score in scores:
        so_far = max(so_far, score) if board.figure.sign > 0 else min(so_far, score)
        best.append(so_far)
    axes.plot(numbers, scores, "o", color=_INK, ms=5, label="trial")
    axes.step(numbers, best, where="post", color=_BEST, linewidth=1.3, label="best so far")
    axes.set_xlabel("trial", fontsize=8)
    axes.set_ylabel(f"dev {board.figure.label}", fontsize=8)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, fontsize=8)
    return _finish(axes, "both")


def short(name: str) -> str:
    return literal(name if len(name) <= LONGEST else name[: LONGEST - 1] + "…")


def _finish(axes: Axes, grid: str) -> bytes:
    axes.grid(color=_LINE, linewidth=0.6, axis="x" if grid == "x" else "both")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    assert isinstance(axes.figure, Figure)
    return png_bytes(axes.figure)
