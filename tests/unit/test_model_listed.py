# W words of a list
"""A step over a list of words is a step over all of them, of which the others are not looked at."""

from __future__ import annotations

import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

from nmt.model.listed import ListedModel
from tests.unit.model_tools import model_of, padded
from tests.unit.model_twins import CONFIGS, tiny_config

WORD_W = [0, 1, 2, 5, 7]
SOURCES = padded([[4, 6, 5, 2], [7, 2]])


def two_steps(model, first_N, second_N):
    """-> of both: logits, attention, and all parts of the last state."""
    memory = model.encode(SOURCES)
    logits_NV, state, weight_NS = model.step(tf.constant(first_N), memory.initial, memory)
    then_NV, state, after_NS = model.step(tf.constant(second_N), state, memory)
    return (logits_NV, then_NV), (weight_NS, after_NS), tf.nest.flatten(state)


@pytest.mark.parametrize("options", CONFIGS.values(), ids=CONFIGS)
def test_a_step_over_a_list_is_a_step_over_all_words(options):
    model = model_of(tiny_config(**options), seed=3)[0].for_loop()
    few, weights, state = two_steps(ListedModel(model, tf.constant(WORD_W)), [1, 1], [3, 4])
    every, wanted_weights, wanted_state = two_steps(model, [1, 1], [5, 7])
    for logits_NW, logits_NV in zip(few, every, strict=True):
        assert_allclose(logits_NW, tf.gather(logits_NV, WORD_W, axis=1), rtol=1e-6)
    for found, wanted in zip([*weights, *state], [*wanted_weights, *wanted_state], strict=True):
        assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)


def test_products_are_in_the_type_that_the_model_has_for_them():
    exact = model_of(tiny_config(), seed=3, dtype=tf.float32)[0]
    rounded = exact.computing_in(tf.bfloat16).for_loop()
    listed = ListedModel(rounded, tf.constant(WORD_W))
    assert listed.table_RW.dtype == listed.kernel_YR.dtype == tf.bfloat16
    few, every = two_steps(listed, [1, 1], [3, 4])[0], two_steps(exact, [1, 1], [5, 7])[0]
    for logits_NW, logits_NV in zip(few, every, strict=True):
        wanted_NW = tf.gather(logits_NV, WORD_W, axis=1)
        assert_allclose(logits_NW, wanted_NW, atol=0.05)
        assert abs(logits_NW - wanted_NW).numpy().max() > 1e-5  # it was rounded
