"""Adam, AdamW, clipping and the moving average: by hand and against NumPy twins."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from nmt.config.train import Optimizer, TrainConfig
from nmt.training.optimizer import Adam, MovingAverage, clip, slots, variable_name

GRADIENTS = [
    (np.array([[0.5, -0.25], [0.0, 2.0]], np.float32), np.array([1.0, -3.0], np.float32)),
    (np.array([[-0.5, 1.0], [0.1, 2.0]], np.float32), np.array([0.0, -3.0], np.float32)),
]


def variables() -> list[tf.Variable]:
    return [
        tf.Variable([[1.0, -2.0], [3.0, 0.5]], name="layer/kernel"),
        tf.Variable([0.25, -1.0], name="layer/bias"),
    ]


def adam_twin(config: TrainConfig, rates: list[float]) -> list[np.ndarray]:
    """Weights after as many steps as there are rates, in double precision."""
    weights = [v.numpy().astype(float) for v in variables()]
    m, v = [np.zeros_like(w) for w in weights], [np.zeros_like(w) for w in weights]
    for t, rate in enumerate(rates, start=1):
        for i, gradient in enumerate(GRADIENTS[t - 1]):
            gradient = gradient.astype(float)
            if config.optimizer is Optimizer.adamw and weights[i].ndim > 1:
                weights[i] = weights[i] - rate * config.weight_decay * weights[i]
            m[i] = config.beta1 * m[i] + (1 - config.beta1) * gradient
            v[i] = config.beta2 * v[i] + (1 - config.beta2) * gradient**2
            corrected = rate * np.sqrt(1 - config.beta2**t) / (1 - config.beta1**t)
            weights[i] = weights[i] - corrected * m[i] / (np.sqrt(v[i]) + config.epsilon)
    return weights


def taken(config: TrainConfig, rates: list[float]) -> tuple[Adam, list[tf.Variable]]:
    weights = variables()
    adam = Adam(config, weights)
    for t, rate in enumerate(rates, start=1):
        adam.apply([tf.constant(g) for g in GRADIENTS[t - 1]], tf.constant(rate), tf.constant(t, tf.int64))
    return adam, weights


@pytest.mark.parametrize("optimizer", Optimizer)
@pytest.mark.parametrize("rates", [[0.1], [0.1, 0.02]], ids=["one step", "two steps"])
@pytest.mark.parametrize("betas", [(0.9, 0.999, 1e-8), (0.0, 0.5, 1e-2)], ids=["usual", "unusual"])
def test_adam_is_its_numpy_twin(optimizer, rates, betas):
    beta1, beta2, epsilon = betas
    config = TrainConfig(optimizer=optimizer, beta1=beta1, beta2=beta2, epsilon=epsilon, weight_decay=0.3)
    _, weights = taken(config, rates)
    for found, expected in zip(weights, adam_twin(config, rates), strict=True):
        assert_allclose(found, expected, rtol=2e-5, atol=1e-6)


def test_the_first_step_of_adam_is_the_rate_along_the_sign():
    _, weights = taken(TrainConfig(), [0.125])
    assert_allclose(weights[0], [[1.0 - 0.125, -2.0 + 0.125], [3.0, 0.5 - 0.125]], rtol=1e-5)
    assert_allclose(weights[1], [0.25 - 0.125, -1.0 + 0.125], rtol=1e-5)


def test_decay_is_for_matrices_only_and_apart_from_the_gradient():
    plain, decayed = (
        taken(TrainConfig(optimizer=optimizer, weight_decay=0.5), [0.1])[1]
        for optimizer in (Optimizer.adam, Optimizer.adamw)
    )
    before = variables()[0].numpy()
    assert_allclose(plain[0] - decayed[0], 0.1 * 0.5 * before, rtol=1e-5, atol=1e-7)
    assert_array_equal(plain[1], decayed[1])


def test_moments_are_kept_by_the_names_of_the_weights():
    adam, _ = taken(TrainConfig(), [0.1])
    names = {"layer/kernel", "layer/bias"}
    assert adam.m.keys() == adam.v.keys() == names
    assert {variable_name(v) for v in adam.variables} >= {f"adam_{part}/{name}" for part in "mv" for name in names}
    assert_allclose(adam.m["layer/bias"], [0.1, -0.3], rtol=1e-6)
    assert_allclose(adam.v["layer/bias"], [0.001, 0.009], rtol=1e-4)
    assert not any(v.trainable for v in (*adam.m.values(), *adam.v.values()))


def test_slots_start_at_zero_or_at_the_value():
    assert_array_equal(slots(variables(), "a")["layer/bias"], [0, 0])
    assert_array_equal(slots(variables(), "a", start_at_zero=False)["layer/bias"], [0.25, -1.0])


def test_clipping_scales_all_gradients_by_one_number():
    gradients = [tf.constant([[3.0, 0.0]]), tf.constant([0.0, 4.0])]  # norm 5
    clipped, norm = clip(gradients, 1.0)
    assert float(norm) == 5.0
    assert_allclose(clipped[0], [[0.6, 0.0]], rtol=1e-6)
    assert_allclose(clipped[1], [0.0, 0.8], rtol=1e-6)


@pytest.mark.parametrize("largest", [5.0, 6.0, 0.0], ids=["just enough", "enough", "off"])
def test_small_gradients_and_clipping_at_0_leave_them_alone(largest):
    gradients = [tf.constant([[3.0, 0.0]]), tf.constant([0.0, 4.0])]
    clipped, norm = clip(gradients, largest)
    assert float(norm) == 5.0
    for found, given in zip(clipped, gradients, strict=True):
        assert_array_equal(found, given)


def test_no_gradient_at_all_stays_none():
    clipped, norm = clip([tf.zeros([2, 2])], 1.0)
    assert float(norm) == 0
    assert_array_equal(clipped[0], np.zeros((2, 2)))


def test_a_moving_average_by_hand():
    """d_1 = 2/11, d_2 = 3/12, and 0.25 from where (1 + t) / (10 + t) is larger: t = 2 is equal, t = 3 is 4/13."""
    (weight,) = weights = [tf.Variable([8.0], name="w")]
    average = MovingAverage(0.25, weights)
    assert_array_equal(average.values["w"], [8.0])
    expected = 8.0
    for step, (value, keep) in enumerate([(19.0, 2 / 11), (5.0, 3 / 12), (7.0, 0.25)], start=1):
        weight.assign([value])
        average.update(tf.constant(step, tf.int64))
        expected = keep * expected + (1 - keep) * value
        assert_allclose(average.values["w"], [expected], rtol=1e-6)
    assert variable_name(average.values["w"]) == "average/w"
    assert_array_equal(weight, [7.0])


def test_no_average_costs_no_memory():
    average = MovingAverage(0.0, variables())
    average.update(tf.constant(1, tf.int64))
    assert average.values == {}
