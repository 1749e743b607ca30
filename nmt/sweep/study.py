"""An Optuna study kept in `study.journal` of a sweep folder: asked for trials, told what they scored.

What is proposed depends on the seed, the number of the trial and the trials told before it, on nothing else. So a
study whose launcher was killed goes on as if it had not been: Optuna's own samplers would begin their chance anew.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from nmt.config.sweep import Sampler, SweepConfig
from nmt.config.train import StopMetric
from nmt.errors import NmtError, SweepError
from nmt.report.events import read_events
from nmt.sweep.ledger import Status
from nmt.sweep.scores import METRICS
from nmt.sweep.space import Value

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import Trial as Asked

JOURNAL = "study.journal"
NAME = "sweep"


class Study:
    """To be opened while the ledger of the folder is held: then no other process writes the journal."""

    def __init__(
        self, folder: Path, options: SweepConfig, metric: StopMetric, space: Mapping[str, BaseDistribution]
    ) -> None:
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.options, self.metric, self.space = options, metric, dict(space)
        self._forgiven = 0
        self._sizes: dict[Path, int] = {}
        path = folder / JOURNAL
        repair(path)
        direction: Literal["maximize", "minimize"] = "maximize" if metric.sign > 0 else "minimize"
        self._study = optuna.create_study(
            storage=JournalStorage(JournalFileBackend(str(path))),
            study_name=NAME,
            direction=direction,
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(
                n_startup_trials=options.prune_after, n_warmup_steps=options.prune_after_steps
            ),
        )
        if self._study.direction.name.lower() != direction:
            raise SweepError(
                str(path),
                found=f"a study that is to {self._study.direction.name.lower()} its score",
                expected=f"one to {direction} {metric.value}",
                next_step="choose another folder with hydra.sweep.dir=FOLDER",
            )

    def begin(self, start: Mapping[str, Value]) -> None:
        """Of a new study: the first trial is `start`, what that leaves open is proposed."""
        if start and not self._study.get_trials(deepcopy=False):
            self._study.enqueue_trial(dict(start))

    def retry_failed(self) -> None:
        """Failed trials count no more, and are proposed again."""
        from optuna.trial import TrialState

        trials = self._study.get_trials(deepcopy=False)
        done = [trial.params for trial in trials if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)]
        failed = [trial for trial in trials if trial.state is TrialState.FAIL]
        self._forgiven = len(failed)
        for trial in failed:
            if trial.params not in done:
                done.append(trial.params)
                self._study.enqueue_trial(trial.params)

    def num_told(self) -> int:
        """Trials that have ended."""
        trials = self._study.get_trials(deepcopy=False)
        return sum(trial.state.is_finished() for trial in trials) - self._forgiven

    def unfinished(self) -> list[Asked]:
        """Trials that were asked for and never told of: their launcher was killed."""
        from optuna.trial import Trial, TrialState

        running = self._study.get_trials(deepcopy=False, states=[TrialState.RUNNING])
        return [Trial(self._study, trial._trial_id) for trial in running]

    def ask(self) -> Asked:
        """The next trial, in the state that a kill before its end leaves it in."""
        self._study.sampler = self._sampler(len(self._study.get_trials(deepcopy=False)))
        return self._study.ask(self.space)

    def _sampler(self, number: int) -> BaseSampler:
        from optuna.samplers import RandomSampler, TPESampler

        seed = self.options.seed * 1_000_003 + number
        if self.options.sampler is Sampler.random:
            return RandomSampler(seed=seed)
        return TPESampler(seed=seed, n_startup_trials=self.options.startup)

    def hopeless(self, asked: Asked, folder: Path) -> bool:
        """Whether the trial, by what its run has logged so far, is behind the median of the others at its step."""
        return self._report(asked, folder) and asked.should_prune()

    def tell(self, asked: Asked, status: Status, score: float | None, folder: Path | None) -> None:
        """How the trial ended. One that was interrupted stays open, for the next launcher."""
        from optuna.trial import TrialState

        if folder is not None:
            asked.set_user_attr("folder", folder.name)
            self._report(asked, folder)
        if status is Status.finished and score is not None:
            self._study.tell(asked, score)
        elif status is Status.pruned:
            self._study.tell(asked, state=TrialState.PRUNED)
        elif status is not Status.interrupted:
            self._study.tell(asked, state=TrialState.FAIL)

    def _report(self, asked: Asked, folder: Path) -> bool:
        """Hand the validations of the run's log on to the study; -> whether there is news."""
        log = folder / METRICS
        size = log.stat().st_size if log.exists() else 0
        if size == self._sizes.get(folder, 0):
            return False
        self._sizes[folder] = size
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of steps that were reported before
            for step, score in validations(folder, self.metric).items():
                asked.report(score, step)
        return True

    def best(self) -> tuple[float, dict[str, Value]] | None:
        """Score and values of the best trial; None where none has finished."""
        from optuna.trial import TrialState

        if not self._study.get_trials(deepcopy=False, states=[TrialState.COMPLETE]):
            return None
        trial = self._study.best_trial
        assert trial.value is not None
        return trial.value, trial.params


def validations(folder: Path, metric: StopMetric) -> dict[int, float]:
    """Step -> score of the dev set, of a run under way or ended."""
    try:
        events = read_events(folder / METRICS)
    except NmtError:  # it has not begun to log
        return {}
    scores = {event["step"]: event[metric.value] for event in events if event["event"] == "validate"}
    return {step: math.nan if score is None else score for step, score in scores.items()}


def repair(path: Path) -> None:
    """After a kill: take off a line that was being written, and a lock that nobody holds."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with path.open("r+b") as file:
            file.truncate(whole)
    path.with_name(path.name + ".lock").unlink(missing_ok=True)
