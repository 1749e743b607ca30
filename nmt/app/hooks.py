"""What a run does beside its steps: validation, log, checkpoints, the bar on the screen."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from nmt import mapped
from nmt.app.run import Run
from nmt.app.translated import Translated, translate_and_score
from nmt.checkpoint.bundle import apart
from nmt.checkpoint.parameters import param_values
from nmt.report import doctor
from nmt.report.doctor import Examined, examine
from nmt.report.heatmap import attention_png
from nmt.search.translate import Translator
from nmt.training.candidates import needed
from nmt.training.loop import Stop, perplexity
from nmt.training.state import TrainingState, Window

log = logging.getLogger(__name__)
NUM_SAMPLES = 3
EARLY = 50  # the step after which the attention is first looked at
NUM_FORCED, SHORT = 8, 30  # sentences that are then looked at, and the pieces that each has at most


class StopAskedError(Exception):
    """Within a validation: leave it."""


def score_dev(
    run: Run, translator: Translator, look_up: Callable[[int], None] = lambda _: None
) -> tuple[dict[str, float], Translated]:
    """What a validation tells of the model as it is, and the translations. `look_up` is called after each batch."""
    loss = run.loss("dev", look_up)
    scored = translate_and_score(run.corpora.dev, translator, run.scorer, 0, look_up)
    return {"loss": loss, "perplexity": perplexity(loss), **scored.figures()}, scored


class RunHooks:
    """The hooks of one run; see `nmt.training.loop.Hooks`."""

    def __init__(self, run: Run, bar: tqdm[Any]) -> None:
        self.run, self.bar = run, bar
        self.translator = run.greedy  # made now: where it lacks a file, that is told before the first step
        self.alarmed = False  # whether the log has said that the attention is degenerate
        self.traced = False  # whether the graph of a step has been built in this process

    def validate(self, state: TrainingState, stop_requested: Stop) -> dict[str, float] | None:
        def look_up(_: int) -> None:
            """After each batch: an exception lets the weights be put back on its way."""
            if stop_requested():
                raise StopAskedError

        run, dev = self.run, self.run.corpora.dev
        try:
            with run.trainer.averaged():
                figures, scored = score_dev(run, self.translator, look_up)
        except StopAskedError:
            log.info("step %d: validation left for a request to stop, to be done when the run goes on", state.step)
            return None
        samples = "\n\n".join(
            f"{dev.src[i]}  \n{dev.tgt[i]}  \n**{scored.lines[i]}**" for i in range(min(NUM_SAMPLES, len(dev)))
        )
        with run.disk():
            run.events.text("translations", samples, state.step)
            self._show_attention(scored, state.step)
        shown = [facts.figure for facts in run.config.metrics.facts]
        told = [f"{one.label} {one.told(figures[one.key])}" for one in shown]
        log.info("step %d, dev: perplexity %.2f, %s", state.step, figures["perplexity"], ", ".join(told))
        self._examine(scored.examined(), state.step)
        mapped.release_files()  # graphs of validation may have been built
        return figures

    def _show_attention(self, scored: Translated, step: int) -> None:
        """The first translation that has an attention, as a picture for TensorBoard."""
        for one in scored.best:
            if one.weight_TS is not None:
                picture = attention_png(one.pieces_src, one.pieces_tgt, one.weight_TS, f"step {step}")
                self.run.events.image("attention", picture, step)
                return

    def _examine(self, examined: Examined | None, step: int) -> None:
        """Say, once, that the attention is degenerate."""
        if examined is not None and examined.degenerate and not self.alarmed:
            self.alarmed = True
            log.warning("step %d, %s", step, doctor.told(examined.as_json()))

    def event(self, event: dict[str, object]) -> None:
        self.run.event(event)

    def progress(self, state: TrainingState, window: Window) -> None:
        with self.run.disk():
            self.run.store.check()
        self.bar.set_postfix(
            {"loss": f"{window.mean_loss:.3f}", "tokens/s": f"{window.tokens_per_second:,.0f}"}, refresh=False
        )
        self.bar.update(state.step - self.bar.n)
        if state.step == EARLY:
            self._examine(self._early(), state.step)
        if not self.traced:
            self.traced = True
            mapped.release_files()

    def _early(self) -> Examined | None:
        """Of the attention while a few sentences of the dev set are forced: validation may be hours away."""
        dev, model = self.run.encoded["dev"], self.run.trainer.model
        row_B = np.flatnonzero((dev.lengths_src <= SHORT) & (dev.lengths_tgt <= SHORT))[:NUM_FORCED]
        if not len(row_B):
            return None
        source_BS, target_BT = dev.src.padded(row_B), dev.tgt.padded(row_B)
        weight_BTS = model.attention(tf.constant(source_BS), tf.constant(target_BT)).numpy()
        sizes = zip(weight_BTS, dev.lengths_tgt[row_B], dev.lengths_src[row_B], strict=True)
        return examine(weight_TS[:num_tgt, :num_src] for weight_TS, num_tgt, num_src in sizes)

    def save(self, state: TrainingState, best: bool) -> None:
        run = self.run
        parameters, slots = apart(param_values(run.trainer))
        extras = replace(run.bundle, state=state.to_json()).extras()
        with run.disk():
            run.store.save(state.step, parameters, {**extras, **slots}, best, needed(state, run.config.train))
