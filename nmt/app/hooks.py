"""What a run does beside its steps: validation, log, checkpoints, the bar on the screen."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import tensorflow as tf
from tqdm import tqdm

from nmt import mapped
from nmt.app.bundle import pack, search_model
from nmt.app.scoring import Scored, score
from nmt.app.vectors import vectors_to_extras
from nmt.checkpoint.parameters import param_values
from nmt.checkpoint.store import CheckpointStore
from nmt.config.root import Config
from nmt.config.train import OnDiskError
from nmt.data.batches import evaluation_batches
from nmt.data.encode import encode_corpus
from nmt.data.subwords import Vocabularies
from nmt.data.text import ParallelText
from nmt.errors import CheckpointError, DataError
from nmt.metrics.wmd import WordMover
from nmt.report.events import EventLog
from nmt.report.heatmap import attention_png
from nmt.search.translate import Translator
from nmt.training.loop import Stop, perplexity
from nmt.training.state import TrainingState, Window
from nmt.training.step import Trainer

log = logging.getLogger(__name__)
NUM_SAMPLES = 3
LookUp = Callable[[int], None]  # called after each batch with how much is done


class StopAskedError(Exception):
    """Within a validation: leave it."""


class RunHooks:
    """The hooks of one run; see `nmt.training.loop.Hooks`. Validation translates greedily: it is frequent."""

    def __init__(
        self,
        config: Config,
        trainer: Trainer,
        vocabularies: Vocabularies,
        dev: ParallelText,
        mover: WordMover,
        events: EventLog,
        store: CheckpointStore,
        bar: tqdm[Any],
        about: Mapping[str, str],
    ) -> None:
        self.config, self.trainer, self.vocabularies, self.dev = config, trainer, vocabularies, dev
        self.mover, self.events, self.store, self.bar = mover, events, store, bar
        self.about = about  # what every checkpoint says of where it comes from
        self.encoded = encode_corpus(dev.src, dev.tgt, vocabularies, name="the dev set")
        greedy = replace(config.search, beam=1, nbest=1)
        self.translator = Translator(search_model(config, trainer.model), vocabularies, greedy)
        self.traced = False  # whether the graph of a step has been built in this process

    def loss(self, text: ParallelText, look_up: LookUp = lambda _: None) -> float:
        """Mean negative log-likelihood, nats a target piece, under the model as it is."""
        encoded = self.encoded if text is self.dev else encode_corpus(text.src, text.tgt, self.vocabularies)
        total, tokens = 0.0, 0
        for batch in evaluation_batches(encoded, self.config.search.batch_tokens):
            nll, count = self.trainer.validate(tf.constant(batch.source_BS), tf.constant(batch.target_BT))
            total, tokens = total + float(nll), tokens + int(count)
            look_up(tokens)
        return total / tokens

    def validate(self, state: TrainingState, stop_requested: Stop) -> dict[str, float] | None:
        def look_up(_: int) -> None:
            """After each batch: an exception lets the weights be put back on its way."""
            if stop_requested():
                raise StopAskedError

        try:
            with self.trainer.averaged():
                loss = self.loss(self.dev, look_up)
                scored = score(self.dev, self.translator, self.mover, self.config.metrics, 0, look_up)
        except StopAskedError:
            log.info("step %d: validation left for a request to stop, to be done when the run goes on", state.step)
            return None
        figures = {"loss": loss, "perplexity": perplexity(loss), **scored.figures()}
        samples = "\n\n".join(
            f"{self.dev.src[i]}  \n{self.dev.tgt[i]}  \n**{scored.lines[i]}**"
            for i in range(min(NUM_SAMPLES, len(self.dev)))
        )
        with self.disk():
            self.events.text("translations", samples, state.step)
            self._show_attention(scored, state.step)
        told = f"perplexity {figures['perplexity']:.2f}, BLEU {figures['bleu']:.2f}, chrF {figures['chrf']:.2f}"
        log.info("step %d, dev: %s, WMD similarity %.4f", state.step, told, figures["wmd_similarity"])
        mapped.release_files()  # graphs of validation may have been built
        return figures

    def _show_attention(self, scored: Scored, step: int) -> None:
        """The first translation that has an attention, as a picture for TensorBoard."""
        for one in scored.best:
            if one.weight_TS is not None:
                picture = attention_png(one.pieces_src, one.pieces_tgt, one.weight_TS, f"step {step}")
                self.events.image("attention", picture, step)
                return

    @contextmanager
    def disk(self) -> Iterator[None]:
        """What the disk refuses in here ends the run or is only told, as `train.on_disk_error` says."""
        try:
            yield
        except (CheckpointError, DataError) as error:
            if self.config.train.on_disk_error is OnDiskError.stop:
                raise
            log.warning("%s Training goes on, since train.on_disk_error=go_on.", error)

    def event(self, event: dict[str, object]) -> None:
        with self.disk():
            self.events.write(event)

    def progress(self, state: TrainingState, window: Window) -> None:
        with self.disk():
            self.store.check()
        self.bar.set_postfix(
            {"loss": f"{window.mean_loss:.3f}", "tokens/s": f"{window.tokens_per_second:,.0f}"}, refresh=False
        )
        self.bar.update(state.step - self.bar.n)
        if not self.traced:
            self.traced = True
            mapped.release_files()

    def save(self, state: TrainingState, best: bool) -> None:
        extras = pack(self.config, self.vocabularies, self.trainer, state)
        extras.update(self.about)
        extras.update(vectors_to_extras(self.mover.vectors, self.config.metrics.wmd))
        with self.disk():
            self.store.save(state.step, param_values(self.trainer.model), extras, best)
