"""Stand-ins for the model, the batches and what a run does beside training."""

from __future__ import annotations

import numpy as np

from nmt.config.train import EarlyStoppingConfig, Schedule, TrainConfig
from nmt.data.batches import Batch
from nmt.training.loop import train
from nmt.training.replicas import Replicas
from nmt.training.state import TrainingState
from nmt.training.step import StepResult

TOKENS = 5


class FakeTrainer:
    """Notes each step; the loss is the number of the step."""

    replicas = Replicas()

    def __init__(self, not_finite_at: int = 0, overflows_at: int = 0) -> None:
        self.steps: list[tuple[int, int, float]] = []  # number, first source id of the batch, learning rate
        self.not_finite_at, self.overflows_at = not_finite_at, overflows_at

    def step(self, source_BS, target_BT, learning_rate, number) -> StepResult:
        number = int(number)
        self.steps.append((number, int(source_BS[0, 0]), round(float(learning_rate), 6)))
        over = number == self.overflows_at
        fine = number != self.not_finite_at and not over
        loss, norm = (float(number), 1.0) if fine else (np.nan, np.inf)
        return StepResult(loss, 2.0 * TOKENS, TOKENS, norm, fine, over)


class FakeBatches:
    """`sizes[epoch]` batches an epoch (the last size for all further ones), whose ids tell epoch and place."""

    def __init__(self, *sizes: int) -> None:
        self.sizes = sizes

    def num_batches(self, epoch: int) -> int:
        return self.sizes[min(epoch, len(self.sizes) - 1)]

    def batches(self, epoch: int, start: int = 0):
        for place in range(start, self.num_batches(epoch)):
            ids = np.array([[100 * epoch + place]], np.int32)
            yield Batch(ids, ids, np.array([0]))


class FakeHooks:
    """Writes everything down in order; dev losses are handed out one after the other."""

    def __init__(self, losses=(), **actions) -> None:
        self.told: list[str] = []
        self.events: list[dict[str, object]] = []
        self.saved: list[TrainingState] = []
        self.windows: list[tuple[int, int]] = []
        self.losses, self.actions = list(losses), actions

    def validate(self, state, stop_requested):
        self.told.append(f"validate {state.step}")
        self.actions.get("validate", lambda: None)()
        if stop_requested():
            return None
        return {"loss": self.losses.pop(0) if self.losses else 1.0, "bleu": float(state.step)}

    def event(self, event):
        self.told.append(f"{event['event']} event {event['step']}")
        self.events.append(event)

    def progress(self, state, window):
        self.told.append(f"step {state.step}")
        self.windows.append((window.steps, window.tokens))

    def save(self, state, best):
        self.told.append(f"save {state.step}{' best' if best else ''}")
        self.saved.append(state)
        self.actions.get("save", lambda: None)()


def config(**options) -> TrainConfig:
    patience = options.pop("patience", 0)
    often = {"log_every": 100, "validate_every": 100, "save_every": 100}
    plain = {"max_steps": 6, "warmup_steps": 0, "schedule": Schedule.constant, "learning_rate": 0.5, **often}
    stopping = EarlyStoppingConfig(metric="loss", patience=patience)
    return TrainConfig(**{**plain, "early_stopping": stopping, **options})


def run(trainer=None, batches=None, state=None, hooks=None, stop=lambda: False, num_gpus=0, **options):
    """-> final state, trainer, hooks."""
    trainer, hooks = trainer or FakeTrainer(), hooks or FakeHooks()
    state = state or TrainingState()
    final = train(trainer, batches or FakeBatches(4), config(**options), state, hooks, stop, num_gpus)
    return final, trainer, hooks
