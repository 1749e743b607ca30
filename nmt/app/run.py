"""A training run as one value: what it reads, what it trains, and where it writes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import tensorflow as tf

from nmt.app.models import search_model
from nmt.checkpoint.bundle import Bundle
from nmt.checkpoint.store import CheckpointStore
from nmt.config.root import Config
from nmt.config.train import OnDiskError
from nmt.data.batches import evaluation_batches
from nmt.data.corpora import Corpora
from nmt.data.encode import EncodedCorpus
from nmt.data.subwords import Vocabularies
from nmt.errors import CheckpointError, DataError
from nmt.metrics.metric import Scorer
from nmt.report.events import EventLog
from nmt.search.translate import Translator
from nmt.training.step import Trainer

log = logging.getLogger(__name__)
LookUp = Callable[[int], None]  # called after each batch with how much is done


@dataclass(frozen=True)
class Run:
    """One run, from its first step to its report."""

    config: Config
    folder: Path
    corpora: Corpora
    vocabularies: Vocabularies
    encoded: Mapping[str, EncodedCorpus]  # dev and test sets as pieces, by name
    trainer: Trainer
    scorer: Scorer
    store: CheckpointStore
    events: EventLog
    bundle: Bundle  # what every checkpoint of it says; a save adds how far it has come
    corpus_report: str

    @cached_property
    def greedy(self) -> Translator:
        """What validation translates with, since it is frequent; one for the whole run, whose graph is built once."""
        return Translator(search_model(self.config, self.trainer.model), self.vocabularies, self.config.search.greedy())

    def loss(self, name: str, look_up: LookUp = lambda _: None) -> float:
        """Mean negative log-likelihood of the dev or a test set, nats a target piece, under the model as it is."""
        total, tokens = 0.0, 0
        for batch in evaluation_batches(self.encoded[name], self.config.search.batch_tokens):
            nll, count = self.trainer.validate(tf.constant(batch.source_BS), tf.constant(batch.target_BT))
            total, tokens = total + float(nll), tokens + int(count)
            look_up(tokens)
        return total / tokens

    def event(self, event: dict[str, object]) -> None:
        """A line of the log."""
        with self.disk():
            self.events.write(event)

    @contextmanager
    def disk(self) -> Iterator[None]:
        """What the disk refuses in here ends the run or is only told, as `train.on_disk_error` says."""
        try:
            yield
        except (CheckpointError, DataError) as error:
            if self.config.train.on_disk_error is OnDiskError.stop:
                raise
            log.warning("%s Training goes on, since train.on_disk_error=go_on.", error)
