# B batch, S source step, T target step
"""Micro-batches: how many, that their gradients are those of the undivided batch, and that nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from nmt.config.model import Cell, Decoder
from nmt.config.precision import Precision
from nmt.config.train import TrainConfig
from nmt.data.batches import TrainingBatches
from nmt.data.encode import EncodedCorpus, Ragged
from nmt.model.noise import Noise
from nmt.training import gradients
from nmt.training.gradients import batch_gradients, num_micro_batches, rows_of_part
from nmt.training.loop import train
from nmt.training.loss_scale import LossScale
from nmt.training.state import TrainingState
from nmt.training.step import Trainer
from tests.unit.model_tools import model_of, name_of, padded
from tests.unit.model_twins import configs, tiny_config

# Target words of the six: 1, 1, 1, 5, 3, 2. A mean of means of micro-batches would be another number.
SOURCES = [[4, 3, 5, 2], [6, 2], [2], [3, 3, 2], [4, 7, 6, 5, 2], [4, 2]]
TARGETS = [[2], [2], [2], [5, 4, 3, 7, 2], [3, 4, 2], [6, 2]]
RATE = tf.constant(0.01)
SPLITS = {
    "six in threes": {"batch_sentences": 6, "micro_batch_sentences": 4},
    "six one by one": {"batch_sentences": 6, "micro_batch_sentences": 1},
    "any number, of four at most": {"micro_batch_sentences": 4},
    "tokens": {"micro_batch_tokens": 12},
    "tokens, fewer than one sentence has": {"micro_batch_tokens": 1},
    "one micro-batch": {"micro_batch_tokens": 1_000},
}


@pytest.mark.parametrize(
    "options, rows, width, expected",
    [
        ({"batch_sentences": 80, "micro_batch_sentences": 50}, 80, 9, 2),
        ({"batch_sentences": 80, "micro_batch_sentences": 39}, 80, 9, 4),
        ({"batch_sentences": 80, "micro_batch_sentences": 50}, 41, 9, 2),  # the last one cut
        ({"batch_sentences": 80, "micro_batch_sentences": 50}, 40, 9, 1),
        ({"micro_batch_sentences": 50}, 81, 9, 2),
        ({"micro_batch_sentences": 50}, 101, 9, 3),
        ({"micro_batch_tokens": 100}, 81, 9, 8),  # 11 sentences of 9 fit
        ({"micro_batch_tokens": 100}, 3, 101, 3),
        ({"micro_batch_tokens": 100, "micro_batch_sentences": 5}, 81, 9, 17),
        ({"micro_batch_tokens": 100, "micro_batch_sentences": 20}, 81, 9, 8),
    ],
)
def test_how_many(options, rows, width, expected):
    assert int(num_micro_batches(TrainConfig(**options), tf.constant(rows), tf.constant(width))) == expected


@pytest.mark.parametrize("rows, count, ends", [(6, 2, [3, 6]), (5, 2, [3, 5]), (7, 3, [3, 5, 7]), (1, 2, [1, 1])])
def test_parts_are_alike_and_leave_nothing_out(rows, count, ends):
    parts = [rows_of_part(tf.constant(n), tf.constant(count), tf.constant(rows)) for n in range(count)]
    assert [(int(start), int(end)) for start, end in parts] == list(zip([0, *ends], ends, strict=False))


def found(model, sources=SOURCES, targets=TARGETS, scale=None, **options):
    noise = Noise(tf.constant(1, tf.int64), tf.constant(1, tf.int64))
    scale = scale or LossScale(Precision.float32)
    return batch_gradients(model, TrainConfig(**options), scale, padded(sources), padded(targets), noise)


def assert_same(divided, whole):
    assert_allclose(divided.loss, whole.loss, rtol=1e-6)
    assert_allclose(divided.nll, whole.nll, rtol=1e-6)
    assert int(divided.num_tokens) == int(whole.num_tokens)
    for ours, theirs in zip(divided.gradients, whole.gradients, strict=True):
        assert_allclose(ours, theirs, atol=1e-6 * np.abs(theirs).max() + 1e-8)


@pytest.fixture(scope="module")
def undivided():
    """A model, which nobody here changes, and what it gives for the undivided batch."""
    model, _ = model_of(tiny_config(), dtype=tf.float32)
    return model, found(model)


@pytest.mark.parametrize("split", SPLITS)
def test_gradients_are_those_of_the_undivided_batch(undivided, split):
    model, whole = undivided
    assert_same(found(model, **SPLITS[split]), whole)


@pytest.mark.parametrize("name", list(configs())[1::2])
def test_so_they_are_in_every_configuration(name):
    model, _ = model_of(configs()[name], dtype=tf.float32)
    assert_same(found(model, **SPLITS["any number, of four at most"]), found(model))


def test_the_last_batch_of_an_epoch_may_be_smaller(undivided):
    model, _ = undivided
    part = SOURCES[1:], TARGETS[1:]
    assert_same(found(model, *part, **SPLITS["six in threes"]), found(model, *part))


def test_gradients_are_scaled_as_the_undivided_ones_are(undivided):
    model, unscaled = undivided
    scale = LossScale(Precision.float16)  # the factor alone: the model is in float32
    divided, whole = (found(model, scale=scale, **options) for options in (SPLITS["tokens"], {}))
    assert_same(divided, whole)
    assert_allclose(divided.loss, unscaled.loss, rtol=1e-6)


# ---- within the step


RATES = ("embedding", "state", "output", "source_words", "target_words")
DROPOUTS = {f"dropout_{rate}": 0.3 for rate in RATES}


def trainer_of(precision=Precision.float32, model_options=None, **options) -> Trainer:
    model, _ = model_of(tiny_config(**(model_options or {})), dtype=tf.float32)
    model = model.computing_in(tf.as_dtype(precision.value))
    return Trainer(model, TrainConfig(precision=precision, average=0.9, **options), 1)


def values(trainer: Trainer) -> dict[str, np.ndarray]:
    return {name_of(variable): variable.numpy() for variable in trainer.variables}


def step(trainer: Trainer, number: int = 1, targets=TARGETS, graph=False):
    """As it is written, without a graph, which takes seconds to make."""
    arguments = padded(SOURCES), padded(targets), RATE, tf.constant(number, tf.int64)
    return trainer.step(*arguments) if graph else Trainer.step.python_function(trainer, *arguments)


def test_a_graph_takes_the_steps_of_the_undivided_batch():
    divided, whole = trainer_of(micro_batch_sentences=4), trainer_of()
    for number in (1, 2):
        ours, theirs = step(divided, number, graph=True), step(whole, number)
        assert_allclose(ours.loss, theirs.loss, rtol=1e-5)
        assert_allclose(ours.gradient_norm, theirs.gradient_norm, rtol=1e-5)
        assert (bool(ours.applied), int(ours.num_tokens)) == (True, 13)
    ours, theirs = values(divided), values(whole)
    assert ours.keys() == theirs.keys()
    for name in theirs:
        assert_allclose(ours[name], theirs[name], atol=1e-5, err_msg=name)


def test_a_batch_that_is_never_divided_is_computed_as_if_it_could_not_be(monkeypatch):
    """Not one operation more: the counting of words and micro-batches would be among them."""
    monkeypatch.setattr(gradients, "num_micro_batches", None)
    model, _ = model_of(tiny_config(), dtype=tf.float32)
    found(model, batch_sentences=6, micro_batch_sentences=6)
    with pytest.raises(TypeError):
        found(model, batch_sentences=6, micro_batch_sentences=5)


def test_dropout_repeats_and_differs_from_part_to_part():
    model, _ = model_of(tiny_config(**DROPOUTS), dtype=tf.float32)
    first = found(model, micro_batch_sentences=3)
    assert float(found(model, micro_batch_sentences=3).loss) == float(first.loss)
    once = found(model, SOURCES[:3], TARGETS[:3])
    twice = found(model, SOURCES[:3] * 2, TARGETS[:3] * 2, micro_batch_sentences=3)
    assert abs(float(once.loss) - float(twice.loss)) > 1e-4, "two parts alike have masks of their own"


def test_float16_with_its_loss_scale_is_near_the_undivided_step_and_leaves_out_what_overflows():
    divided = trainer_of(Precision.float16, micro_batch_sentences=2)
    ours, theirs = step(divided), step(trainer_of(Precision.float16))
    assert bool(ours.applied)
    assert_allclose(ours.loss, theirs.loss, rtol=1e-3)
    assert_allclose(ours.gradient_norm, theirs.gradient_norm, rtol=5e-3)
    divided.loss_scale.values["scale"].assign(1e30)
    before = values(divided)
    result = step(divided, 2)
    assert (bool(result.applied), bool(result.overflowed)) == (False, True)
    for name, value in values(divided).items():
        if not name.startswith("loss_scale"):
            assert_array_equal(value, before[name], err_msg=name)


@pytest.mark.parametrize("fault", ["a weight that is not finite", "no word at all"])
def test_what_is_not_finite_changes_nothing(fault):
    trainer = trainer_of(micro_batch_sentences=2)
    targets = TARGETS
    if fault == "no word at all":
        targets = [[0]] * 6
    else:
        trainer.weights[0].assign(tf.fill(trainer.weights[0].shape, np.nan))
    before = values(trainer)
    assert not bool(step(trainer, targets=targets).applied)
    for name, value in values(trainer).items():
        assert_array_equal(value, before[name], err_msg=name)


# ---- one trace for all shapes


class Silent:
    """Hooks of a run that does nothing but train; counts the graphs of the step after each of its steps."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer, self.traces = trainer, []

    def validate(self, state, stop_requested):
        self.trainer.validate(padded(SOURCES[: 1 + state.step % 3]), padded(TARGETS[: 1 + state.step % 3]))
        return {"loss": 1.0, "bleu": 0.0}

    def event(self, event):
        pass

    def progress(self, state, window):
        self.traces.append(self.trainer.step.experimental_get_tracing_count())

    def save(self, state, best):
        pass


