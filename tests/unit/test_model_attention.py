# B batch, S source step, T target step, H decoder state, A attention, D encoder state
"""Attention by hand and against NumPy; and the article's proof that one layer cannot attend."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from nmt.config.model import Attention, Decoder, ModelConfig
from nmt.model.attention import attend, make_attention, masked_softmax
from nmt.model.initial import Initial
from nmt.model.products import mix
from nmt.model.seq2seq import Seq2Seq
from nmt.model.weights import Direct
from tests.unit.model_tools import assign, drawn, padded
from tests.unit.model_twins import attention_shapes, energies, random_filled, softmax, tiny_config, weight_shapes

B, S, D = 3, 4, 4
LENGTHS = [4, 2, 3]
MASK_BS = tf.sequence_mask(LENGTHS, S)
SEEDS = range(10)  # what is claimed holds for each of them


def attention_of(kind: Attention, seed: int):
    """(layer, its weights by name, width of its query)."""
    config = tiny_config(attention=kind)
    layer, weights = (
        make_attention(config, Initial(0, tf.float64), "a"),
        random_filled(attention_shapes(config, "a"), seed),
    )
    for variable in getattr(layer, "variables", ()):
        variable.assign(weights[variable.name.removesuffix(":0")])
    return layer, weights, config.units


@pytest.mark.parametrize("kind", Attention)
def test_energies_weights_and_context_are_numpys(kind):
    layer, weights, width = attention_of(kind, seed=1)
    query_BH, values_BSD = drawn(B, width), drawn(B, S, D)
    keys = layer.project(values_BSD)
    energy_BS = layer.energy(Direct(), query_BH, keys)
    context_BD, weight_BS = attend(layer, Direct(), query_BH, keys, values_BSD, MASK_BS)
    for b, length in enumerate(LENGTHS):
        expected_S = energies(kind, weights, "a", query_BH[b].numpy(), values_BSD[b].numpy())
        assert_allclose(energy_BS[b], expected_S, rtol=0, atol=1e-12)
        expected_S = softmax(expected_S[:length])
        assert_allclose(weight_BS[b, :length], expected_S, rtol=0, atol=1e-12)
        assert_array_equal(weight_BS[b, length:], np.zeros(S - length))
        assert_allclose(context_BD[b], expected_S @ values_BSD[b, :length].numpy(), rtol=0, atol=1e-12)


def test_a_tie_is_a_half_each_and_padding_gets_none():
    weight_BS = masked_softmax(tf.constant([[5.0, 5.0, 9.0]]), tf.constant([[True, True, False]]))
    assert_array_equal(weight_BS, [[0.5, 0.5, 0.0]])


def test_weights_by_hand():
    energy_BS = tf.math.log(tf.constant([[1.0, 2.0, 5.0], [3.0, 1.0, 7.0]], tf.float64))
    weight_BS = masked_softmax(energy_BS, tf.constant([[True, True, True], [True, True, False]]))
    assert_allclose(weight_BS, [[1 / 8, 2 / 8, 5 / 8], [3 / 4, 1 / 4, 0]], rtol=1e-12)
    values_BSD = tf.constant([[[8.0], [4.0], [0.0]], [[4.0], [8.0], [99.0]]], tf.float64)
    assert_allclose(mix(weight_BS, values_BSD), [[2.0], [5.0]], rtol=1e-12)


@pytest.mark.parametrize("dtype", [tf.float16, tf.float32, tf.float64])
def test_energies_of_any_size_do_not_overflow_and_a_row_of_padding_weighs_nothing(dtype):
    top = dtype.max / 2
    energy_BS = tf.constant([[top, -top, top], [-top, top, top], [1, 2, 3]], dtype)
    mask_BS = tf.constant([[True, True, False], [True, False, False], [False, False, False]])
    with tf.GradientTape() as tape:
        tape.watch(energy_BS)
        weight_BS = masked_softmax(energy_BS, mask_BS)
    assert_array_equal(weight_BS, [[1, 0, 0], [1, 0, 0], [0, 0, 0]])
    assert np.isfinite(tape.gradient(weight_BS, energy_BS).numpy()).all()


# --- The article: one layer cannot attend, two can ---


def rows_over_queries(kind: Attention, seed: int, num_queries: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Energies and weights [T, S] of one sentence under as many decoder states; the weights are standard normal
    over the root of their rows, states and source alike for every kind."""
    layer, _, width = attention_of(kind, seed)
    values_BSD = tf.repeat(drawn(1, S, D, seed=seed), num_queries, axis=0)
    query_TH = drawn(num_queries, width, seed=seed)
    keys = layer.project(values_BSD)
    _, weight_TS = attend(layer, Direct(), query_TH, keys, values_BSD, tf.ones([num_queries, S], tf.bool))
    return layer.energy(Direct(), query_TH, keys).numpy(), weight_TS.numpy()


def spread(row_TS: np.ndarray) -> float:
    """How far the rows of different decoder steps are apart, at the source step where they are farthest."""
    return float(np.ptp(row_TS, axis=0).max())


@pytest.mark.parametrize("seed", SEEDS)
def test_with_one_layer_every_decoder_state_attends_alike_with_two_it_does_not(seed):
    energy_TS, weight_TS = rows_over_queries(Attention.single_layer, seed)
    assert spread(energy_TS) > 0.1, "the decoder's term is in the energies"
    assert spread(weight_TS) < 1e-6, "and softmax cancels it"
    assert spread(rows_over_queries(Attention.bahdanau, seed)[1]) > 0.01


def test_the_decoders_weights_move_the_energies_of_one_layer_by_the_same_for_every_word():
    layer, _, width = attention_of(Attention.single_layer, seed=0)
    query_BH, values_BSD = drawn(B, width), drawn(B, S, D)
    keys = layer.project(values_BSD)

    def both():
        _, weight_BS = attend(layer, Direct(), query_BH, keys, values_BSD, MASK_BS)
        return layer.energy(Direct(), query_BH, keys).numpy(), weight_BS.numpy()

    energy_BS, weight_BS = both()
    layer.query_H1.assign_add(drawn(width, 1, seed=9))
    moved_BS, weight_after_BS = both()
    shift_BS = moved_BS - energy_BS
    assert_allclose(shift_BS, query_BH.numpy() @ drawn(width, 1, seed=9).numpy() * np.ones(S), rtol=0, atol=1e-12)
    assert np.abs(shift_BS).min() > 0.01
    assert_allclose(weight_after_BS, weight_BS, rtol=0, atol=1e-12)


SIZES = {"embedding": 16, "encoder_units": 16, "units": 32, "attention_units": 32}


@pytest.mark.parametrize("decoder", Decoder)
@pytest.mark.parametrize("seed", SEEDS)
def test_the_whole_model_with_one_layer_attends_alike_at_every_step(decoder, seed):
    """In single precision, as models are trained; all weights but the attention's own are the same."""
    rows = {}
    for kind in (Attention.single_layer, Attention.bahdanau):
        config = ModelConfig(attention=kind, decoder=decoder, **SIZES)
        model, shapes = Seq2Seq(config, 9, 8, seed=0), weight_shapes(config, 9, 8)
        own = attention_shapes(config, "decoder/attention")
        rest = {name: shape for name, shape in shapes.items() if name not in own}
        assign(model, random_filled(rest, seed) | random_filled(own, seed))
        rows[kind] = model.attention(padded([[4, 7, 5, 3, 6, 2]]), padded([[5, 3, 7, 6, 4, 2]]))[0].numpy()
    assert spread(rows[Attention.single_layer]) < 1e-6
    assert spread(rows[Attention.bahdanau]) > 0.01
