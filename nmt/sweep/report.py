"""A board of results as text, as CSV, and as a page."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from html import escape

from nmt.config.metrics import LOSS
from nmt.plumbing.tables import table
from nmt.report.html import html_table, image, page, section
from nmt.sweep.leaderboard import Board, Row, Spread
from nmt.sweep.plots import board_png, importance_png, pareto_png, progress_png
from nmt.sweep.results import Result, reported, varying
from nmt.sweep.runner import duration

MOST_ROWS = 20  # of the table on a terminal


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
    return f"{len(results)} trials: " + ", ".join(f"{count} {status}" for status, count in counts.most_common())


def text(board: Board) -> str:
    """For a terminal."""
    parts = [standing(board.results)]
    if not board.rows:
        return f"{parts[0]}\nno trial has finished yet"
    shown = board.rows[:MOST_ROWS]
    parts.append(table([cells(board, row) for row in shown], header(board)))
    if len(board.rows) > len(shown):
        parts.append(f"... and {len(board.rows) - len(shown)} more; --csv and --html have all of them")
    if board.importance:
        parts.append(table(importance_rows(board), IMPORTANCE_HEADER))
    best = board.rows[0]
    parts.append(f"best configuration, with the seed of its best trial:\n  {best.command}")
    parts.append(f"its checkpoint:\n  {best.trials[0].folder / 'checkpoints' / 'best.h5'}")
    return "\n\n".join(parts)


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


def html(board: Board, title: str) -> str:
    """A page that needs no other file."""
    if not board.rows:
        return page(title, [section("Trials", f"<p>{escape(standing(board.results))}; none has finished yet</p>")])
    best = board.rows[0]
    seconds = sum(one.scores.seconds for one in board.results if one.scores is not None)
    note = f"{standing(board.results)}. {duration(seconds)} of training in all. The spread is the standard deviation "
    note += "over seeds."
    rows = [cells(board, row) for row in board.rows]
    board_table = html_table(header(board), rows, "scores")
    means = image(board_png(board), "mean, one standard deviation to each side, and the trials")
    command = f"<pre>{escape(best.command)}</pre>"
    place = f"<p class=soft>checkpoint: {escape(str(best.trials[0].folder / 'checkpoints' / 'best.h5'))}</p>"
    importance_note = (
        "<p class=soft>The share of the variance of the score that each parameter explains on its own (epsilon "
        "squared). What the seed explains is noise.</p>"
    )
    return page(
        title,
        [
            section("Leaderboard", f"<p class=soft>{escape(note)}</p>{board_table}{means}"),
            section("Best configuration", command + place),
            section(
                "Importance",
                importance_note + image(importance_png(board), "parameters by what they explain")
                if board.importance
                else "",
            ),
            section(
                "Quality against time",
                image(pareto_png(board, "seconds"), "configurations; those on the line are not beaten in both"),
            ),
            section(
                "Quality against cost",
                image(pareto_png(board, "usd"), "configurations; those on the line are not beaten in both"),
            ),
            section("Progress", image(progress_png(board), "trials in their order")),
            section("Trials", trials_table(board)),
        ],
    )


def trials_table(board: Board) -> str:
    keys = varying(board.results)
    rows = [
        (
            str(one.number + 1),
            one.status,
            *(one.values.get(key, "-") for key in keys),
            "-" if one.scores is None or one.scores.score is None else f"{one.scores.score:.4f}",
            "-" if one.scores is None else f"{one.scores.seconds:.1f}",
        )
        for one in board.results
    ]
    return html_table(("trial", "status", *keys, f"dev {board.figure.label}", "seconds"), rows, "")
