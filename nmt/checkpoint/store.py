"""The checkpoints of one run: `last.h5`, `best.h5`, and the newest few `step-N.h5`, written beside training."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
import threading
from collections.abc import Collection, Mapping
from pathlib import Path
from types import TracebackType

from nmt.checkpoint.atomic import give_name
from nmt.checkpoint.file import check_whole, save
from nmt.checkpoint.names import extra_key
from nmt.checkpoint.pace import Pace
from nmt.checkpoint.reader import open_checkpoint_file, read_value
from nmt.checkpoint.refusals import cannot_write
from nmt.checkpoint.values import Array, Value
from nmt.errors import CheckpointError
from nmt.plumbing.files import TEMPORARY

log = logging.getLogger(__name__)

STEP, MADE_BY = extra_key("step"), extra_key("made_by")
NICENESS = 10  # a busy core then gives the writing about a tenth of its time, an idle one all of it
_STEP = re.compile(r"step-(\d+)\.h5")
_LEFT_OVER = re.compile(rf"(last|best|step-\d+|average)\.h5(\.\d+-\d+{re.escape(TEMPORARY)})+")


class CheckpointStore:
    """A folder of checkpoints that one run writes. `keep` of the step-N.h5 stay, the newest, and those that are needed.

    A save is a snapshot that a thread writes, at an easy pace until something waits for it. The next one does, so there
    are never two under way and never more than two snapshots in memory. An error of the thread is raised by the next
    call of `save` or `drain`. Used as a context, the store drains itself at the end.

    Raises CheckpointError where the folder cannot be made or tidied.
    """

    def __init__(self, folder: Path, keep: int, sync: bool = True) -> None:
        self.folder, self.keep, self.sync = folder, keep, sync
        self._thread: threading.Thread | None = None
        self._pace = Pace()
        self._error: BaseException | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for path in folder.iterdir():
                if _LEFT_OVER.fullmatch(path.name):  # of a run that was killed in the middle of a save or an average
                    path.unlink()
        except OSError as error:
            raise cannot_write(folder, error) from error

    def __enter__(self) -> CheckpointStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._wait()
        if error is None:
            self._complain()

    @property
    def last(self) -> Path:
        """last.h5, after whatever is under way has been written. Raises CheckpointError where that failed."""
        self.drain()
        return self.folder / "last.h5"

    @property
    def best(self) -> Path:
        """best.h5, after whatever is under way has been written. Raises CheckpointError where that failed."""
        self.drain()
        return self.folder / "best.h5"

    def step(self, number: int) -> Path:
        """Where step-N.h5 is, or would be."""
        return self.folder / f"step-{number}.h5"

    def average(self, number: int) -> Path:
        """Where an average of checkpoints lies until it is chosen or not: a temporary file."""
        return self.folder / f"average.h5.{os.getpid()}-{number}{TEMPORARY}"

    def choose(self, path: Path) -> None:
        """Give `path` the name best.h5 as well. Raises CheckpointError."""
        give_name(path, self.best, self.sync)

    def save(
        self,
        step: int,
        parameters: Mapping[str, Array],
        extras: Mapping[str, Value],
        best: bool,
        needed: Collection[int] = (),
    ) -> None:
        """Begin to write `last.h5` and what else is due; the arrays must not change any more.

        `needed`: steps whose files stay beside the newest ones. Raises CheckpointError if the save before this one
        failed. This one is under way all the same.
        """
        self._wait()
        failed, self._error = self._error, None
        self._pace = Pace()
        arguments = (step, parameters, {**extras, "step": step}, best, needed)
        self._thread = threading.Thread(target=self._write, args=arguments, name=f"save of step {step}")
        self._thread.start()
        if failed is not None:
            raise failed

    def check(self) -> None:
        """Raises CheckpointError if the last save has failed; does not wait for one that is under way."""
        if self._thread is not None and not self._thread.is_alive():
            self.drain()

    def drain(self) -> None:
        """Wait until everything is on the disk. Raises CheckpointError if the last save failed."""
        self._wait()
        self._complain()

    def steps(self) -> list[Path]:
        """The step-N.h5 files, oldest first."""
        found = [(int(match[1]), path) for path in self.folder.iterdir() if (match := _STEP.fullmatch(path.name))]
        return [path for _, path in sorted(found)]

    def newest_valid(self) -> Path | None:
        """`last.h5`, or where that is missing or broken the newest whole file of the folder, which is said.

        None where there is no file at all: the run ended before its first save. Every byte is checked. Raises
        CheckpointError where there are files and none is whole.
        """
        last = self.last
        if not any(path.exists() for path in (last, self.folder / "best.h5", *self.steps())):
            return None
        if _step(last) is not None:
            return last
        others = {path: _step(path) for path in [self.folder / "best.h5", *self.steps()] if path.exists()}
        whole = {path: step for path, step in others.items() if step is not None}
        if not whole:
            raise CheckpointError(
                str(self.folder),
                found="no whole checkpoint",
                expected="last.h5, best.h5 or a step-N.h5",
                next_step="start the run anew",
            )
        newest = max(whole, key=lambda path: whole[path])
        log.warning("%s is missing or broken: going on from %s, of step %d", last, newest.name, whole[newest])
        return newest

    def _write(
        self,
        step: int,
        parameters: Mapping[str, Array],
        extras: Mapping[str, Value],
        best: bool,
        needed: Collection[int],
    ) -> None:
        """In the thread. `last.h5` comes last: what it says of the others is then true whenever the power fails."""
        _give_way()
        try:
            paths = [self.folder / "best.h5"] if best else []
            paths += [self.step(step)] if self.keep or step in needed else []
            paths += [self.folder / "last.h5"]
            save(paths[0], parameters, extras, sync=self.sync, pace=self._pace)
            for path in paths[1:]:
                give_name(paths[0], path, self.sync)
            self._forget_old({self.step(number) for number in needed})
        except BaseException as error:
            self._error = error

    def _forget_old(self, needed: Collection[Path]) -> None:
        try:
            steps = self.steps() if self.keep or needed else []
            for path in steps[: max(0, len(steps) - self.keep)]:
                if path not in needed:
                    path.unlink()
        except OSError as error:
            raise cannot_write(self.folder, error) from error

    def _wait(self) -> None:
        if self._thread is not None:
            self._pace.hurry()
            self._thread.join()
            self._thread = None

    def _complain(self) -> None:
        failed, self._error = self._error, None
        if failed is not None:
            raise failed


def _give_way() -> None:
    """Let this thread have what training leaves of the processor. Linux alone has priorities of threads."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with contextlib.suppress(OSError):  # it is then only less considerate
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + NICENESS)


def _step(path: Path) -> int | None:
    """The step of a file that is whole, -1 of one that no run goes on from, and None for one that is not whole, which
    is said."""
    try:
        with open_checkpoint_file(path) as file:
            check_whole(path, file)
            own = STEP in file.datasets and MADE_BY not in file.datasets
            step = read_value(path, file, STEP) if own else None
    except CheckpointError as error:
        log.warning("%s", error)
        return None
    return step if isinstance(step, int) else -1
