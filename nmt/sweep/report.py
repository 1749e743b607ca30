"""A board of results as text and as CSV."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence

from nmt.config.metrics import LOSS
from nmt.plumbing.tables import table
from nmt.plumbing.text import counted
from nmt.sweep import apart
from nmt.sweep.leaderboard import Board, Row, Spread
from nmt.sweep.ledger import Status
from nmt.sweep.pool import CONSOLE
from nmt.sweep.results import Result, reported, varying

MOST_ROWS = 20  # of the table on a terminal
FAILED = Status.failed.value


def header(board: Board) -> tuple[str, ...]:
    return (
        "configuration",
        "seeds",
        f"dev {board.figure.label}",
        *(f"test {figure.label}" for figure in board.tests),
        "seconds",
        "US$",
        "Pareto",
    )


def cells(board: Board, row: Row) -> tuple[str, ...]:
    """Means with standard deviations over seeds; `Pareto` says in which cost no other configuration beats it."""
    fronts = [cost for cost, names in board.fronts.items() if row.name in names]
    count = len(row.trials)
    return (
        row.name,
        str(count) if count == row.planned else f"{count} of {row.planned}",
        spread(row.dev, board.figure.digits),
        *(spread(value, figure.digits) for value, figure in zip(row.tests, board.tests, strict=True)),
        f"{row.seconds:.1f}",
        "-" if row.usd is None else f"{row.usd:.4f}",
        ", ".join(fronts) or "-",
    )


def spread(value: Spread | None, digits: int) -> str:
    """41.20 ± 0.31"""
    if value is None:
        return "-"
    mean = f"{value.mean:.{digits}f}"
    return mean if value.deviation is None else f"{mean} ± {value.deviation:.{digits}f}"


def standing(results: Sequence[Result]) -> str:
    """12 trials: 9 finished, 2 running, 1 failed"""
    counts = Counter(result.status for result in results)
    parts = ", ".join(f"{count} {status}" for status, count in counts.most_common())
    return f"{counted(len(results), 'trial')}: {parts}"


def text(board: Board) -> str:
    """For a terminal."""
    parts = [standing(board.results)]
    if not board.rows:
        return "\n\n".join([*parts, *failures(board), "no trial has finished yet"])
    shown = board.rows[:MOST_ROWS]
    parts.append(table([cells(board, row) for row in shown], header(board)))
    if len(board.rows) > len(shown):
        parts.append(f"... and {len(board.rows) - len(shown)} more; --csv and --html have all of them")
    parts += filter(None, [apart.told(board.rows)])
    if board.importance:
        parts.append(table(importance_rows(board), IMPORTANCE_HEADER))
    parts += failures(board)
    best = board.rows[0]
    parts.append(f"best configuration, with the seed of its best trial:\n  {best.command}")
    parts.append(f"its checkpoint:\n  {best.trials[0].folder / 'checkpoints' / 'best.h5'}")
    return "\n\n".join(parts)


def failures(board: Board) -> list[str]:
    """What failed, in one part; nothing where nothing did."""
    keys = varying(board.results)
    failed = [ended(one, keys) for one in board.results if one.status == FAILED]
    more = [f"  ... and {len(failed) - MOST_ROWS} more"] if len(failed) > MOST_ROWS else []
    return ["\n".join(["failed:", *failed[:MOST_ROWS], *more])] if failed else []


def ended(one: Result, keys: Sequence[str]) -> str:
    """How a trial failed, and where more of it stands."""
    name = " ".join(f"{key}={one.values[key]}" for key in keys if key in one.values)
    status = "" if one.exit_status is None else f" with exit status {one.exit_status}"
    return f"  trial {one.number + 1}{status}: {name}\n    {one.last_words or 'no word'}\n    {one.folder / CONSOLE}"


IMPORTANCE_HEADER = ("parameter", "explains", "values")


def importance_rows(board: Board) -> list[tuple[str, ...]]:
    return [(one.key, f"{100 * one.share:.1f} %", str(one.num_values)) for one in board.importance]


def csv_text(board: Board) -> str:
    """A row for each trial, whatever became of it; what varies has a column each."""
    keys = varying(board.results)
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    figures = [LOSS.key, *(facts.figure.key for facts in reported(board.results))]
    names = [f"{part}_{figure}" for part in ("dev", "test") for figure in figures]
    writer.writerow(["trial", "status", "group", *keys, "score", *names, "best_step", "seconds", "usd", "folder"])
    for one in board.results:
        scores = one.scores
        got = [""] * len(names)
        if scores is not None:
            got = [str(part.get(figure, "")) for part in (scores.dev, scores.test) for figure in figures]
        writer.writerow(
            [
                one.number + 1,
                one.status,
                one.group,
                *(one.values.get(key, "") for key in keys),
                "" if scores is None or scores.score is None else scores.score,
                *got,
                "" if scores is None else scores.step,
                "" if scores is None else scores.seconds,
                "" if one.usd is None else one.usd,
                one.folder.name,
            ]
        )
    return file.getvalue()
