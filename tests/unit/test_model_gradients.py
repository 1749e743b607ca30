# B batch, S source step, T target step, N rows
"""Gradients of every layer against finite differences, in double precision."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from nmt.config.model import Attention, Cell, Decoder, WordDropout
from nmt.model.attention import attend, make_attention, masked_softmax
from nmt.model.cells import GRUCell, LSTMCell, Projection
from nmt.model.decoder import AttentiveLayer, Memory, UpperLayer
from nmt.model.embedding import Embedding
from nmt.model.encoder import BidirectionalLayer, Encoder
from nmt.model.initial import Initial
from nmt.model.layer_norm import layer_norm
from nmt.model.noise import Noise
from nmt.model.output import DeepOutput
from nmt.model.weights import Direct
from nmt.training.loss import output_loss
from tests.unit.model_tools import assign, check_gradients, drawn, model_of, padded
from tests.unit.model_twins import random_filled, tiny_config

B, S, T = 2, 3, 3
MASK_BS = tf.constant([[True, True, True], [True, True, False]])
NOISE = Noise(tf.constant(3, tf.int64), tf.constant(5, tf.int64))


@pytest.fixture
def initial():
    return Initial(seed=1, dtype=tf.float64)


def fill(module: tf.Module) -> None:
    """Weights of ordinary size everywhere, biases too."""
    assign(module, random_filled({v.name.removesuffix(":0"): tuple(v.shape) for v in module.variables}, seed=2))


def cell_state(cell, seed=0):
    parts = [drawn(B, cell.units, seed=seed + number) for number in range(2)]
    return tuple(parts) if cell.num_gates == 4 else (parts[0],)


def test_embedding(initial):
    layer = Embedding(initial, "e", vocabulary=6, width=3)
    check_gradients(lambda: layer(tf.constant([[1, 5, 1], [0, 1, 2]])), [], layer.variables)


@pytest.mark.parametrize("normed", [False, True], ids=["plain", "layer norm"])
def test_projection(initial, normed):
    layer = Projection(initial, "p", 3, GRUCell(initial, "c", 3, normed))
    fill(layer)
    check_gradients(layer, [drawn(T, B, 3)], layer.variables)


@pytest.mark.parametrize("groups", [(5,), (3, 2)])
def test_layer_norm(groups):
    check_gradients(lambda x_NG, gain_G: layer_norm(x_NG, gain_G, groups), [drawn(4, 5), drawn(5)], [])


@pytest.mark.parametrize("kind", [GRUCell, LSTMCell])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("normed", [False, True], ids=["plain", "layer norm"])
def test_cells(initial, kind, masked, normed):
    cell = kind(initial, "c", 3, normed)
    fill(cell)
    mask_BU = tf.constant([[2.0, 0.0, 2.0], [0.0, 2.0, 2.0]], tf.float64) if masked else None
    check_gradients(
        lambda gates_BG, *state: cell(Direct(), gates_BG, state, mask_BU),
        [drawn(B, 3 * cell.num_gates), *cell_state(cell)],
        cell.variables,
    )


def test_masked_softmax():
    check_gradients(lambda energy_BS: masked_softmax(energy_BS, MASK_BS), [drawn(B, S)], [])


@pytest.mark.parametrize("kind", Attention)
def test_attentions(initial, kind):
    config = tiny_config(attention=kind)
    layer: Any = make_attention(config, initial, "a")

    def function(query_BH, values_BSD):
        return attend(layer, Direct(), query_BH, layer.project(values_BSD), values_BSD, MASK_BS)

    check_gradients(function, [drawn(B, config.units), drawn(B, S, 4)], layer.variables)


@pytest.mark.parametrize("kind", Cell)
@pytest.mark.parametrize("noise", [None, NOISE], ids=["plain", "dropout"])
def test_bidirectional_layer(initial, kind, noise):
    layer = BidirectionalLayer(tiny_config(cell=kind, dropout_state=0.4), initial, "l", 3)
    mask_SB1 = tf.cast(tf.transpose(MASK_BS), tf.float64)[:, :, tf.newaxis]
    check_gradients(lambda x_SBI: layer(x_SBI, mask_SB1, noise), [drawn(S, B, 3)], layer.variables)


def test_encoder_stacked_and_residual(initial):
    encoder = Encoder(tiny_config(encoder_layers=2, residual=True), initial)
    mask_SB = tf.transpose(MASK_BS)
    check_gradients(lambda x_SBE: encoder(x_SBE, mask_SB, None), [drawn(S, B, 3)], encoder.variables)


@pytest.mark.parametrize("decoder", Decoder)
@pytest.mark.parametrize("cell, noise", [(Cell.gru, None), (Cell.lstm, NOISE)], ids=["gru", "lstm, dropout"])
def test_attentive_layer(initial, decoder, cell, noise):
    config = tiny_config(decoder=decoder, cell=cell, dropout_state=0.4)
    layer = AttentiveLayer(config, initial, "l")
    fill(layer)

    def function(embedded_TBE, states_BSD, *start):
        memory = Memory(states_BSD, layer.attention.project(states_BSD), MASK_BS, (start,))
        return layer.unroll(embedded_TBE, memory, noise, with_attention=True)

    check_gradients(function, [drawn(T, B, 3), drawn(B, S, 4), *cell_state(layer.cell)], layer.variables)


@pytest.mark.parametrize("residual", [False, True])
def test_upper_layer(initial, residual):
    layer = UpperLayer(tiny_config(residual=residual), initial, "l")
    check_gradients(
        lambda below_TBU, contexts_TBD, start_BU: layer.unroll(below_TBU, contexts_TBD, (start_BU,), None),
        [drawn(T, B, 5), drawn(T, B, 4), drawn(B, 5)],
        layer.variables,
    )


def test_deep_output(initial):
    layer = DeepOutput(tiny_config(), initial, vocabulary=6, tied=None)
    fill(layer)
    rows = [drawn(T, 5), drawn(T, 3), drawn(T, 4)]
    check_gradients(lambda *rows: layer.logits(layer.readout(*rows)), rows, layer.variables)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_loss(smoothing):
    layer = DeepOutput(tiny_config(), Initial(1, tf.float64), vocabulary=6, tied=None)
    fill(layer)
    used = [layer.table_VR, layer.bias_V]
    target_N, readout_NR = tf.constant([2, 0, 4]), drawn(3, 3)
    check_gradients(lambda t_NE: output_loss(layer, t_NE, target_N, smoothing)[0], [readout_NR], used)


LAST = {"cell": Cell.lstm, "decoder": Decoder.conditional, "attention": Attention.dot, "decoder_layers": 2}
DEEP = {"transition_depth": 2}
# Of two features little but the signs is left, with curves that differences of finite width do not follow.
NORMED_SIZES = {"layer_norm": True, "decoder_layers": 2, "encoder_units": 3, "units": 6, **DEEP}
NORMED = {
    f"layer norm, deep, {c.value}, {d.value}, {a.value}": {**NORMED_SIZES, "cell": c, "decoder": d, "attention": a}
    for c, d, a in product(Cell, Decoder, Attention)
}
USUAL = "layer norm, deep, gru, conditional, bahdanau"


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"dropout_words": WordDropout.type}, id="default"),
        pytest.param({**LAST, **DEEP}, id="lstm, conditional, dot, stacked, deep"),
        *(pytest.param(one, id=n, marks=[] if n == USUAL else [pytest.mark.long]) for n, one in NORMED.items()),
    ],
)
def test_the_whole_model_with_its_loss(options):
    rates = ("embedding", "state", "output", "source_words", "target_words")
    dropouts = {f"dropout_{rate}": 0.2 for rate in rates}
    model, _ = model_of(tiny_config(**options, **dropouts))
    source_BS, target_BT = padded([[4, 3, 2], [6, 2]]), padded([[5, 2], [3, 4, 2]])

    def function():
        taught = model.teach(source_BS, target_BT, NOISE)
        return tf.reduce_mean(output_loss(model.output, taught.readout_NR, taught.target_N, 0.1)[0])

    check_gradients(function, [], model.trainable_variables)


def test_the_check_itself_sees_a_wrong_gradient():
    @tf.custom_gradient
    def wrong(x):
        return x * x, lambda dy: 2.001 * x * dy

    with pytest.raises(AssertionError):
        check_gradients(wrong, [tf.constant(np.ones(3))], [])
