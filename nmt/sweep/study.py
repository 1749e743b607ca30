"""An Optuna study kept in `study.journal` of a sweep folder: asked for trials, told what they scored.

What is proposed depends on the seed, the number of the trial and the trials told before it, on nothing else. So a
study whose launcher was killed goes on as if it had not been: Optuna's own samplers would begin their chance anew.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from nmt.config.metrics import Figure
from nmt.config.sweep import Sampler, SweepConfig
from nmt.errors import SweepError
from nmt.plumbing.records import checked, parsed
from nmt.sweep.ledger import Status
from nmt.sweep.outcome import EVENTS_FILE, validations
from nmt.sweep.space import Value, every, in_words, size_of

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.study import Study as OptunaStudy
    from optuna.trial import FrozenTrial
    from optuna.trial import Trial as Asked

JOURNAL = "study.journal"
NAME = "sweep"
METRIC = "metric"  # attribute of the study
ATTEMPTS = 50  # to propose something new, before it is taken from a list


class Study:
    """What is kept of it is written while the ledger of the folder is held: then no other process writes the journal.

    With `keep=False` nothing is written at all: for a look at what there is.
    """

    def __init__(
        self,
        folder: Path,
        options: SweepConfig,
        figure: Figure,
        space: Mapping[str, BaseDistribution],
        start: Mapping[str, Value] | None = None,
        keep: bool = True,
    ) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.options, self.figure, self.space, self.start = options, figure, dict(space), dict(start or {})
        self.combinations = size_of(space)  # None: there is no end of them
        self._again: list[dict[str, Value]] = []  # what failed and is to be tried once more
        self._forgiven = 0
        self._sizes: dict[Path, int] = {}
        self._study = self._open(folder / JOURNAL, keep)

    def _open(self, path: Path, keep: bool) -> OptunaStudy:
        import optuna
        from optuna.storages import InMemoryStorage, JournalStorage
        from optuna.storages.journal import JournalFileBackend

        if keep:
            repair(path)
        there = has_study(path)
        storage = JournalStorage(JournalFileBackend(str(path))) if keep or there else InMemoryStorage()
        pruner = optuna.pruners.MedianPruner(
            n_startup_trials=self.options.prune_after, n_warmup_steps=self.options.prune_after_steps
        )
        if there:
            study = optuna.load_study(study_name=NAME, storage=storage, pruner=pruner)
            self._refuse_another(study, path)
        else:
            direction = self.direction
            study = optuna.create_study(study_name=NAME, storage=storage, pruner=pruner, direction=direction)
        if keep and METRIC not in study.user_attrs:
            study.set_user_attr(METRIC, self.figure.key)
        return study

    @property
    def direction(self) -> Literal["maximize", "minimize"]:
        return "maximize" if self.figure.sign > 0 else "minimize"

    def _refuse_another(self, study: OptunaStudy, path: Path) -> None:
        """Raises SweepError unless the study is of this metric and of this space."""
        direction = study.direction.name.lower()
        metric = study.user_attrs.get(METRIC, self.figure.key)  # not kept by an earlier version
        if (direction, metric) != (self.direction, self.figure.key):
            found, expected = f"a study that is to {direction} {metric}", f"one to {self.direction} {self.figure.key}"
        elif (other := self._other_space(study)) is not None:
            found, expected = f"a study of another space ({in_words(other)})", in_words(self.space)
        else:
            return
        raise SweepError(
            str(path), found=found, expected=expected, next_step="choose another folder with hydra.sweep.dir=FOLDER"
        )

    def _other_space(self, study: OptunaStudy) -> dict[str, BaseDistribution] | None:
        for trial in study.get_trials(deepcopy=False):
            known = {key: self.space.get(key) for key in trial.distributions}  # one of an earlier version may lack some
            if trial.distributions != (self.space if trial.state.is_finished() else known):
                return trial.distributions
        return None

    def _trials(self, *states: str) -> list[FrozenTrial]:
        trials = self._study.get_trials(deepcopy=False)
        return [trial for trial in trials if not states or trial.state.name in states]

    def retry_failed(self) -> None:
        """Failed trials count no more, and are proposed again."""
        failed = self._trials("FAIL")
        done = [trial.params for trial in self._trials("COMPLETE", "PRUNED", "RUNNING")]
        self._forgiven = len(failed)
        for trial in failed:
            if trial.params not in [*done, *self._again]:
                self._again.append(trial.params)

    def num_told(self) -> int:
        """Trials that have ended."""
        return len(self._trials("COMPLETE", "PRUNED", "FAIL")) - self._forgiven

    def left(self) -> int:
        """Trials until there are as many as were asked for, or nothing new is left to try."""
        left = self.options.trials - self.num_told()
        if self.combinations is not None:
            tried = [trial.params for trial in self._trials()]
            untried = self.combinations - sum(params not in tried[:place] for place, params in enumerate(tried))
            left = min(left, untried + len(self._trials("RUNNING")) + len(self._again))
        return max(0, left)

    def unfinished(self) -> list[Asked]:
        """Trials that were asked for and never told of: their launcher was killed.

        One of an earlier version may lack values, which are chosen now.
        """
        found = []
        for trial in self._trials("RUNNING"):
            self._study.sampler = self._sampler(trial.number)
            asked = self._asked(trial)
            for name, distribution in self.space.items():
                asked._suggest(name, distribution)
            found.append(asked)
        return found

    def _asked(self, trial: FrozenTrial) -> Asked:
        from optuna.trial import Trial

        return Trial(self._study, trial._trial_id)

    def ask(self) -> Asked:
        """The next trial, in the state that a kill before its end leaves it in: one line of the journal, or none."""
        from optuna.trial import TrialState, create_trial

        if self._trials("WAITING"):  # of an earlier version, which wrote down what was to come
            self._study.sampler = self._sampler(self._trials("WAITING")[0].number)
            return self._study.ask(self.space)
        values = self._again.pop(0) if self._again else self._proposal()
        self._study.add_trial(create_trial(state=TrialState.RUNNING, params=values, distributions=self.space))
        return self._asked(self._trials()[-1])

    def _proposal(self) -> dict[str, Value]:
        """Values that no trial has had, as long as there are any."""
        import optuna

        number = len(self._trials())
        aside = optuna.create_study(sampler=self._sampler(number), direction=self._study.direction)
        aside.add_trials(self._study.get_trials())
        first = self.start if number == 0 else {}
        tried = [trial.params for trial in self._trials()]
        for _ in range(ATTEMPTS):
            values = {**aside.ask(self.space).params, **first}
            if values not in tried:
                return values
        return next((values for values in every(self.space) if values not in tried), values)

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
        log = folder / EVENTS_FILE
        size = log.stat().st_size if log.exists() else 0
        if size == self._sizes.get(folder, 0):
            return False
        self._sizes[folder] = size
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of steps that were reported before
            for step, score in validations(folder, self.figure).items():
                asked.report(score, step)
        return True

    def best(self) -> tuple[float, dict[str, Value]] | None:
        """Score and values of the best trial; None where none has finished."""
        if not self._trials("COMPLETE"):
            return None
        trial = self._study.best_trial
        assert trial.value is not None
        return trial.value, trial.params


def has_study(path: Path) -> bool:
    """Whether the journal holds one. Raises SweepError, with its number, for a line that Optuna cannot read."""
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    for number, line in enumerate(lines, start=1):
        try:
            checked(parsed(line), {"op_code": int}, {"op_code"})
            whole = True
        except ValueError:
            whole = False
        if not whole:
            raise SweepError(
                f"{path}, line {number}",
                found=repr(line[:40].decode("utf-8", "replace")),
                expected="an entry of an Optuna study",
                next_step="restore the file, or choose another folder with hydra.sweep.dir=FOLDER",
            )
    return bool(lines)


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
