# T time, B batch, I input, U state, O output, M memory
"""`unroll` against TensorFlow's own gradient of the same loop written plainly, to 1e-10."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

from nmt.model.recurrence import unroll
from nmt.model.weights import Direct
from tests.unit.model_tools import drawn, weigh

B, U = 2, 3


def plain(step, state, inputs, shared):
    """The loop as one would write it: one step after the other, gradients by TensorFlow."""
    outputs = []
    for t in range(tf.nest.flatten(inputs)[0].shape[0]):
        state, output = step(Direct(), state, tf.nest.map_structure(lambda x_T, t=t: x_T[t], inputs), shared)
        outputs.append(output)
    return tf.nest.map_structure(lambda *x: tf.stack(x), *outputs), state


def values_and_gradients(loop, weights, state, inputs, shared, chosen, times):
    """Of the number that `chosen(outputs, final)` weighs. The loop is given what is shared `times` over."""
    given = (state, inputs, shared)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch((weights, tf.nest.flatten(given)))
        results = loop(state, inputs, shared * times)
        number = weigh(chosen(*results))
    gradients = tape.gradient(number, (weights, given), unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return tf.nest.flatten((results, gradients))


def compare(step, kernels, vectors, state, inputs, shared=(), chosen=lambda outputs, final: (outputs, final), times=1):
    """Eagerly, and in a graph that knows no length."""
    weights = [*kernels, *vectors]
    expected = values_and_gradients(lambda *given: plain(step, *given), weights, state, inputs, shared, chosen, times)

    def ours(state, inputs, shared):
        return values_and_gradients(
            lambda *given: unroll(step, kernels, vectors, *given), weights, state, inputs, shared, chosen, times
        )

    unknown_length = tf.nest.map_structure(lambda x: tf.TensorSpec([None, *x.shape[1:]], x.dtype), inputs)
    as_given = tf.nest.map_structure(tf.TensorSpec.from_tensor, (state, shared))
    graph = tf.function(ours, input_signature=[as_given[0], unknown_length, as_given[1]])
    for found in (ours(state, inputs, shared), graph(state, inputs, shared)):
        assert len(found) == len(expected)
        for ours_here, theirs in zip(found, expected, strict=True):
            assert_allclose(ours_here, theirs, rtol=0, atol=1e-10)
    return expected


@pytest.fixture
def weights():
    kernel_UU = tf.Variable(drawn(U, U, seed=1), name="kernel")
    other_UU = tf.Variable(drawn(U, U, seed=2), name="other")
    vector_U = tf.Variable(drawn(U, seed=3), name="vector")
    return kernel_UU, other_UU, vector_U


@pytest.mark.parametrize("length", [1, 2, 5])
def test_a_plain_recurrence_of_any_length(weights, length):
    kernel_UU, _, vector_U = weights

    def step(weights, state, x_BU, shared):
        new = tf.tanh(weights.product(state, kernel_UU) * weights.read(vector_U) + x_BU)
        return new, new

    compare(step, [kernel_UU], [vector_U], drawn(B, U), drawn(length, B, U))


def test_a_kernel_used_twice_in_a_step_and_one_not_used_at_all(weights):
    kernel_UU, other_UU, vector_U = weights

    def step(weights, state, x_BU, shared):
        middle = tf.sigmoid(weights.product(state, kernel_UU) + x_BU)
        new = tf.tanh(weights.product(middle, kernel_UU))
        return new, (new, middle)

    expected = compare(step, [kernel_UU, other_UU], [vector_U], drawn(B, U), drawn(3, B, U))
    # Results (outputs, output, final), then the gradients of kernel, other, vector.
    assert np.abs(expected[3]).max() > 0
    assert_allclose(expected[4], np.zeros((U, U)))
    assert_allclose(expected[5], np.zeros(U))


def test_products_of_products_in_one_step(weights):
    kernel_UU, other_UU, _ = weights

    def step(weights, state, x_BU, shared):
        new = weights.product(weights.product(state, kernel_UU) * x_BU, other_UU)
        return new, tf.sin(new)

    compare(step, [kernel_UU, other_UU], [], drawn(B, U, scale=0.3), drawn(4, B, U, scale=0.3))


def test_a_tensor_shared_twice_and_used_at_every_step(weights):
    kernel_UU, _, _ = weights

    def step(weights, state, x_BU, shared):
        keys_BMU, values_BMU = shared
        weight_BM = tf.nn.softmax(tf.linalg.matvec(keys_BMU, state))
        new = tf.tanh(weights.product(tf.linalg.matvec(values_BMU, weight_BM, transpose_a=True), kernel_UU) + x_BU)
        return new, weight_BM

    memory_BMU = drawn(B, 4, U, seed=5)
    compare(step, [kernel_UU], [], drawn(B, U), drawn(3, B, U), (memory_BMU,), times=2)


@pytest.mark.parametrize("times", [1, 2])
def test_mixtures_of_what_is_shared(weights, times):
    """Two a step, of values that are looked at otherwise too; or (times=2) of a tensor that is shared twice."""
    kernel_UU, _, _ = weights

    def step(weights, state, x_BU, shared):
        keys_BMU, values_BMU = shared[0], shared[-1]
        weight_BM = tf.nn.softmax(tf.linalg.matvec(keys_BMU, state))
        first = weights.mix(weight_BM, values_BMU)
        second = weights.mix(tf.square(weight_BM), values_BMU) + tf.reduce_sum(values_BMU, axis=1)
        return tf.tanh(weights.product(first * second, kernel_UU) + x_BU), (weight_BM, second)

    compare(step, [kernel_UU], [], drawn(B, U), drawn(3, B, U), (drawn(B, 4, U, seed=5),), times=times)


def test_a_mixture_that_nothing_depends_on(weights):
    kernel_UU, _, _ = weights

    def step(weights, state, x_BU, shared):
        weights.mix(tf.ones([B, 4], tf.float64), shared[0])
        return weights.product(state, kernel_UU) + x_BU, x_BU

    compare(step, [kernel_UU], [], drawn(B, U), drawn(3, B, U), (drawn(B, 4, U, seed=5),))


def test_a_state_of_two_parts_in_a_nest(weights):
    kernel_UU, other_UU, vector_U = weights

    def step(weights, state, inputs, shared):
        (h_BU, (c_BU,)), (x_BU, keep_B1) = state, inputs
        c_BU = c_BU * tf.sigmoid(weights.product(h_BU, kernel_UU)) + x_BU * weights.read(vector_U)
        new = tf.tanh(weights.product(c_BU, other_UU))
        h_BU = h_BU + keep_B1 * (new - h_BU)
        return (h_BU, (c_BU,)), h_BU

    inputs = (drawn(4, B, U), tf.constant(np.array([[1, 1], [1, 0], [0, 1], [0, 0]], float)[:, :, np.newaxis]))
    compare(step, [kernel_UU, other_UU], [vector_U], (drawn(B, U, seed=8), (drawn(B, U, seed=9),)), inputs)


@pytest.mark.parametrize(
    "chosen",
    [
        lambda outputs, final: outputs[0],
        lambda outputs, final: outputs[1],
        lambda outputs, final: final,
        lambda outputs, final: outputs[0][-1],
    ],
    ids=["one output", "another output", "final state", "last step"],
)
def test_outputs_that_lead_nowhere(weights, chosen):
    kernel_UU, _, _ = weights

    def step(weights, state, x_BU, shared):
        new = tf.tanh(weights.product(state, kernel_UU) + x_BU)
        return new, (new, tf.square(x_BU), tf.ones([B, 1], tf.float64))

    compare(step, [kernel_UU], [], drawn(B, U), drawn(3, B, U), chosen=chosen)


def test_a_step_that_hands_its_state_through(weights):
    kernel_UU, _, _ = weights

    def step(weights, state, x_BU, shared):
        first, second = state
        return (first, x_BU), weights.product(second, kernel_UU)

    compare(step, [kernel_UU], [], (drawn(B, U), drawn(B, U, seed=4)), drawn(3, B, U))


def test_a_loop_upon_a_loop(weights):
    kernel_UU, other_UU, _ = weights

    def recurrence(kernel):
        def step(weights, state, x_BU, shared):
            new = tf.tanh(weights.product(state, kernel) + x_BU)
            return new, new

        return step

    def gradients(loop):
        with tf.GradientTape() as tape:
            lower, _ = loop(kernel_UU, drawn(4, B, U))
            upper, _ = loop(other_UU, lower[::-1])
            number = weigh(upper)
        return tape.gradient(number, [kernel_UU, other_UU])

    start = drawn(B, U)
    found = gradients(lambda kernel, x_TBU: unroll(recurrence(kernel), [kernel], [], start, x_TBU, ()))
    expected = gradients(lambda kernel, x_TBU: plain(recurrence(kernel), start, x_TBU, ()))
    for ours, theirs in zip(found, expected, strict=True):
        assert_allclose(ours, theirs, rtol=0, atol=1e-10)


@pytest.mark.parametrize("length", [1, 4])
def test_what_is_one_tensor_in_two_roles_counts_in_both(weights, length):
    """The state goes into two products, the input and a product have one gradient, both states are one from then on."""
    kernel_UU, other_UU, _ = weights

    def step(weights, state, x_BU, shared):
        first, second = state
        sum_BU = tf.add_n([x_BU, weights.product(first, kernel_UU)])
        new_BU = tf.tanh(sum_BU) + tf.sin(weights.product(first, other_UU) + second)
        return (new_BU, new_BU), new_BU

    start = drawn(B, U), drawn(B, U, seed=4)
    compare(step, [kernel_UU, other_UU], [], start, drawn(length, B, U, seed=5))
