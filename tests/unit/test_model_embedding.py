# T step, B batch, U distinct words, E embedding
"""Embeddings: rows of a table, one by one and each distinct word once."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from nmt.config.model import Decoder, Tie
from nmt.config.train import TrainConfig
from nmt.model.embedding import Embedding, Words, backwards, spread, take
from nmt.model.initial import Initial
from nmt.model.noise import Noise
from nmt.training.gradients import batch_gradients
from nmt.training.loss_scale import LossScale
from tests.unit.model_tools import check_gradients, drawn, model_of, padded
from tests.unit.model_twins import tiny_config

IDS_TB = np.array([[5, 0], [1, 1], [5, 2]])
NOISE = Noise(tf.constant(3, tf.int64), tf.constant(5, tf.int64))
SOURCE_BS = padded([[3, 4, 3, 2], [4, 2], [5, 5, 2]])
TARGET_BT = padded([[6, 6, 2], [3, 6, 3, 3, 2], [2]])


@pytest.fixture
def initial():
    return Initial(seed=1, dtype=tf.float64)


@pytest.fixture
def words(initial):
    return Embedding(initial, "e", 6, 3).distinct(tf.constant(IDS_TB))


def test_an_embedding_is_the_row_of_its_table(initial):
    layer = Embedding(initial, "e", 6, 3)
    assert_array_equal(layer(IDS_TB[np.newaxis]), layer.table_VE.numpy()[IDS_TB[np.newaxis]])


def test_the_gradient_of_an_embedding_is_dense_and_counts_every_use(initial):
    layer = Embedding(initial, "e", 4, 2)
    with tf.GradientTape() as tape:
        result = tf.reduce_sum(layer(tf.constant([[1, 3], [1, 1]])))
    gradient = tape.gradient(result, layer.table_VE)
    assert isinstance(gradient, tf.Tensor)
    assert_array_equal(gradient, [[0, 0], [3, 3], [0, 0], [1, 1]])


def test_distinct_words_stand_there_once(initial, words):
    table_VE = Embedding(initial, "e", 6, 3).table_VE.numpy()
    assert_array_equal(words.row_UE, table_VE[[5, 0, 1, 2] + [0] * 60], "one of few numbers of rows")
    assert_array_equal(words.place, [[0, 1], [2, 2], [0, 3]])
    assert_array_equal(spread(*words), table_VE[IDS_TB])


@pytest.mark.parametrize("dense", [False, True])
def test_words_backwards_and_a_few_of_them(words, dense):
    x = spread(*words) if dense else words
    everywhere = spread(*words).numpy()
    turned = backwards(x)
    assert_array_equal(spread(*turned) if isinstance(turned, Words) else turned, everywhere[::-1])
    assert_array_equal(take(x, tf.constant([1, 2, 5])), everywhere.reshape(-1, 3)[[1, 2, 5]])


@pytest.mark.parametrize("place, rising", [([[3, 0], [0, 4]], False), ([0, 0, 3, 4], True), ([], True)])
def test_the_gradient_of_spreading_rows_some_of_which_stand_nowhere(place, rising):
    place = tf.constant(place, tf.int32)
    check_gradients(lambda row_UE: spread(row_UE, place, rising), [drawn(5, 3)], [])


def gradients_of(model, noise):
    config = TrainConfig(label_smoothing=0.1)
    found = batch_gradients(model, config, LossScale(config.precision), SOURCE_BS, TARGET_BT, noise)
    return [found.loss, *found.gradients]


@pytest.mark.parametrize("tie", Tie)
@pytest.mark.parametrize("decoder", Decoder)
def test_a_model_learns_alike_from_distinct_words_and_from_one_after_another(monkeypatch, tie, decoder):
    model, _ = model_of(tiny_config(tie=tie, decoder=decoder, encoder_layers=2))
    once = gradients_of(model, NOISE)
    monkeypatch.setattr(Embedding, "distinct", Embedding.__call__)
    for found, expected in zip(once, gradients_of(model, NOISE), strict=True):
        assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_dropout_tells_the_places_of_a_word_apart(monkeypatch):
    model, _ = model_of(tiny_config(dropout_embedding=0.5))
    monkeypatch.setattr(Embedding, "distinct", None)  # nobody asks for it
    assert np.isfinite(gradients_of(model, NOISE)[0])
