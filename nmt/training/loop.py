"""The loop over steps. What happens beside a step (validation, logging, saving) is carried in by hooks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import tensorflow as tf

from nmt.config.train import TrainConfig
from nmt.data.batches import Batch, TrainingBatches
from nmt.data.prefetch import Prefetcher
from nmt.errors import TrainingError
from nmt.training.schedule import learning_rate
from nmt.training.state import TrainingState
from nmt.training.step import StepResult, Trainer

Event = dict[str, object]
PREFETCHED = 8  # batches that wait ready


class Hooks(Protocol):
    """What a run does beside training."""

    def validate(self, state: TrainingState) -> dict[str, float]:
        """Scores of the dev set by name: loss, perplexity, bleu, chrf, wmd_similarity."""

    def event(self, event: Event) -> None:
        """One line of the log of metrics."""

    def progress(self, state: TrainingState, window: Window) -> None:
        """Called after every step."""

    def save(self, state: TrainingState, best: bool) -> None:
        """Keep the run as it is now; `best`: the validation just done was the best so far."""


@dataclass
class Window:
    """Sums since the last train event; validations and checkpoints on the way do not count as time."""

    loss: float = 0.0
    nll: float = 0.0
    steps: int = 0
    tokens: int = 0
    overflowed: int = 0  # steps left out, whose loss is not among the sums
    waited_s: float = 0.0
    since: float = field(default_factory=time.perf_counter)

    def add(self, result: StepResult) -> None:
        """Count a step."""
        if bool(result.overflowed):
            self.overflowed += 1
            return
        self.loss += float(result.loss)
        self.nll += float(result.nll)
        self.steps += 1
        self.tokens += int(result.num_tokens)

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.since

    @property
    def mean_loss(self) -> float:
        return self.loss / max(1, self.steps)

    @property
    def tokens_per_second(self) -> float:
        return self.tokens / max(1e-9, self.seconds)


def train(
    trainer: Trainer,
    batches: TrainingBatches,
    config: TrainConfig,
    state: TrainingState,
    hooks: Hooks,
    stop_requested: Callable[[], bool],
    num_gpus: int = 0,
) -> TrainingState:
    """Train from `state` until a limit, early stopping or a request to stop; saves before it returns.

    `num_gpus` are at work: their seconds are counted.

    Raises TrainingError at the first step whose loss or gradient is not finite: the weights are then still those
    before it, and they are not saved, since the last checkpoint may be the better place to start from.
    """
    run = _Run(trainer, config, hooks, state, num_gpus)
    while True:
        run.begin_epoch(batches)
        if run.finished() or stop_requested():
            break
        with closing(Prefetcher(batches.batches(run.state.epoch, run.state.cursor), PREFETCHED)) as stream:
            run.through(stream, stop_requested)
    if run.saved_step != run.state.step:
        run.save(best=False)
    hooks.event(run.describe("end"))
    return run.state


class _Run:
    """One call of `train`: the state so far and what is counted on the way."""

    def __init__(
        self, trainer: Trainer, config: TrainConfig, hooks: Hooks, state: TrainingState, num_gpus: int
    ) -> None:
        self.trainer, self.config, self.hooks, self.state, self.num_gpus = trainer, config, hooks, state, num_gpus
        self.window, self.saved_step, self.num_batches = Window(), state.step, 0
        self.counted = time.perf_counter()  # the state's seconds are those until then

    def finished(self) -> bool:
        stopping = self.config.early_stopping
        hours, most_usd = self.config.max_hours, self.config.max_usd
        return (
            self.state.step >= self.config.max_steps
            or (hours is not None and self.state.seconds >= hours * 3600)
            or (most_usd is not None and (self.state.usd or 0.0) >= most_usd)
            or (0 < stopping.patience <= self.state.validations_without_gain)
        )

    def begin_epoch(self, batches: TrainingBatches) -> None:
        """Or go on with one: a run resumed with larger batches may have had all of them, then the next one begins."""
        if self.state.cursor >= batches.num_batches(self.state.epoch):
            self.state = replace(self.state, epoch=self.state.epoch + 1, cursor=0)
        self.num_batches = batches.num_batches(self.state.epoch)
        assert self.num_batches > 0, "an epoch without batches never ends"

    def through(self, stream: Iterator[Batch], stop_requested: Callable[[], bool]) -> None:
        """The rest of one epoch, unless the run ends before."""
        while not self.finished() and not stop_requested():
            asked = time.perf_counter()
            batch = next(stream, None)
            if batch is None:
                assert self.state.cursor == 0, "an epoch ended before its last batch"
                return
            self.window.waited_s += time.perf_counter() - asked
            self.one(batch)

    def one(self, batch: Batch) -> None:
        number, config = self.state.step + 1, self.config
        rate = learning_rate(config, number, self.state.plateau_reductions)
        result = self.trainer.step(
            tf.constant(batch.source_BS),
            tf.constant(batch.target_BT),
            tf.constant(rate, tf.float32),
            tf.constant(number, tf.int64),
        )
        if not bool(result.applied) and not bool(result.overflowed):
            raise TrainingError(
                f"step {number}",
                found=f"loss {float(result.loss):g} and gradient norm {float(result.gradient_norm):g}",
                expected="finite numbers",
                next_step="the weights were left as before it; lower train.learning_rate or train.clip_norm",
            )
        tokens = int(result.num_tokens)
        self.window.add(result)
        self.state = self.timed(self.state.after_step(self.num_batches, tokens))
        self.hooks.progress(self.state, self.window)
        self.beside(rate)

    def timed(self, state: TrainingState) -> TrainingState:
        now = time.perf_counter()
        passed, self.counted = now - self.counted, now
        return state.after_time(passed, self.num_gpus, self.config.usd_per_hour)

    def beside(self, rate: float) -> None:
        """What is due after this step: an event, a validation, a checkpoint."""
        step, config = self.state.step, self.config
        last = self.finished()
        if step % config.log_every == 0 or last:
            self.log(rate)
        paused = time.perf_counter()
        validated = step % config.validate_every == 0 or last
        if validated:
            scores = self.hooks.validate(self.state)
            self.state = self.timed(self.state.after_validation(scores, config))
            self.hooks.event({**self.describe("validate"), **scores})
        best = validated and self.state.is_best()
        if best or last or step % config.save_every == 0:
            self.save(best)
        self.window.since += time.perf_counter() - paused  # no part of the training speed

    def save(self, best: bool) -> None:
        self.hooks.event(self.describe("save"))
        self.hooks.save(self.state, best)
        self.saved_step = self.state.step

    def log(self, rate: float) -> None:
        window = self.window
        self.hooks.event(
            {
                **self.describe("train"),
                "loss": window.mean_loss,
                "nll": window.nll / max(1, window.tokens),
                "learning_rate": rate,
                "target_tokens": self.state.target_tokens,
                "tokens_per_second": window.tokens_per_second,
                "waited_share": window.waited_s / max(1e-9, window.seconds),
                **({"overflowed": window.overflowed} if window.overflowed else {}),
            }
        )
        self.window = Window()

    def describe(self, event: str) -> Event:
        state = self.state
        epoch = round(state.epoch + state.cursor / self.num_batches, 4)
        return {"event": event, "step": state.step, "epoch": epoch, **state.spent()}


def perplexity(loss: float) -> float:
    """exp of a loss in nats a word; infinite where that overflows."""
    with np.errstate(over="ignore"):
        return float(np.exp(loss))
