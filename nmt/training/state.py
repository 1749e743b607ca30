"""How far a run has come: everything that is not a weight or an optimiser slot."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from nmt.config.train import TrainConfig
from nmt.errors import CheckpointError
from nmt.plumbing.records import parsed, record_of


@dataclass(frozen=True)
class Window:
    """Sums since the last train event; validations and checkpoints on the way do not count as time."""

    loss: float = 0.0
    nll: float = 0.0
    steps: int = 0
    tokens: int = 0
    overflowed: int = 0  # steps left out, whose loss is not among the sums
    waited_s: float = 0.0  # for batches
    seconds: float = 0.0

    @property
    def mean_loss(self) -> float:
        return self.loss / max(1, self.steps)

    @property
    def tokens_per_second(self) -> float:
        return self.tokens / max(1e-9, self.seconds)


@dataclass(frozen=True)
class TrainingState:
    """A value: each step and each validation makes a new one. It is saved whole, as JSON."""

    step: int = 0  # steps taken
    epoch: int = 0  # epochs finished
    cursor: int = 0  # batches taken of the epoch under way
    seconds: float = 0.0  # spent in training, over all restarts
    gpu_seconds: float = 0.0  # the same for each GPU that was used, summed
    usd: float | None = None  # price of the seconds; None where none was ever known
    target_tokens: int = 0  # real target words trained on
    best_score: float | None = None  # of train.early_stopping.metric, as it is (not negated)
    best_step: int = 0
    validations_without_gain: int = 0
    plateau_loss: float | None = None  # lowest dev loss of the plateau schedule
    plateau_waited: int = 0
    plateau_reductions: int = 0
    history: tuple[dict[str, float], ...] = field(default=())  # one entry a validation
    window: Window = field(default_factory=Window)  # what the next train event has to tell already
    events: int | None = 0  # lines of the log that belong to this state; None where an older version did not count
    validation_due: bool = False  # a request to stop came before the validation of this step had ended

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str, file: str = "the checkpoint") -> TrainingState:
        """Fields that an older version did not write have their defaults.

        Raises CheckpointError, naming `file`, for text that no version up to this one wrote.
        """
        try:
            told = {"events": None, "window": {}, **_object(parsed(text))}
            if strange := told.keys() - {part.name for part in fields(TrainingState)}:
                raise ValueError(f"an unknown {min(strange)}")
            window = record_of(Window, told["window"], finite=False)
            state = record_of(TrainingState, {**told, "window": asdict(window)}, finite=False)
        except ValueError as error:
            raise CheckpointError(
                file,
                found=f"something else at <state> ({error})",
                expected="the state of a run, as this version or an older one writes it",
                next_step="use the file that the run wrote, with the version that wrote it or a later one",
            ) from error
        return replace(state, history=tuple(state.history), window=window)

    def after_time(self, seconds: float, num_gpus: int, usd_per_hour: float | None) -> TrainingState:
        """So many seconds later, of which the price is known or not."""
        usd = self.usd if usd_per_hour is None else (self.usd or 0.0) + seconds / 3600 * usd_per_hour
        return replace(self, seconds=self.seconds + seconds, gpu_seconds=self.gpu_seconds + seconds * num_gpus, usd=usd)

    def spent(self) -> dict[str, object]:
        """As events tell it: `seconds`, and `usd` where a price is known."""
        usd = {} if self.usd is None else {"usd": round(self.usd, 6)}
        return {"seconds": round(self.seconds, 3), **usd}

    def after_step(self, num_batches: int, num_tokens: int) -> TrainingState:
        """One more batch of an epoch of `num_batches`."""
        done = self.cursor + 1 == num_batches
        return replace(
            self,
            step=self.step + 1,
            epoch=self.epoch + done,
            cursor=0 if done else self.cursor + 1,
            target_tokens=self.target_tokens + num_tokens,
        )

    def after_validation(self, scores: dict[str, float], config: TrainConfig) -> TrainingState:
        """Scores of the dev set, by name; decides what is best, and when the plateau schedule lowers the rate.

        Of equal scores the one with the lower dev loss is best, so that a score which never moves (0.00 at every
        validation) does not keep the first. For `patience` a tie is no gain.
        """
        stopping = config.early_stopping
        score, sign = scores[stopping.metric], stopping.figure.sign
        gained = self.best_score is None or sign * (score - self.best_score) > stopping.min_delta
        new = replace(self, history=(*self.history, {"step": self.step, **scores}))
        if gained:
            new = replace(new, best_score=score, best_step=self.step, validations_without_gain=0)
        else:
            new = replace(new, validations_without_gain=self.validations_without_gain + 1)
            if score == self.best_score and scores["loss"] < self.best_loss():
                new = replace(new, best_step=self.step)
        return new._after_dev_loss(scores["loss"], config)

    def _after_dev_loss(self, loss: float, config: TrainConfig) -> TrainingState:
        if self.plateau_loss is None or loss < self.plateau_loss:
            return replace(self, plateau_loss=loss, plateau_waited=0)
        if self.plateau_waited + 1 < config.plateau_patience:
            return replace(self, plateau_waited=self.plateau_waited + 1)
        return replace(self, plateau_waited=0, plateau_reductions=self.plateau_reductions + 1)

    def best_loss(self) -> float:
        """Dev loss of the best validation so far; infinite before the first."""
        return next((entry["loss"] for entry in self.history if entry["step"] == self.best_step), float("inf"))

    def is_best(self) -> bool:
        """Whether the validation just taken in is the best so far."""
        return bool(self.history) and self.best_step == self.step


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("no object")
    return value
