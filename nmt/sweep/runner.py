"""Runs the trials of a sweep: a queue, the places of a pool, and a ledger of what started and how it ended."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nmt.errors import SweepError
from nmt.plumbing.signals import NUMBERS, STATUSES, StopRequest
from nmt.plumbing.text import counted
from nmt.sweep.ledger import Ledger, Standing, Status
from nmt.sweep.outcome import Scores, read_scores
from nmt.sweep.pool import CONSOLE, Pool, Running
from nmt.sweep.trials import Trial, place

log = logging.getLogger(__name__)

POLL_S = 0.2
STOPPED = {*(-number for number in NUMBERS), *STATUSES}  # exit statuses after a signal
TAIL_LINES = 12
Hopeless = Callable[[Trial], bool]  # whether a trial under way is not worth going on with


@dataclass(frozen=True)
class Outcome:
    """What a sweep learns of a trial."""

    trial: Trial
    status: Status
    score: float | None


@dataclass
class _Started:
    trial: Trial
    running: Running
    since: float = field(default_factory=time.monotonic)
    pruned: bool = False


class Runner:
    """One sweep, over one or more calls of `run`. Ctrl-C or SIGTERM asks every trial to save, waits, and ends it with
    SystemExit; a second one does not wait."""

    def __init__(
        self,
        pool: Pool,
        ledger: Ledger,
        fail_fast: bool,
        retry_failed: bool,
        scores: Callable[[Path], Scores | None] = read_scores,
    ) -> None:
        """`scores`: what the folder of a trial says of it."""
        self.pool, self.ledger, self.scores = pool, ledger, scores
        self.fail_fast, self.retry_failed = fail_fast, retry_failed
        self.total: int | None = None  # of a sweep whose trials come in batches
        self._started: list[_Started] = []
        self._ending = False
        self._seconds: list[float] = []  # that trials of this process took

    def run(self, trials: Sequence[Trial], hopeless: Hopeless | None = None) -> list[Outcome]:
        """Every trial that is not done according to the ledger is started or resumed; -> all of them, in their order.

        Raises SweepError at the first failure with `fail_fast`; the trials under way are saved before.
        """
        outcomes: dict[str, Outcome] = {}
        waiting = self._waiting(trials, outcomes)
        with _Request() as request:
            while waiting or self._started:
                while waiting and len(self._started) < self.pool.size and not request.made():
                    self._start(waiting.popleft(), self.total or len(trials))
                time.sleep(POLL_S)
                if request.made():
                    waiting.clear()
                    self._end_all(request.insisted)
                for one in list(self._started):
                    outcome = self._look(one, hopeless, len(waiting))
                    if outcome is not None:
                        outcomes[one.trial.ident] = outcome
                        if outcome.status is Status.failed and self.fail_fast and not request.made():
                            self._fail(outcome.trial)
            if request.made():
                raise SystemExit(request.exit_status)
        return [outcomes[trial.ident] for trial in trials]

    def _waiting(self, trials: Sequence[Trial], outcomes: dict[str, Outcome]) -> deque[Trial]:
        """What is left to do; a configuration that is twice among the trials is run once."""
        standings = self.ledger.standings()
        waiting: dict[str, Trial] = {}
        for trial in trials:
            standing = standings.get(trial.ident)
            if standing is not None and self.is_done(standing):
                outcomes[trial.ident] = Outcome(place(trial, standings), standing.status, standing.score)
            else:
                waiting.setdefault(trial.ident, trial)
        if outcomes:
            log.info("%d of %d trials are done already", len(outcomes), len(trials))
        return deque(waiting.values())

    def is_done(self, standing: Standing) -> bool:
        return standing.status.done and not (standing.status is Status.failed and self.retry_failed)

    def _start(self, planned: Trial, count: int) -> None:
        standings = self.ledger.standings()
        trial = place(planned, standings)
        before = standings.get(trial.ident)
        running = self.pool.start(trial)
        self.ledger.write(
            "start",
            trial.ident,
            {
                "group": trial.group,
                "number": trial.number,
                "flags": trial.flags,
                "overrides": trial.overrides,
                "folder": trial.folder.name,
                "where": running.where,
            },
        )
        self._started.append(_Started(trial, running))
        again = "" if before is None else f" again (it was {before.status.value})"
        log.info("trial %d of %d starts%s on %s: %s", trial.number + 1, count, again, running.where, trial.name)

    def _look(self, one: _Started, hopeless: Hopeless | None, left: int) -> Outcome | None:
        status = one.running.poll()
        if status is not None:
            return self._conclude(one, status, left)
        if hopeless is not None and not one.pruned and hopeless(one.trial):
            one.pruned = True
            one.running.stop()
        return None

    def _conclude(self, one: _Started, exit_status: int, left: int) -> Outcome:
        seconds = time.monotonic() - one.since
        scores = self.scores(one.trial.folder)
        status = verdict(exit_status, one.pruned, scores)
        score = scores.score if scores is not None else None
        self.ledger.write(
            "end",
            one.trial.ident,
            {
                "status": status.value,
                "exit_status": exit_status,
                "score": score,
                "seconds": round(seconds, 3),
                "usd": one.running.usd(seconds),
            },
        )
        self._started.remove(one)
        self.pool.free(one.running)
        if status is Status.finished:
            self._seconds.append(seconds)
        self._tell(one.trial, status, exit_status, score, seconds, left)
        return Outcome(one.trial, status, score)

    def _tell(
        self, trial: Trial, status: Status, exit_status: int, score: float | None, seconds: float, left: int
    ) -> None:
        shown = "" if score is None else f", {trial.figure.key} {score:.4f}"
        log.info("trial %d %s after %.0f s%s%s", trial.number + 1, status.value, seconds, shown, self._remaining(left))
        if status is Status.failed:
            log.error(
                "trial %d failed with exit status %d: %s\n%s\nmore in %s",
                trial.number + 1,
                exit_status,
                trial.name,
                tail(trial),
                trial.folder / CONSOLE,
            )

    def _remaining(self, left: int) -> str:
        left += len(self._started)
        if not left or self.total is not None:
            return ""
        if not self._seconds:
            return f"; {left} left"
        mean = sum(self._seconds) / len(self._seconds)
        return f"; {left} left, about {duration(mean * left / self.pool.size)}"

    def _end_all(self, at_once: bool) -> None:
        if not self._ending and self._started:
            these = counted(len(self._started), "trial")
            log.warning("stopping: %s to save and leave; once more ends them at once", these)
        self._ending = True
        for one in self._started:
            one.running.stop()
            if at_once:
                one.running.kill()

    def _fail(self, trial: Trial) -> None:
        """What is under way is saved, then the sweep ends."""
        for one in self._started:
            one.running.stop()
        while self._started:
            time.sleep(POLL_S)
            for one in list(self._started):
                self._look(one, None, 0)
        raise SweepError(
            f"trial {trial.number + 1} ({trial.name})",
            found="a failure",
            expected="none, since fail_fast=true",
            next_step=f"see {trial.folder / CONSOLE}; the same command with retry_failed=true tries it again",
        )


class _Request(StopRequest):
    """A second signal, later than two seconds after the first, is noted too: nobody wants to wait."""

    insisted = False

    def again(self, number: int) -> None:
        self.insisted = True


def verdict(exit_status: int, pruned: bool, scores: Scores | None) -> Status:
    """What an exit status means. A run that came to its end before the signal reached it has finished."""
    if exit_status == 0 and scores is not None and scores.complete:
        return Status.finished
    if exit_status in STOPPED:
        return Status.pruned if pruned else Status.interrupted
    return Status.failed


def tail(trial: Trial, count: int = TAIL_LINES) -> str:
    """The last lines that the trial's process wrote, indented."""
    try:
        text = (trial.folder / CONSOLE).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "  (it wrote nothing)"
    return "\n".join(f"  {line}" for line in text.splitlines()[-count:]) or "  (it wrote nothing)"


def duration(seconds: float) -> str:
    """95 -> 2 min"""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