def corpus(lengths: list[int]) -> EncodedCorpus:
    ids = [[3 + length % 4] * (length - 1) + [2] for length in lengths]
    rows = Ragged(np.array([i for row in ids for i in row], np.int32), np.cumsum([0, *lengths]))
    return EncodedCorpus(rows, rows, np.arange(len(lengths)))


@pytest.mark.parametrize("options", [{}, {"micro_batch_tokens": 10}, {"batch_sentences": 4}])
def test_two_epochs_of_batches_of_all_shapes_are_traced_once(options):
    trainer = trainer_of(model_options={"cell": Cell.lstm, "decoder": Decoder.conditional}, **options)
    lengths = [1 + n % 9 for n in range(30)]
    sizes = {"batch_tokens": 24, "batch_sentences": options.get("batch_sentences")}
    batches = TrainingBatches([corpus(lengths)], seed=1, **sizes)
    shapes = {batch.source_BS.shape for epoch in (0, 1) for batch in batches.batches(epoch)}
    assert len(shapes) >= 4, "the test needs shapes that differ"
    hooks, steps = Silent(trainer), batches.num_batches(0) + batches.num_batches(1)
    config = TrainConfig(max_steps=steps, warmup_steps=0, validate_every=3, **options)
    final = train(trainer, batches, config, TrainingState(), hooks, lambda: False)
    assert (final.epoch, final.cursor) == (2, 0)
    assert hooks.traces == [1] * steps
    assert trainer.validate.experimental_get_tracing_count() == 1
