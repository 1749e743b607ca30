# B batch, U state, G gates
"""GRU and LSTM by hand and against NumPy; the projection of their inputs."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from nmt.config.model import Cell
from nmt.model.cells import GRUCell, LSTMCell, Projection, make_cell
from nmt.model.initial import Initial
from nmt.model.layer_norm import layer_norm
from nmt.model.weights import Direct
from tests.unit.model_tools import drawn
from tests.unit.model_twins import gru, lstm, tiny_config

B, U = 3, 4


@pytest.fixture
def initial():
    return Initial(seed=1, dtype=tf.float64)


@pytest.mark.parametrize("kind, twin", [(Cell.gru, gru), (Cell.lstm, lstm)])
def test_a_transition_is_numpys(initial, kind, twin):
    cell = make_cell(tiny_config(cell=kind), initial, "c", U)
    cell.recurrent_UG.assign(drawn(U, cell.num_gates * U))
    gates_BG = drawn(B, cell.num_gates * U, seed=1)
    state = tuple(drawn(B, U, seed=2 + part) for part in range(len(cell.start(tf.zeros([B, U])))))
    found = cell(Direct(), gates_BG, state, None)
    for b in range(B):
        recurrent_G = state[0][b].numpy() @ cell.recurrent_UG.numpy()
        expected = twin(gates_BG[b].numpy(), tuple(x[b].numpy() for x in state), recurrent_G)
        for part, value in zip(found, expected, strict=True):
            assert_allclose(part[b], value, rtol=0, atol=1e-12)


def test_a_gru_by_hand(initial):
    """z = 1/2 and r = 1/4 by the gates' inputs: n = tanh(0.1 + r * 0.8) = tanh(0.3), h' = (n + h) / 2."""
    cell = GRUCell(initial, "c", 1)
    cell.recurrent_UG.assign([[0.0, 0.0, 2.0]])
    gates_BG = tf.constant([[0.0, -np.log(3), 0.1]], tf.float64)
    (h_BU,) = cell(Direct(), gates_BG, (tf.constant([[0.4]], tf.float64),), None)
    assert_allclose(h_BU, [[(np.tanh(0.3) + 0.4) / 2]], rtol=1e-12)


def test_an_lstm_by_hand(initial):
    """i = 1/2, f = 1/4, o = 3/4: c' = 0.8/4 + tanh(0.5 + 0.1)/2, h' = 3/4 tanh(c')."""
    cell = LSTMCell(initial, "c", 1)
    cell.recurrent_UG.assign([[0.0, 0.0, 0.0, 0.5]])
    gates_BG = tf.constant([[0.0, -np.log(3), np.log(3), 0.5]], tf.float64)
    state = (tf.constant([[0.2]], tf.float64), tf.constant([[0.8]], tf.float64))
    h_BU, c_BU = cell(Direct(), gates_BG, state, None)
    c = 0.2 + np.tanh(0.6) / 2
    assert_allclose(c_BU, [[c]], rtol=1e-12)
    assert_allclose(h_BU, [[0.75 * np.tanh(c)]], rtol=1e-12)


def test_each_group_of_a_row_is_normalised_for_itself_by_hand():
    """(1, 3): mean 2, variance 1. (0, 2, 4): mean 2, variance 8/3. A row that is all alike is 0."""
    x_NG = tf.constant([[1.0, 3.0, 0.0, 2.0, 4.0], [7.0, 7.0, 0.5, 0.5, 0.5]], tf.float64)
    y_NG = layer_norm(x_NG, tf.constant([2.0, 3.0, 1.0, 1.0, -1.0], tf.float64), (2, 3))
    one, far = 1 / np.sqrt(1 + 1e-5), 2 / np.sqrt(8 / 3 + 1e-5)
    assert_allclose(y_NG, [[-2 * one, 3 * one, -far, 0, -far], [0, 0, 0, 0, 0]], rtol=1e-12)


def test_a_normalised_gru_by_hand(initial):
    """Its products are (1, 3, 1, 3) for z and r and (0, 4) for n, so LN gives (-1, 1, -1, 1) and (-1, 1).

    All gains 0 but that of the candidate, 1/2, and its bias 3/2: z = r = 1/2, m = (1, 2), n = tanh(m / 2).
    """
    cell = GRUCell(initial, "c", 2, normed=True)
    cell.recurrent_UG.assign([[1.0, 3.0, 1.0, 3.0, 0.0, 4.0], [0.0] * 6])
    cell.recurrent_gain_G.assign([0.0, 0.0, 0.0, 0.0, 0.5, 0.5])
    cell.recurrent_bias_U.assign([1.5, 1.5])
    (h_BU,) = cell(Direct(), tf.zeros([1, 6], tf.float64), (tf.constant([[1.0, 0.4]], tf.float64),), None)
    assert_allclose(h_BU, [[(np.tanh(0.5) + 1) / 2, (np.tanh(1.0) + 0.4) / 2]], rtol=1e-5)  # epsilon is left out
    cell.recurrent_gain_G.assign([0.0, 50.0, 0.0, -50.0, 0.5, 0.5])
    (h_BU,) = cell(Direct(), tf.zeros([1, 6], tf.float64), (tf.constant([[1.0, 0.4]], tf.float64),), None)
    assert_allclose(h_BU[0, 1], 0.4, rtol=1e-12)  # z = 1: it stays


def test_a_normalised_lstm_by_hand(initial):
    """Every gate 1/2 and no candidate: c' = c / 2 = (1, 2), LN(c') = (-1, 1), h' = tanh(LN(c') + b) / 2."""
    cell = LSTMCell(initial, "c", 2, normed=True)
    cell.recurrent_gain_G.assign(np.zeros(8))
    cell.cell_bias_U.assign([0.5, 1.0])
    state = (tf.constant([[0.2, 0.1]], tf.float64), tf.constant([[2.0, 4.0]], tf.float64))
    h_BU, c_BU = cell(Direct(), tf.zeros([1, 8], tf.float64), state, None)
    assert_allclose(c_BU, [[1.0, 2.0]], rtol=1e-12)
    assert_allclose(h_BU, [[np.tanh(-0.5) / 2, np.tanh(2.0) / 2]], rtol=1e-4)  # epsilon is left out


@pytest.mark.parametrize("kind", [GRUCell, LSTMCell])
def test_a_mask_drops_from_the_recurrent_product_and_not_from_the_state_itself(initial, kind):
    cell = kind(initial, "c", U)
    gates_BG = tf.fill([B, cell.num_gates * U], tf.constant(50.0, tf.float64))  # every gate open: z = f = 1
    state = tuple(drawn(B, U, seed=part) for part in range(2))[: 1 if kind is GRUCell else 2]
    after = cell(Direct(), gates_BG, state, tf.zeros([B, U], tf.float64))
    if kind is GRUCell:
        assert_allclose(after[0], state[0], atol=1e-12)
    else:
        assert_allclose(after[1], state[1] + 1, atol=1e-12)
    cell.recurrent_UG.assign_add(tf.ones_like(cell.recurrent_UG))
    again = cell(Direct(), gates_BG, state, tf.zeros([B, U], tf.float64))
    tf.nest.map_structure(assert_array_equal, again, after)


@pytest.mark.parametrize("kind, parts", [(GRUCell, 1), (LSTMCell, 2)])
def test_the_first_state_has_the_output_that_was_asked_for(initial, kind, parts):
    state = kind(initial, "c", U).start(drawn(B, U))
    assert len(state) == parts
    assert_array_equal(state[0], drawn(B, U))
    for rest in state[1:]:
        assert_array_equal(rest, np.zeros((B, U)))


@pytest.mark.parametrize("leading", [(), (2,), (2, 3)])
def test_a_projection_serves_any_number_of_axes(initial, leading):
    layer = Projection(initial, "p", 5, LSTMCell(initial, "c", 2))
    layer.bias_G.assign(drawn(8))
    x = drawn(*leading, 1, 5)
    found = layer(x)
    assert found.shape == (*leading, 1, 8)
    assert_allclose(found, x.numpy() @ layer.kernel_IG.numpy() + layer.bias_G.numpy(), rtol=0, atol=1e-12)
