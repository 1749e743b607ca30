# N rows, I and O width of a product's input and output
"""Products in 16 bits: what is rounded, what is not, and that all else is the model it was."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from nmt.config.model import Decoder
from nmt.model.noise import Noise
from nmt.model.products import multiply
from nmt.model.recurrence import unroll
from tests.unit.model_tools import drawn, model_of, padded
from tests.unit.model_twins import tiny_config

SOURCES, TARGETS = [[4, 3, 5, 2], [6, 2]], [[5, 2], [3, 4, 2]]
# The largest error of one rounding, as a share: 8 and 11 bits of mantissa.
ROUNDING = {tf.bfloat16: 2.0**-8, tf.float16: 2.0**-11}


@pytest.mark.parametrize("kind", ROUNDING)
def test_both_factors_and_the_product_are_rounded_and_the_type_stays(kind):
    """1 + e/2 lies between 1 and the next number 1 + e of the type, and is rounded to the even one, 1."""
    e = 2 * ROUNDING[kind]
    product = multiply(tf.constant([[1 + e / 2]]), tf.constant([[1 + 3 * e / 2]]), kind)
    assert product.dtype == tf.float32
    assert_array_equal(product, [[1 + 2 * e]])
    assert_array_equal(multiply(tf.constant([[1 + e / 2]]), tf.constant([[1.0]]), None), [[1 + e / 2]])
    assert_array_equal(multiply(tf.constant([[3.0, 1.0]]), tf.constant([[2.0, 5.0]]), kind, transpose_b=True), [[11.0]])


@pytest.mark.parametrize("kind", ROUNDING)
def test_a_loop_in_16_bits_is_the_plain_loop_with_rounded_products(kind):
    """Values and gradients, against TensorFlow's own gradients of casts and products."""
    kernel = tf.Variable(drawn(3, 3, scale=0.5))
    state, inputs = tf.cast(drawn(2, 3), tf.float32), tf.cast(drawn(4, 2, 3), tf.float32)
    kernel = tf.Variable(tf.cast(kernel, tf.float32))

    def loop():
        def step(weights, h_BU, x_BU, shared):
            h_BU = tf.tanh(x_BU + weights.product(h_BU, kernel))
            return h_BU, h_BU

        return unroll(step, [kernel], [], state, inputs, (), kind)[0]

    def plain():
        h_BU, outputs = state, []
        for t in range(4):
            h_BU = tf.tanh(inputs[t] + multiply(h_BU, kernel, kind))
            outputs.append(h_BU)
        return tf.stack(outputs)

    found = []
    for run in (loop, plain):
        with tf.GradientTape() as tape:
            tape.watch((state, inputs))
            outputs = run()
            total = tf.reduce_sum(outputs * tf.range(24, dtype=tf.float32)[:, tf.newaxis][:4, :, tf.newaxis])
        found.append((outputs, *tape.gradient(total, (state, inputs, kernel))))
    assert_array_equal(found[0][0], found[1][0])
    assert_allclose(found[0][1], found[1][1], rtol=0, atol=0)
    assert_allclose(found[0][2], found[1][2], rtol=0, atol=0)
    # The plain loop rounds each of the four products of the kernel's gradient, ours their sum once.
    assert found[0][3].dtype == tf.float32
    scale = np.abs(found[1][3]).max()
    assert_allclose(found[0][3], found[1][3], rtol=0, atol=8 * ROUNDING[kind] * scale)


@pytest.mark.parametrize("decoder", ["plain", "conditional"])
@pytest.mark.parametrize("kind", ROUNDING)
def test_logits_and_gradients_are_near_those_of_float32(kind, decoder):
    model, _ = model_of(tiny_config(decoder=Decoder(decoder)), dtype=tf.float32)
    noise = Noise(tf.constant(1, tf.int64), tf.constant(1, tf.int64))
    results = []
    for one in (model, model.computing_in(kind)):
        with tf.GradientTape() as tape:
            logits_NV = one.output.logits(one.teach(padded(SOURCES), padded(TARGETS), noise).readout_NR)
            loss = tf.reduce_sum(tf.nn.log_softmax(logits_NV)[:, 3])
        assert logits_NV.dtype == tf.float32
        results.append((logits_NV, tape.gradient(loss, list(model.trainable_variables))))
    (logits_NV, gradients), (rough_NV, rough_gradients) = results
    assert not np.array_equal(logits_NV, rough_NV), "nothing was rounded"
    assert_allclose(rough_NV, logits_NV, rtol=0, atol=20 * ROUNDING[kind] * np.abs(logits_NV).max())
    for variable, exact, rough in zip(model.trainable_variables, gradients, rough_gradients, strict=True):
        assert rough.dtype == tf.float32
        error = np.linalg.norm(np.subtract(rough, exact)) / max(float(np.linalg.norm(exact)), 1e-6)
        assert error < 50 * ROUNDING[kind], variable.name


def test_another_precision_has_the_same_variables():
    model, _ = model_of(tiny_config(), dtype=tf.float32)
    other = model.computing_in(tf.bfloat16)
    assert {id(v) for v in other.trainable_variables} == {id(v) for v in model.trainable_variables}
    assert (model.compute, other.compute) == (None, tf.bfloat16)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("kind", [None, tf.bfloat16])
def test_weights_rounded_for_a_loop_give_the_same_step(kind, turned):
    """Rounded once before it or at each product: bit for bit, but for logits where the table is turned."""
    model = model_of(tiny_config(), dtype=tf.float32)[0].computing_in(kind)
    ready = model.for_loop(turned)
    assert ready.trainable_variables == ()
    assert ready.for_loop() is ready
    found = []
    for one in (model, ready):
        memory = one.encode(padded(SOURCES))
        found.append(tf.nest.flatten(one.step(tf.constant([3, 4]), memory.initial, memory)))
    (logits_NV, *others), (ready_NV, *ready_others) = found
    error = ROUNDING.get(kind, 2.0**-22) * np.abs(logits_NV).max() if turned else 0
    assert_allclose(ready_NV, logits_NV, rtol=0, atol=error)
    for expected, got in zip(others, ready_others, strict=True):
        assert_array_equal(got, expected)
