"""The commands of `python -m nmt.sweep`."""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from nmt.errors import SweepError, reason_of
from nmt.plumbing import edge
from nmt.plumbing.files import write_text
from nmt.sweep.leaderboard import make_board
from nmt.sweep.ledger import at_work
from nmt.sweep.page import page
from nmt.sweep.report import csv_text, text
from nmt.sweep.results import read_results

CLEAR = "\x1b[H\x1b[2J"


def run(arguments: Sequence[str]) -> int:
    """-> exit status: 0 done, 2 a mistake that the user can mend, told in one sentence, 130 interrupted."""
    return edge.command(lambda: report(_parser().parse_args(arguments)))


def _parser() -> argparse.ArgumentParser:
    parser = edge.Parser(prog="python -m nmt.sweep", description="What a sweep found.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    about = "Leaderboard, best configuration as a command, importance of the parameters, Pareto front."
    added = commands.add_parser("report", help=about, description=about)
    added.add_argument("folder", type=Path, help="of a sweep, such as runs/sweeps/NAME")
    added.add_argument("--csv", type=Path, metavar="FILE", help="write a row for each trial")
    added.add_argument("--html", type=Path, metavar="FILE", help="write a page with plots")
    added.add_argument("--watch", action="store_true", help="again and again, until the sweep has ended")
    added.add_argument("--every", type=float, default=5.0, metavar="SECONDS", help="with --watch (5)")
    return parser


def report(parsed: argparse.Namespace) -> None:
    """Print the table and write what else was asked for. Raises SweepError."""
    folder: Path = parsed.folder
    if not 0 < parsed.every < threading.TIMEOUT_MAX:
        raise SweepError("--every", found=parsed.every, expected="seconds, more than 0", next_step="5 is usual")
    while parsed.watch and at_work(folder):
        try:
            shown = show(parsed, folder)
        except SweepError as nothing_yet:
            shown = str(nothing_yet)
        print((CLEAR if sys.stdout.isatty() else "") + shown, flush=True)
        time.sleep(parsed.every)
    print((CLEAR if parsed.watch and sys.stdout.isatty() else "") + show(parsed, folder))


def show(parsed: argparse.Namespace, folder: Path) -> str:
    """One look; -> what to print."""
    board = make_board(read_results(folder))
    if parsed.csv is not None:
        _write(parsed.csv, csv_text(board))
    if parsed.html is not None:
        _write(parsed.html, page(board, folder.resolve(), parsed.html))
    return text(board)


def _write(path: Path, content: str) -> None:
    try:
        write_text(path, content)
    except OSError as error:
        raise SweepError(
            str(path),
            found=reason_of(error),
            expected="a file that can be written",
            next_step="choose another name",
        ) from error
