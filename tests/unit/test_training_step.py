# B batch, S source step, T target step
"""One step of training: what it returns, what it changes, and that it changes nothing where numbers are not finite."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from nmt.config.model import Cell, Decoder
from nmt.config.train import Optimizer, TrainConfig
from nmt.model.noise import Noise
from nmt.training.loss import output_loss
from nmt.training.optimizer import variable_name
from nmt.training.step import Trainer
from tests.unit.model_tools import model_of, name_of, padded
from tests.unit.model_twins import Twin, configs, tiny_config

SOURCES, TARGETS = [[4, 3, 5, 2], [6, 2]], [[5, 2], [3, 4, 2]]
RATE = 0.01
RATES = ("embedding", "state", "output", "source_words", "target_words")
DROPOUTS = {f"dropout_{rate}": 0.3 for rate in RATES}
OPTIONS: dict[str, Any] = {"optimizer": Optimizer.adamw, "average": 0.9, "clip_norm": 0.5, "label_smoothing": 0.1}


def trainer_of(seed: int = 1, **model_options) -> Trainer:
    model, _ = model_of(tiny_config(**model_options), dtype=tf.float32)
    return Trainer(model, TrainConfig(**OPTIONS), seed)


def eager_step(trainer: Trainer, number: int = 1, sources=SOURCES, targets=TARGETS):
    """The step as it is written, without a graph."""
    arguments = (padded(sources), padded(targets), tf.constant(RATE), tf.constant(number, tf.int64))
    return Trainer.step.python_function(trainer, *arguments)


def snapshot(trainer: Trainer) -> dict[str, np.ndarray]:
    return {name_of(variable): variable.numpy() for variable in trainer.variables}


@pytest.fixture(scope="module")
def graph():
    """A trainer and its states before and after two steps in its graph."""
    trainer = trainer_of(**DROPOUTS)
    states, results = [snapshot(trainer)], []
    for number in (1, 2):
        arguments = (padded(SOURCES), padded(TARGETS), tf.constant(RATE), tf.constant(number, tf.int64))
        results.append(trainer.step(*arguments))
        states.append(snapshot(trainer))
    return trainer, states, results


def test_loss_and_likelihood_are_the_twins():
    model, weights = model_of(configs()["default"], dtype=tf.float32)
    trainer = Trainer(model, TrainConfig(**OPTIONS), 1)
    result = eager_step(trainer)
    nll, loss, size = [], [], 8
    for source, target in zip(SOURCES, TARGETS, strict=True):
        logits_TV, _ = Twin(model.config, weights).teach(source, target)
        log_prob_TV = logits_TV - np.log(np.exp(logits_TV).sum(axis=1, keepdims=True))
        nll.extend(-log_prob_TV[np.arange(len(target)), target])
        wanted_TV = 0.9 * np.eye(size)[target] + 0.1 / size
        loss.extend(-(wanted_TV * log_prob_TV).sum(axis=1))
    assert_allclose(result.loss, np.mean(loss), rtol=1e-5)
    assert_allclose(result.nll, np.sum(nll), rtol=1e-5)
    assert int(result.num_tokens) == 5
    assert bool(result.applied)


def test_validation_is_the_likelihood_without_dropout():
    trainer = trainer_of(**DROPOUTS)
    still = trainer_of()
    before = snapshot(trainer)
    found = Trainer.validate.python_function(trainer, padded(SOURCES), padded(TARGETS))
    expected = eager_step(still)
    assert_allclose(found[0], expected.nll, rtol=1e-5)
    assert int(found[1]) == 5
    for name, value in snapshot(trainer).items():
        assert_array_equal(value, before[name])


def test_a_step_changes_every_weight_its_moments_and_its_average(graph):
    _, states, _ = graph
    for name, value in states[0].items():
        assert np.abs(states[1][name] - value).max() > 0, name


def test_the_norm_is_that_before_clipping_and_the_moments_hold_the_clipped_gradient():
    trainer = trainer_of()
    norm = float(eager_step(trainer).gradient_norm)
    assert norm > OPTIONS["clip_norm"]
    moments = [trainer.optimizer.m[variable_name(v)].numpy() / 0.1 for v in trainer.weights]
    assert_allclose(np.sqrt(sum(np.sum(m**2) for m in moments)), 0.5, rtol=1e-4)


def test_the_average_follows_the_weights(graph):
    """d = min(0.9, (1 + t) / (10 + t)): 2/11, then 3/12."""
    trainer, states, _ = graph
    for variable in trainer.weights:
        name = variable_name(variable)
        first = 2 / 11 * states[0][name] + 9 / 11 * states[1][name]
        assert_allclose(states[1][f"average/{name}"], first, rtol=1e-5, atol=1e-6)
        second = 3 / 12 * first + 9 / 12 * states[2][name]
        assert_allclose(states[2][f"average/{name}"], second, rtol=1e-5, atol=1e-6)


def test_a_graph_takes_the_same_steps_as_the_code_itself(graph):
    _, states, results = graph
    trainer = trainer_of(**DROPOUTS)
    for number in (1, 2):
        found = eager_step(trainer, number)
        assert_allclose(found.loss, results[number - 1].loss, rtol=1e-5)
        assert_allclose(found.gradient_norm, results[number - 1].gradient_norm, rtol=1e-4)
    for name, value in snapshot(trainer).items():
        assert_allclose(value, states[2][name], rtol=1e-3, atol=1e-4)


def test_dropout_is_a_function_of_seed_and_step(graph):
    _, _, results = graph
    first = float(results[0].loss)
    assert_allclose(eager_step(trainer_of(**DROPOUTS)).loss, first, rtol=1e-5)
    assert abs(float(eager_step(trainer_of(seed=2, **DROPOUTS)).loss) - first) > 1e-4
    assert abs(float(eager_step(trainer_of(**DROPOUTS), number=2).loss) - first) > 1e-4


@pytest.mark.parametrize("place", ["encoder/forward/gru/kernel", "output/bias"])
@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_a_step_that_is_not_finite_changes_nothing_eagerly(place, poison):
    trainer = trainer_of()
    refuse_poison(trainer, place, poison, eager_step)


def test_a_step_that_is_not_finite_changes_nothing_in_a_graph(graph):
    trainer, _, _ = graph

    def step(trainer):
        return trainer.step(padded(SOURCES), padded(TARGETS), tf.constant(RATE), tf.constant(3, tf.int64))

    kept = snapshot(trainer)
    refuse_poison(trainer, "encoder/forward/gru/kernel", np.nan, step)
    for variable in trainer.variables:  # the fixture is shared
        variable.assign(kept[name_of(variable)])
    assert bool(step(trainer).applied), "a finite step is taken again"


def refuse_poison(trainer, place, poison, step):
    (variable,) = (v for v in trainer.weights if variable_name(v) == place)
    value = variable.numpy()
    value.flat[0] = poison
    variable.assign(value)
    before = snapshot(trainer)
    result = step(trainer)
    assert not bool(result.applied)
    assert not np.isfinite([float(result.loss), float(result.gradient_norm)]).all()
    for name, kept in snapshot(trainer).items():
        assert_array_equal(kept, before[name], err_msg=name)


def test_a_batch_without_a_word_changes_nothing():
    trainer = trainer_of()
    before = snapshot(trainer)
    assert not bool(eager_step(trainer, targets=[[0], [0]]).applied)
    for name, kept in snapshot(trainer).items():
        assert_array_equal(kept, before[name])


@pytest.mark.parametrize("name", configs())
def test_every_weight_of_every_configuration_is_trained(name):
    model, _ = model_of(configs()[name], dtype=tf.float32)
    with tf.GradientTape() as tape:
        taught = model.teach(
            padded(SOURCES), padded(TARGETS), Noise(tf.constant(1, tf.int64), tf.constant(1, tf.int64))
        )
        loss_N, _ = output_loss(model.output, taught.readout_NR, taught.target_N, 0.1)
    weights = model.trainable_variables
    for variable, gradient in zip(weights, tape.gradient(loss_N, weights), strict=True):
        assert isinstance(gradient, tf.Tensor), f"{variable.name}: dense gradients only"
        # One layer of attention cannot learn from its decoder term: the article's point once more.
        if name.startswith("single_layer") and "query_kernel" in variable.name:
            assert np.abs(gradient).max() < 1e-6
        else:
            assert np.abs(gradient).max() > 1e-7, variable.name


def test_a_few_steps_lower_the_loss_by_a_quarter():
    model, _ = model_of(tiny_config(cell=Cell.lstm, decoder=Decoder.conditional), dtype=tf.float32)
    trainer = Trainer(model, TrainConfig(label_smoothing=0.0, clip_norm=0.0), 1)
    losses = []
    for number in range(1, 9):
        arguments = (padded(SOURCES), padded(TARGETS), tf.constant(0.05), tf.constant(number, tf.int64))
        losses.append(float(Trainer.step.python_function(trainer, *arguments).loss))
    assert losses[-1] < 0.75 * losses[0]
    assert trainer.average.values == {}
