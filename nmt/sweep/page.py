"""A sweep as a page: what it found, how, and where each trial lies."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from nmt.config.mistakes import argument
from nmt.report.pages import Cell, Column, render
from nmt.sweep import apart, plots
from nmt.sweep.leaderboard import Board, brief, label_of
from nmt.sweep.ledger import Status
from nmt.sweep.outcome import LAST_WRITTEN, validations
from nmt.sweep.pool import CONSOLE
from nmt.sweep.report import cells, header, standing
from nmt.sweep.results import Result, varying
from nmt.sweep.runner import duration
from nmt.sweep.trials import key_of

TEMPLATES = Path(__file__).parent / "templates"
MOST_KEYS = 3  # of a title
FAILURES = [Column("trial"), Column("configuration"), Column("exit status"), Column("last words"), Column("more")]
COLOURED = {Status.finished.value: "finished", Status.failed.value: "failed"}


def page(board: Board, folder: Path, place: Path) -> str:
    """The page of the sweep in `folder`, to lie at `place`: its links lead from there."""
    keys = varying(board.results)
    where = place.resolve().parent
    trade_offs = {"seconds": "Quality against time", "usd": "Quality against cost"}
    pictures = {heading: plots.pareto(board, cost) for cost, heading in trade_offs.items()}
    values = {
        "title": title(keys),
        "standing": told(board),
        "folder": str(folder),
        "common": common(board.results, keys),
        "best": best(board, where) if board.rows else None,
        "board_columns": [Column(label, number=place > 0) for place, label in enumerate(header(board))],
        "board_rows": board_rows(board),
        "verdict": apart.told(board.rows).splitlines(),
        "means": plots.means(board) if board.rows else None,
        "curves": plots.curves(board, {one.folder: validations(one.folder, board.figure) for one in board.results}),
        "parameters": plots.parameters(board, keys),
        "score": f"dev {board.figure.label}",
        "importance": plots.importance(board),
        "trade_offs": {heading: picture for heading, picture in pictures.items() if picture is not None},
        "progress": plots.progress(board),
        "failure_columns": FAILURES,
        "failures": failures(board.results, keys, where),
        "trial_columns": trial_columns(board, keys),
        "trial_rows": [trial_row(board, one, keys, where) for one in board.results],
    }
    return render("sweep.html", values, TEMPLATES)


def title(keys: Sequence[str]) -> str:
    """Sweep over units, learning_rate"""
    names = [key.rpartition(".")[2] for key in keys]
    more = f" and {len(names) - MOST_KEYS} more" if len(names) > MOST_KEYS else ""
    return f"Sweep over {', '.join(names[:MOST_KEYS])}{more}" if names else "Sweep"


def told(board: Board) -> str:
    """12 trials: 9 finished, 3 failed; 5 min of training in all, $0.04"""
    seconds = sum(one.scores.seconds for one in board.results if one.scores is not None)
    prices = [one.usd for one in board.results if one.usd is not None]
    cost = f", ${sum(prices):.2f}" if prices else ""
    return f"{standing(board.results)}; {duration(seconds)} of training in all{cost}"


def common(results: Sequence[Result], keys: Sequence[str]) -> str:
    """The words that all trials have."""
    first = results[0]
    own = [word for word in first.overrides if key_of(word) not in keys]
    return shlex.join([*first.flags, *(word for word in own if all(word in one.overrides for one in results))])


def best(board: Board, where: Path) -> dict[str, str]:
    row = board.rows[0]
    trial = row.trials[0]
    checkpoint = trial.folder / "checkpoints" / "best.h5"
    translate = f"uv run translate.py {argument('checkpoint', str(checkpoint))}"
    score = board.figure.told(trial.score)
    return {
        "told": f"{row.label}; its best trial is {trial.number + 1}, with dev {board.figure.label} {score}",
        "report": link(trial.folder / LAST_WRITTEN, where),
        "train": row.command,
        "translate": f"{translate} < in.txt > out.txt",
    }


def board_rows(board: Board) -> list[list[Cell]]:
    return [
        [Cell(f"{place}. {row.label}", note=row.name), *(Cell(text) for text in cells(board, row)[1:])]
        for place, row in enumerate(board.rows, start=1)
    ]


def trial_columns(board: Board, keys: Sequence[str]) -> list[Column]:
    figures = [f"dev {board.figure.label}", *(f"test {figure.label}" for figure in board.tests)]
    shown = [Column("trial"), Column("status"), *(Column(key.rpartition(".")[2], number=True) for key in keys)]
    return [
        *shown,
        *(Column(label, number=True) for label in (*figures, "best step", "seconds", "US$")),
        Column("more"),
    ]


def trial_row(board: Board, one: Result, keys: Sequence[str], where: Path) -> list[Cell]:
    scores = one.scores
    values = [one.values.get(key, "-") for key in keys]
    tests = ["-"] * len(board.tests)
    dev = step = seconds = "-"
    if scores is not None:
        tests = [figure.told(scores.test[figure.key]) if figure.key in scores.test else "-" for figure in board.tests]
        dev = "-" if scores.score is None else board.figure.told(scores.score)
        step, seconds = str(scores.step), f"{scores.seconds:.1f}"
    report, log = link(one.folder / LAST_WRITTEN, where), link(one.folder / CONSOLE, where)
    return [
        Cell(f"trial {one.number + 1}"),
        Cell(one.status, kind=COLOURED.get(one.status, "")),
        *(Cell(brief(value), note=value) for value in values),
        *(Cell(text) for text in (dev, *tests, step, seconds, "-" if one.usd is None else f"{one.usd:.4f}")),
        Cell("report", href=report) if report else Cell("log" if log else "-", href=log),
    ]


def failures(results: Sequence[Result], keys: Sequence[str], where: Path) -> list[list[Cell]]:
    """Under FAILURES."""
    return [
        [
            Cell(f"trial {one.number + 1}"),
            Cell(label_of(one.values, keys), note=" ".join(one.overrides)),
            Cell("-" if one.exit_status is None else str(one.exit_status)),
            Cell(one.last_words or "none"),
            Cell("log", href=link(one.folder / CONSOLE, where)),
        ]
        for one in results
        if one.status == Status.failed.value
    ]


def link(target: Path, where: Path) -> str:
    """From a page in the folder `where`; nothing where `target` is not there."""
    return quote(os.path.relpath(target.resolve(), where)) if target.exists() else ""
