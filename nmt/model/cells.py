# B batch, U state, G all gates side by side (3U for a GRU, 4U for an LSTM)
"""Recurrent cells: one transition, given the input already projected onto the gates.

The projection of the input, x W + b, does not depend on the state, so layers do it for all time steps at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import tensorflow as tf

from nmt.config.model import Cell
from nmt.model.embedding import Embedded, Words, spread
from nmt.model.initial import Initial
from nmt.model.products import multiply
from nmt.model.recurrence import Nest
from nmt.model.weights import Weights


class RecurrentCell(Protocol):
    """What an encoder or decoder needs of a cell. The state is a tuple whose first part is the output."""

    units: int
    recurrent_UG: tf.Variable
    kernels: list[tf.Variable]
    num_gates: int

    def gate_bias(self) -> np.ndarray:
        """First value of the bias of the projected input, [G]."""

    def start(self, output_BU: tf.Tensor) -> Nest:
        """The state whose output is `output_BU`."""

    def __call__(self, weights: Weights, gates_BG: tf.Tensor, state: Nest, mask_BU: tf.Tensor | None) -> Nest:
        """One transition. `mask_BU` multiplies the state that enters the recurrent product (variational dropout)."""


def _masked(state_BU: tf.Tensor, mask_BU: tf.Tensor | None) -> tf.Tensor:
    return state_BU if mask_BU is None else state_BU * mask_BU


class GRUCell(tf.Module):
    """Gated recurrent unit (Cho et al. 2014), with the reset gate after the product so that one product serves all.

    z = sigmoid(x_z + h U_z)   r = sigmoid(x_r + h U_r)   n = tanh(x_n + r * (h U_n))   h' = n + z * (h - n)
    """

    num_gates = 3

    def __init__(self, initial: Initial, prefix: str, units: int) -> None:
        super().__init__(name="gru")
        self.units = units
        self.recurrent_UG = initial.orthogonal(f"{prefix}/recurrent_kernel", units, self.num_gates)
        self.kernels = [self.recurrent_UG]

    def gate_bias(self) -> np.ndarray:
        return np.zeros(3 * self.units)

    def start(self, output_BU: tf.Tensor) -> Nest:
        return (output_BU,)

    def __call__(self, weights: Weights, gates_BG: tf.Tensor, state: Nest, mask_BU: tf.Tensor | None) -> Nest:
        (h_BU,) = state
        recurrent_BG = weights.product(_masked(h_BU, mask_BU), self.recurrent_UG)
        return (_gru(gates_BG, recurrent_BG, h_BU),)


@tf.custom_gradient
def _gru(
    gates_BG: tf.Tensor, recurrent_BG: tf.Tensor, h_BU: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, ...]]]:
    """The new state, given what of the gates comes from the input and what from the state.

    The gradient is written out since TensorFlow's own puts each gate's share together twice, and negates and adds up
    where one difference will do:

        dh = z dh'   dn = (dh' - dh) (1 - n^2)   dr = dn (h U_n) r (1 - r)   dz = dh' (h - n) z (1 - z)
    """
    input_z, input_r, input_n = tf.split(gates_BG, 3, axis=1)
    state_z, state_r, state_n = tf.split(recurrent_BG, 3, axis=1)
    z_BU, r_BU = tf.sigmoid(input_z + state_z), tf.sigmoid(input_r + state_r)
    n_BU = tf.tanh(input_n + r_BU * state_n)
    apart_BU = h_BU - n_BU

    def backward(d_BU: tf.Tensor) -> tuple[tf.Tensor, ...]:
        d_h_BU = z_BU * d_BU
        d_n_BU = tf.raw_ops.TanhGrad(y=n_BU, dy=d_BU - d_h_BU)
        d_r_BU = tf.raw_ops.SigmoidGrad(y=r_BU, dy=d_n_BU * state_n)
        d_z_BU = tf.raw_ops.SigmoidGrad(y=z_BU, dy=d_BU * apart_BU)
        d_gates_BG = tf.concat([d_z_BU, d_r_BU, d_n_BU], axis=1)
        return d_gates_BG, tf.concat([d_z_BU, d_r_BU, r_BU * d_n_BU], axis=1), d_h_BU

    return n_BU + z_BU * apart_BU, backward


class LSTMCell(tf.Module):
    """Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate of Gers et al. 2000, its bias from 1).

    i, f, o = sigmoid(x + h U)   g = tanh(x_g + h U_g)   c' = f * c + i * g   h' = o * tanh(c')
    """

    num_gates = 4

    def __init__(self, initial: Initial, prefix: str, units: int) -> None:
        super().__init__(name="lstm")
        self.units = units
        self.recurrent_UG = initial.orthogonal(f"{prefix}/recurrent_kernel", units, self.num_gates)
        self.kernels = [self.recurrent_UG]

    def gate_bias(self) -> np.ndarray:
        return np.repeat([0.0, 1.0, 0.0, 0.0], self.units)

    def start(self, output_BU: tf.Tensor) -> Nest:
        return (output_BU, tf.zeros_like(output_BU))

    def __call__(self, weights: Weights, gates_BG: tf.Tensor, state: Nest, mask_BU: tf.Tensor | None) -> Nest:
        h_BU, c_BU = state
        all_BG = gates_BG + weights.product(_masked(h_BU, mask_BU), self.recurrent_UG)
        all_B3U, candidate_BU = tf.split(all_BG, [3 * self.units, self.units], axis=1)
        i_BU, f_BU, o_BU = tf.split(tf.sigmoid(all_B3U), 3, axis=1)
        c_BU = f_BU * c_BU + i_BU * tf.tanh(candidate_BU)
        return (o_BU * tf.tanh(c_BU), c_BU)


def make_cell(kind: Cell, initial: Initial, prefix: str, units: int) -> RecurrentCell:
    """The cell called `kind`; its weights are named `prefix/gru/...` or `prefix/lstm/...`."""
    cells: dict[Cell, type[GRUCell] | type[LSTMCell]] = {Cell.gru: GRUCell, Cell.lstm: LSTMCell}
    return cells[kind](initial, f"{prefix}/{kind.value}", units)


class Projection(tf.Module):
    """x W + b onto the gates of a cell, for any number of leading axes; of each distinct word once."""

    def __init__(self, initial: Initial, prefix: str, width: int, cell: RecurrentCell) -> None:
        super().__init__(name="projection")
        self.compute = initial.compute
        self.kernel_IG = initial.glorot(f"{prefix}/kernel", width, *[cell.units] * cell.num_gates)
        self.bias_G = initial.constant(f"{prefix}/bias", cell.gate_bias())

    def __call__(self, x: Embedded) -> tf.Tensor:
        if isinstance(x, Words):
            return spread(self(x.row_UE), x.place)
        flat_NI = tf.reshape(x, [-1, self.kernel_IG.shape[0]])
        shape = tf.concat([tf.shape(x)[:-1], [self.kernel_IG.shape[1]]], 0)
        return tf.reshape(multiply(flat_NI, self.kernel_IG, self.compute) + self.bias_G, shape)
