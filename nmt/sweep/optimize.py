"""The loop of an Optuna sweep: what is open goes first, then as many trials at once as there are places."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hydra.core.override_parser.types import Override

from nmt.errors import SweepError
from nmt.sweep.ledger import Standing, Status
from nmt.sweep.plan import cost, expected_s
from nmt.sweep.pool import Pool
from nmt.sweep.runner import Runner
from nmt.sweep.space import described, words_of
from nmt.sweep.study import Study
from nmt.sweep.trials import Trial

if TYPE_CHECKING:
    from optuna.trial import Trial as Asked

log = logging.getLogger(__name__)

MakeTrial = Callable[[int, Sequence[str]], Trial]


class Proposal(NamedTuple):
    """A trial that the study asks to be run, and the words of its command line."""

    asked: Asked
    words: list[str]


class Ended(NamedTuple):
    """What became of it; `folder` is None where its launcher does not tell."""

    status: Status
    score: float | None
    folder: Path | None


Evaluate = Callable[[Sequence[Proposal]], Sequence[Ended]]


def optimize(study: Study, overrides: Sequence[Override], evaluate: Evaluate, at_once: int) -> int:
    """Ask, run and tell until `sweep.trials` trials have ended, or nothing is left to try; -> how many of these failed.

    Raises SweepError where a trial was stopped and nobody asked this process for it.
    """
    failed = 0
    while left := study.left():
        batch = study.unfinished()[:at_once]
        batch += [study.ask() for _ in range(min(at_once, left) - len(batch))]
        proposals = [Proposal(asked, words_of(overrides, asked.params)) for asked in batch]
        for proposal, ended in zip(proposals, evaluate(proposals), strict=True):
            study.tell(proposal.asked, *ended)
            failed += ended.status is Status.failed
            if ended.status is Status.interrupted:
                raise SweepError(
                    f"trial {proposal.asked.number + 1}",
                    found="that it was stopped by a signal",
                    expected="the end of its run",
                    next_step="the same command resumes it",
                )
    if study.num_told() < study.options.trials:
        log.info("each of the %d combinations of the space has been tried", study.combinations)
    best = study.best()
    if best is not None:
        values = " ".join(words_of([one for one in overrides if one.is_sweep_override()], best[1]))
        log.info("best of %d trials: %s %.4f with %s", study.num_told(), study.figure.key, best[0], values)
    return failed


def with_runner(study: Study, runner: Runner, make_trial: MakeTrial) -> Evaluate:
    """Runs proposals in processes of our own, where hopeless ones can be ended early."""

    runner.total = study.options.trials

    def evaluate(proposals: Sequence[Proposal]) -> list[Ended]:
        trials = [make_trial(proposal.asked.number, proposal.words) for proposal in proposals]
        asked = {trial.ident: proposal.asked for trial, proposal in zip(trials, proposals, strict=True)}

        def hopeless(trial: Trial) -> bool:
            return study.hopeless(asked[trial.ident], trial.folder)

        outcomes = runner.run(trials, hopeless if study.options.prune else None)
        return [Ended(outcome.status, outcome.score, outcome.trial.folder) for outcome in outcomes]

    return evaluate


def plan(study: Study, pool: Pool, standings: dict[str, Standing]) -> str:
    """What a dry run tells: the space, and the trials that are left."""
    lines = [f"{key}: {described(distribution)}" for key, distribution in study.space.items()]
    left = study.left()
    lines += ["", f"{study.num_told()} of {study.options.trials} trials are done already"]
    return "\n".join([*lines, cost([expected_s(None, standings)] * left, pool)])
