"""A run of several machines: who does what beside the steps, and whether all train the same thing."""

from __future__ import annotations

import logging
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace

from nmt.app.hooks import RunHooks
from nmt.config.root import Config
from nmt.config.train import Device
from nmt.data.batches import TrainingBatches
from nmt.data.subwords import Vocabularies
from nmt.errors import WorkerLostError
from nmt.plumbing.signals import StopRequest, overdue
from nmt.training.loop import Event, Hooks, Stop, train
from nmt.training.replicas import Replicas
from nmt.training.state import TrainingState, Window
from nmt.training.step import Trainer

log = logging.getLogger(__name__)
OTHERS_SIGNAL = 143  # exit status where the signal came to another machine
SAVING_S = 60.0  # from training to the end: a worker that leaves may end the chief, which writes its checkpoint


class SharedHooks:
    """The chief's hooks, whose scores are told to all; on another worker, which has none, they are received."""

    def __init__(self, hooks: RunHooks | None, replicas: Replicas, scores: Sequence[str]) -> None:
        """`scores`: all that a validation tells, the same on every worker."""
        self.hooks, self.replicas, self.scores = hooks, replicas, scores

    def validate(self, state: TrainingState, stop_requested: Stop) -> dict[str, float] | None:
        scores = None if self.hooks is None else self.hooks.validate(state, stop_requested)
        told = {"done": 0.0} | dict.fromkeys(self.scores, 0.0) if scores is None else {"done": 1.0, **scores}
        assert told.keys() == {"done", *self.scores}, "a score that the others do not wait for would be lost"
        received = self.replicas.from_chief(None if self.hooks is None else told, ("done", *self.scores))
        return received if received.pop("done") else None

    def event(self, event: Event) -> None:
        if self.hooks is not None:
            self.hooks.event(event)

    def progress(self, state: TrainingState, window: Window) -> None:
        if self.hooks is not None:
            self.hooks.progress(state, window)

    def save(self, state: TrainingState, best: bool) -> None:
        if self.hooks is not None:
            self.hooks.save(state, best)


def told_scores(config: Config) -> list[str]:
    """What each validation of a run tells, as events name it."""
    return ["loss", "perplexity", *(facts.figure.key for facts in config.metrics.facts)]


def shared(hooks: RunHooks, replicas: Replicas, scores: Sequence[str]) -> Hooks:
    """A run's hooks, for one machine or several."""
    return hooks if replicas.num_workers == 1 else SharedHooks(hooks, replicas, scores)


def agree(config: Config, vocabularies: Vocabularies, corpus: str, trainer: Trainer, state: TrainingState) -> None:
    """Raises DeviceError, on every worker, where not all train the same thing. `corpus`: a hexadecimal digest."""
    if trainer.replicas.num_workers == 1:
        return
    own = replace(config.train, device=Device.auto, threads=0, worker_wait_s=1, init_from=None)
    settings = [*(asdict(part) for part in (config.model, config.subword, own)), config.metrics.report]
    weights = 0
    for weight in trainer.weights:
        weights = zlib.crc32(weight.numpy().tobytes(), weights)
    trainer.replicas.agree(
        {
            "configuration": zlib.crc32(repr((config.seed, settings)).encode()),
            "text": int(corpus[:8], 16),
            "vocabulary": zlib.crc32(vocabularies.src.to_bytes() + vocabularies.tgt.to_bytes()),
            "step to begin at": state.step,
            "weights to begin with": weights,
        }
    )


@contextmanager
def hurried(replicas: Replicas) -> Iterator[threading.Event]:
    """Within this context a signal that has not ended it in time ends what waits for other workers.

    The event is to be set once the steps are done: the wait that is left is for the chief's checkpoint.
    """
    trained, ended = threading.Event(), threading.Event()

    def act(number: int) -> None:
        if not trained.is_set() or not ended.wait(SAVING_S):
            replicas.hurry(number)

    with overdue(act):
        try:
            yield trained
        finally:
            ended.set()


def stopped_by(request: StopRequest, replicas: Replicas) -> int:
    """Exit status for a request to stop that came to any worker; 0: there was none."""
    try:
        asked = replicas.any(request.made())
    except WorkerLostError:
        if not request.made():
            raise
        asked = True  # the others learn of it once this worker is gone
    return request.exit_status or (OTHERS_SIGNAL if asked else 0)


def work_along(config: Config, trainer: Trainer, batches: TrainingBatches, state: TrainingState) -> int:
    """The whole run on a worker that is not the chief: steps alone. -> exit status."""
    replicas = trainer.replicas
    with StopRequest() as request, hurried(replicas) as trained:
        hooks = SharedHooks(None, replicas, told_scores(config))
        state = train(trainer, batches, config.train, state, hooks, request.made, steps_done=trained.set)
        status = stopped_by(request, replicas)
    log.info("worker done at step %d; scores and checkpoints are the chief's", state.step)
    leave(replicas, status)
    return status


def leave(replicas: Replicas, status: int) -> None:
    """Wait until the chief has scored: where one worker leaves, TensorFlow may end the others."""
    if not status:
        replicas.any(False)
