# N rows, V columns
"""Label-smoothed cross-entropy: by hand, by its formula, and its gradient by TensorFlow's own differentiation."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from nmt.config.model import ModelConfig
from nmt.model.initial import Initial
from nmt.model.output import DeepOutput
from nmt.training import loss
from nmt.training.loss import output_loss
from tests.unit.model_tools import drawn

SMOOTHINGS = [0.0, 0.1, 0.5]
TARGET_N = tf.constant([3, 0, 4, 3])


def output_of(vocabulary: int, dtype: tf.DType, compute: tf.DType | None = None) -> DeepOutput:
    config = ModelConfig(embedding=vocabulary, encoder_units=1, units=1)
    return DeepOutput(config, Initial(1, dtype, compute), vocabulary, None)


def loss_of_logits(logits_NV: tf.Tensor, target_N: tf.Tensor, smoothing: float) -> tuple[tf.Tensor, tf.Tensor]:
    """The table is the identity, so that what the layer reads are the logits."""
    output = output_of(logits_NV.shape[1], logits_NV.dtype)
    output.table_VR.assign(np.eye(logits_NV.shape[1]))
    return output_loss(output, logits_NV, target_N, smoothing)


def by_definition(logits_NV: tf.Tensor, smoothing: float) -> tf.Tensor:
    """- sum_v q_v log p_v with q = (1 - smoothing) one_hot + smoothing / V."""
    wanted_NV = (1 - smoothing) * tf.one_hot(TARGET_N, 5, dtype=tf.float64) + smoothing / 5
    return -tf.reduce_sum(wanted_NV * tf.nn.log_softmax(logits_NV), axis=1)


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_even_scores_cost_the_logarithm_of_the_vocabulary(smoothing):
    loss_N, nll_N = loss_of_logits(tf.fill([4, 8], 2.5), TARGET_N, smoothing)
    assert_allclose(loss_N, np.full(4, np.log(8)), rtol=1e-6)
    assert_allclose(nll_N, np.full(4, np.log(8)), rtol=1e-6)


def test_by_hand():
    """p = (1/4, 3/4): nll of the second = log 4/3; smoothed by 0.2: 0.9 log 4/3 + 0.1 log 4."""
    logits_NV = tf.constant([[0.0, np.log(3.0)]], tf.float64)
    loss_N, nll_N = loss_of_logits(logits_NV, tf.constant([1]), 0.2)
    assert_allclose(nll_N, [np.log(4 / 3)], rtol=1e-12)
    assert_allclose(loss_N, [0.9 * np.log(4 / 3) + 0.1 * np.log(4)], rtol=1e-12)


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_loss_and_gradient_are_those_of_the_definition(smoothing):
    logits_NV, upstream_N = drawn(4, 5, scale=3), drawn(4, seed=1)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(logits_NV)
        loss_N, nll_N = loss_of_logits(logits_NV, TARGET_N, smoothing)
        expected_N = by_definition(logits_NV, smoothing)
    assert_allclose(loss_N, expected_N, rtol=0, atol=1e-12)
    assert_allclose(nll_N, by_definition(logits_NV, 0.0), rtol=0, atol=1e-12)
    found, expected = (tape.gradient(x_N, logits_NV, output_gradients=upstream_N) for x_N in (loss_N, expected_N))
    assert_allclose(found, expected, rtol=0, atol=1e-12)
    assert tape.gradient(nll_N, logits_NV) is None, "the likelihood is for reading"


def test_scores_of_any_size_do_not_overflow():
    logits_NV = tf.constant([[1e38, -1e38, 0.0]])
    loss_N, nll_N = loss_of_logits(logits_NV, tf.constant([0]), 0.0)
    assert_array_equal(loss_N, [0.0])
    assert_array_equal(nll_N, [0.0])


@pytest.mark.parametrize("target", [-1, 5])
def test_a_target_outside_the_vocabulary_is_an_error(target):
    with pytest.raises(tf.errors.InvalidArgumentError, match="an index lies outside its row"):
        loss_of_logits(drawn(1, 5), tf.constant([target]), 0.1)


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_gradients_reach_readout_table_and_bias(smoothing):
    output, readout_NR, upstream_N = output_of(5, tf.float64), drawn(4, 5), drawn(4, seed=1)
    output.bias_V.assign(drawn(5, seed=2))
    sources = [readout_NR, output.table_VR, output.bias_V]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(readout_NR)
        loss_N, _ = output_loss(output, readout_NR, TARGET_N, smoothing)
        expected_N = by_definition(output.logits(readout_NR), smoothing)
    found, expected = (tape.gradient(x_N, sources, output_gradients=upstream_N) for x_N in (loss_N, expected_N))
    for got, wanted in zip(found, expected, strict=True):
        assert_allclose(got, wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", [tf.bfloat16, tf.float16])
def test_in_16_bits_a_sure_word_has_a_small_gradient_still(kind):
    """softmax - 1 is rounded as a difference: of p = 1 - 0.0013 itself nothing would be left."""
    output = output_of(5, tf.float32, kind)
    output.table_VR.assign(np.eye(5))
    readout_NR = tf.constant([[0.0, 0.0, 0.0, 8.0, 0.0]])
    with tf.GradientTape() as tape:
        tape.watch(readout_NR)
        loss_N, nll_N = output_loss(output, readout_NR, tf.constant([3]), 0.0)
    rest = 4 / (np.exp(8.0) + 4)
    assert_allclose(nll_N, [-np.log1p(-rest)], rtol=2e-2)
    others = rest / 4
    assert_allclose(tape.gradient(loss_N, readout_NR), [[others, others, others, -rest, others]], rtol=5e-2)


@pytest.mark.parametrize("places", [2**31 - 1, 3])
def test_taken_away_in_place_and_from_a_copy(monkeypatch, places):
    monkeypatch.setattr(loss, "_PLACES", places)

    @tf.function(autograph=False)
    def taken(x_NV):
        return loss.take_away(tf.nn.softmax(x_NV), tf.constant([1, 0, 1]), 0.75)

    x_NV = drawn(3, 2, scale=1)
    expected_NV = tf.nn.softmax(x_NV).numpy()
    expected_NV[[0, 1, 2], [1, 0, 1]] -= 0.75
    assert_allclose(taken(x_NV), expected_NV, rtol=1e-12)


@pytest.mark.parametrize("difference", [50.0, 70.0, 200.0, 1e4])
def test_a_word_that_is_all_but_impossible_has_its_true_cost(difference):
    """Its probability is 0 in float32 from a difference of 104 on, and has few digits from 87 on."""
    logits_NV = tf.constant([[0.0, -difference, -difference], [0.0, 0.0, 0.0]])
    _, nll_N = loss_of_logits(logits_NV, tf.constant([1, 2]), 0.0)
    assert_allclose(nll_N, [difference, np.log(3)], rtol=1e-6)
