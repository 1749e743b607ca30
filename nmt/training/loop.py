"""The loop over steps. What happens beside a step (validation, logging, saving) is carried in by hooks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from typing import Protocol

import numpy as np
import tensorflow as tf

from nmt.config.train import TrainConfig
from nmt.data.batches import Batch, TrainingBatches
from nmt.data.prefetch import Prefetcher
from nmt.errors import TrainingError, WorkerLostError
from nmt.training.schedule import learning_rate
from nmt.training.state import TrainingState, Window
from nmt.training.step import StepResult, Trainer

Event = dict[str, object]
Stop = Callable[[], bool]  # whether a request to stop has come
PREFETCHED = 8  # batches that wait ready


class Hooks(Protocol):
    """What a run does beside training."""

    def validate(self, state: TrainingState, stop_requested: Stop) -> dict[str, float] | None:
        """Scores of the dev set by name: loss, perplexity, and those of metrics.report. None: left for a request."""

    def event(self, event: Event) -> None:
        """One line of the log of metrics."""

    def progress(self, state: TrainingState, window: Window) -> None:
        """Called after every step."""

    def save(self, state: TrainingState, best: bool) -> None:
        """Keep the run as it is now; `best`: the validation just done was the best so far."""


def train(
    trainer: Trainer,
    batches: TrainingBatches,
    config: TrainConfig,
    state: TrainingState,
    hooks: Hooks,
    stop_requested: Stop,
    num_gpus: int = 0,
    steps_done: Callable[[], None] = lambda: None,
) -> TrainingState:
    """Train from `state` until a limit, early stopping or a request to stop; saves before it returns.

    A request is heeded after each step and within a validation, which is then done again when the run goes on.
    `num_gpus` are at work: their seconds are counted. Of several workers each calls this, with hooks of its own, and
    what ends one's run ends that of all after the same step. `steps_done` is called before the last save: from then on
    nothing waits for other workers.

    Raises TrainingError at the first step whose loss or gradient is not finite: the weights are then still those
    before it, and they are not saved, since the last checkpoint may be the better place to start from. Raises
    WorkerLostError, after saving, where another worker is gone and nobody has asked to stop.
    """
    run = _Run(trainer, config, state, hooks, stop_requested, num_gpus)
    try:
        run.whole(batches)
    except WorkerLostError:
        steps_done()
        run.stop()
        if not stop_requested():
            raise
        return run.state
    steps_done()
    run.stop()
    return run.state


class _Run:
    """One call of `train`: the state so far, and the clock."""

    def __init__(
        self,
        trainer: Trainer,
        config: TrainConfig,
        state: TrainingState,
        hooks: Hooks,
        stop_requested: Stop,
        num_gpus: int,
    ) -> None:
        self.trainer, self.config, self.hooks = trainer, config, hooks
        self.stop_requested, self.num_gpus = stop_requested, num_gpus
        self.state = replace(state, validation_due=False)
        self.saved = state  # what the newest checkpoint holds
        self.num_batches = 0
        self.counted = self.since = time.perf_counter()  # until when the state's seconds, and the window's, are counted

    def finished(self) -> bool:
        stopping = self.config.early_stopping
        hours, most_usd = self.config.max_hours, self.config.max_usd
        return (
            self.state.step >= self.config.max_steps
            or (hours is not None and self.state.seconds >= hours * 3600)
            or (most_usd is not None and (self.state.usd or 0.0) >= most_usd)
            or (0 < stopping.patience <= self.state.validations_without_gain)
        )

    def over(self) -> bool:
        return self.for_all(self.state.validation_due or self.finished() or self.stop_requested())

    def for_all(self, flag: bool) -> bool:
        """`flag`, or that of any worker: clocks and signals are each one's own, and all leave together."""
        return self.trainer.replicas.any(flag)

    def whole(self, batches: TrainingBatches) -> None:
        """Epoch after epoch, until the run ends."""
        if self.saved.validation_due:
            self.begin_epoch(batches)
            self.validate_and_save(self.for_all(self.finished()))
        while True:
            self.begin_epoch(batches)
            if self.over():
                return
            with closing(Prefetcher(batches.batches(self.state.epoch, self.state.cursor), PREFETCHED)) as stream:
                self.through(stream)

    def begin_epoch(self, batches: TrainingBatches) -> None:
        """Or go on with one: a run resumed with larger batches may have had all of them, then the next one begins."""
        if self.state.cursor >= batches.num_batches(self.state.epoch):
            self.state = replace(self.state, epoch=self.state.epoch + 1, cursor=0)
        self.num_batches = batches.num_batches(self.state.epoch)
        assert self.num_batches > 0, "an epoch without batches never ends"

    def through(self, stream: Iterator[Batch]) -> None:
        """The rest of one epoch, unless the run ends before."""
        while not self.over():
            asked = time.perf_counter()
            batch = next(stream, None)
            if batch is None:
                assert self.state.cursor == 0, "an epoch ended before its last batch"
                return
            self.one(batch, time.perf_counter() - asked)

    def one(self, batch: Batch, waited_s: float) -> None:
        number, config = self.state.step + 1, self.config
        rate = learning_rate(config, number, self.state.plateau_reductions)
        arguments = tf.constant(batch.source_BS), tf.constant(batch.target_BT), tf.constant(rate, tf.float32)
        with self.trainer.replicas.together():
            result = self.trainer.step(*arguments, tf.constant(number, tf.int64))
        if not bool(result.applied) and not bool(result.overflowed):
            raise TrainingError(
                f"step {number}",
                found=f"loss {float(result.loss):g} and gradient norm {float(result.gradient_norm):g}",
                expected="finite numbers",
                next_step="the weights were left as before it; lower train.learning_rate or train.clip_norm",
            )
        state = self.timed(self.state.after_step(self.num_batches, int(result.num_tokens)))
        now = time.perf_counter()
        self.state = replace(state, window=_longer(state.window, result, waited_s, now - self.since))
        self.hooks.progress(self.state, self.state.window)
        self.beside(rate)
        self.since = time.perf_counter()  # what was done beside the step is no part of the training speed

    def timed(self, state: TrainingState) -> TrainingState:
        now = time.perf_counter()
        passed, self.counted = now - self.counted, now
        return state.after_time(passed, self.num_gpus, self.config.usd_per_hour)

    def beside(self, rate: float) -> None:
        """What is due after this step: an event, a validation, a checkpoint."""
        step, config = self.state.step, self.config
        by_clock = config.max_hours is not None or config.max_usd is not None
        try:
            last = self.for_all(self.finished()) if by_clock else self.finished()
        except WorkerLostError:
            self.state = replace(self.state, validation_due=step % config.validate_every == 0)
            raise
        if step % config.log_every == 0 or last:
            self.log(rate)
        if step % config.validate_every == 0 or last:
            self.validate_and_save(last)
        elif step % config.save_every == 0:
            self.save(best=False)

    def validate_and_save(self, last: bool) -> None:
        """`last`: the run has come to its end."""
        try:
            scores = self.hooks.validate(self.state, self.stop_requested)
        except WorkerLostError:
            self.state = replace(self.state, validation_due=True)
            raise
        if scores is None:
            self.state = self.timed(replace(self.state, validation_due=True))
            return
        self.state = self.timed(self.state.after_validation(scores, self.config))
        self.event("validate", scores)
        best = self.state.is_best()
        if best or last or self.state.step % self.config.save_every == 0 or self.config.final_average:
            self.save(best)

    def save(self, best: bool) -> None:
        self.event("save")
        self.saved = self.state
        self.hooks.save(self.state, best)

    def stop(self) -> None:
        """The end: what a request to stop left unsaved is saved.

        Without the request nothing would have been saved here, so when the run goes on its log begins before this.
        """
        if self.saved.step != self.state.step or self.state.validation_due:
            self.hooks.event(self.describe("save"))
            self.saved = self.state
            self.hooks.save(self.state, best=False)
        self.hooks.event(self.describe("end"))

    def log(self, rate: float) -> None:
        window = self.state.window
        more = {
            "loss": window.mean_loss,
            "nll": window.nll / max(1, window.tokens),
            "learning_rate": rate,
            "target_tokens": self.state.target_tokens,
            "tokens_per_second": window.tokens_per_second,
            "waited_share": window.waited_s / max(1e-9, window.seconds),
            **({"overflowed": window.overflowed} if window.overflowed else {}),
        }
        self.event("train", more)
        self.state = replace(self.state, window=Window())

    def event(self, name: str, more: Mapping[str, object] | None = None) -> None:
        """A line of the log, which the state counts."""
        self.hooks.event({**self.describe(name), **(more or {})})
        events = self.state.events
        self.state = replace(self.state, events=None if events is None else events + 1)

    def describe(self, event: str) -> Event:
        state = self.state
        epoch = round(state.epoch + state.cursor / self.num_batches, 4)
        return {"event": event, "step": state.step, "epoch": epoch, **state.spent()}


def _longer(window: Window, result: StepResult, waited_s: float, seconds: float) -> Window:
    """The window with one more step."""
    window = replace(window, waited_s=window.waited_s + waited_s, seconds=window.seconds + seconds)
    if bool(result.overflowed):
        return replace(window, overflowed=window.overflowed + 1)
    return replace(
        window,
        loss=window.loss + float(result.loss),
        nll=window.nll + float(result.nll),
        steps=window.steps + 1,
        tokens=window.tokens + int(result.num_tokens),
    )


def perplexity(loss: float) -> float:
    """exp of a loss in nats a word; infinite where that overflows."""
    with np.errstate(over="ignore"):
        return float(np.exp(loss))
