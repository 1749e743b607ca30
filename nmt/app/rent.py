"""One trial of a sweep on a machine of its own, which begins and ends with it.

    python -m nmt.app.rent FOLDER NAME LAUNCH_WORD ... -- TRAINING_WORD ...

`up`, `run`, `fetch --every` and `terminate` of `python -m nmt.launch`, for the machine NAME; the run comes home to
FOLDER. The same again goes on with a machine that an earlier one left behind, instead of renting a second.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from nmt.config.launch_line import read_launch
from nmt.errors import NmtError
from nmt.launch.commands import run
from nmt.launch.recorded import folder_of, on_record
from nmt.launch.start import load_request
from nmt.launch.upload import check_checkout, plan_training
from nmt.plumbing import edge
from nmt.plumbing.records import checked, parsed
from nmt.plumbing.signals import Stopped, signals_raise

LAST_WRITTEN = "report.html"
UNFINISHED = 1
STOPPED = (130, 143)
Step = Callable[[Sequence[str]], int]  # a command line of nmt.launch -> exit status


def rent(folder: Path, name: str, launch: Sequence[str], training: Sequence[str], step: Step = run) -> int:
    """-> exit status: 0 where the run has come to its end and is at home, 143 where it was stopped and saved.

    Whatever happens, the machine is ended before this returns; where that fails, its message says what does.
    """
    words = [f"launch.name={name}", *launch]
    rented = True  # as far as is known
    try:
        try:
            with signals_raise():
                mistaken = edge.command(lambda: _check(training, name))
                rented = not mistaken or _rented(words)
                status = mistaken or step(["up", "--yes", *words]) or step(["run", *words, "--", *training])
                status = status or step(["fetch", "--every", *words])
        except Stopped as stopped:  # between two steps; within one, its exit status tells
            status = stopped.exit_status
        if rented and status in STOPPED:
            print(f"{name}: stopping; the run saves and comes home, then the machine is ended", file=sys.stderr)
            step(["halt", *words])
            status = STOPPED[1]
    finally:
        ended = step(["terminate", "--yes", *words]) if rented else mistaken
    if rented and (folder / LAST_WRITTEN).exists():
        return ended
    return status if status != UNFINISHED else of_the_training(folder) or UNFINISHED


def _check(training: Sequence[str], name: str) -> None:
    """Raises ConfigError and LaunchError, as `run` would, once there was a machine to pay for."""
    check_checkout()
    plan_training(training, name)


def _rented(words: Sequence[str]) -> bool:
    """Whether an earlier one has left a machine, or may have."""
    try:
        options = read_launch(words)[0].launch
        return on_record(options) is not None or load_request(folder_of(options)) is not None
    except NmtError:  # a record that cannot be read is one all the same
        return True


def of_the_training(folder: Path) -> int:
    """The exit status that the trainer left on its machine; 0 where it is not known."""
    try:
        status = parsed((folder / "machine" / "status.json").read_bytes())
        checked(status, {"exit_status": int}, {"exit_status"})
        return int(status["exit_status"])
    except (OSError, ValueError):
        return 0


def main(arguments: Sequence[str]) -> int:
    folder, name, *rest = arguments
    place = rest.index("--")
    return rent(Path(folder), name, rest[:place], rest[place + 1 :])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
