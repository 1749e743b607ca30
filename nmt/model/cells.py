# B batch, U state, G all gates side by side (3U for a GRU, 4U for an LSTM)
"""Recurrent cells: one transition, given the input already projected onto the gates.

The projection of the input, x W + b, does not depend on the state, so layers do it for all time steps at once.

With layer normalisation (Ba, Kiros & Hinton 2016, supplementary material; Sennrich et al. 2017, "Nematus") every
product has its own, LN(x W) + b and LN(h U), so that the input's still is taken outside the loop. As there, a GRU's two
gates are one group and its candidate another, all four parts of an LSTM one. LN has a gain; biases that would only be
added to b are left out, which leaves the one that a GRU's reset gate multiplies and the one of an LSTM's c.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import tensorflow as tf

from nmt.config.model import Cell, ModelConfig
from nmt.model.embedding import Embedded, Words, spread
from nmt.model.initial import Initial
from nmt.model.layer_norm import joined, layer_norm, split, standardise, standardise_back
from nmt.model.products import multiply
from nmt.model.recurrence import Nest
from nmt.model.weights import Weights


class RecurrentCell(Protocol):
    """What an encoder or decoder needs of a cell. The state is a tuple whose first part is the output."""

    units: int
    recurrent_UG: tf.Variable
    kernels: list[tf.Variable]
    vectors: list[tf.Variable]  # that a transition reads
    num_gates: int
    groups: tuple[int, ...]  # of the gates: what is normalised together; none where nothing is

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

    Normalised, LN([h U_z ; h U_r]) and LN(h U_n) + b_h stand for the products.
    """

    num_gates = 3

    def __init__(self, initial: Initial, prefix: str, units: int, normed: bool = False) -> None:
        super().__init__(name="gru")
        self.units, self.groups = units, (2 * units, units) if normed else ()
        self.recurrent_UG = initial.orthogonal(f"{prefix}/recurrent_kernel", units, self.num_gates)
        self.kernels = [self.recurrent_UG]
        self.vectors: list[tf.Variable] = []
        if normed:
            self.recurrent_gain_G = initial.constant(f"{prefix}/recurrent_gain", np.ones(3 * units))
            self.recurrent_bias_U = initial.constant(f"{prefix}/recurrent_bias", np.zeros(units))
            self.vectors = [self.recurrent_gain_G, self.recurrent_bias_U]

    def gate_bias(self) -> np.ndarray:
        return np.zeros(3 * self.units)

    def start(self, output_BU: tf.Tensor) -> Nest:
        return (output_BU,)

    def __call__(self, weights: Weights, gates_BG: tf.Tensor, state: Nest, mask_BU: tf.Tensor | None) -> Nest:
        (h_BU,) = state
        recurrent_BG = weights.product(_masked(h_BU, mask_BU), self.recurrent_UG)
        if not self.groups:
            return (_gru(gates_BG, recurrent_BG, h_BU),)
        return (_normed_gru(gates_BG, recurrent_BG, h_BU, *(weights.read(vector) for vector in self.vectors)),)


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


@tf.custom_gradient
def _normed_gru(
    gates_BG: tf.Tensor, recurrent_BG: tf.Tensor, h_BU: tf.Tensor, gain_G: tf.Tensor, bias_U: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, ...]]]:
    """`_gru` with LN([h U_z ; h U_r]) = g * u and m = LN(h U_n) + b_h = g_n * u_n + b_h.

    The gradients are `_gru`'s, up to what goes back to the products, which passes through LN (layer_norm.py):

        dr = dn m r (1 - r)   dm = r dn   db_h = sum dm   dg = sum [dz ; dr] u   dg_n = sum dm u_n
        d[h U_z ; h U_r] = LN'(g [dz ; dr])   d(h U_n) = LN'(g_n dm)
    """
    groups = [2 * h_BU.shape[1], h_BU.shape[1]]
    (input_zr, input_n), (state_zr, state_n) = split(gates_BG, groups), split(recurrent_BG, groups)
    gain_zr, gain_n = split(gain_G, groups)
    (u_zr, s_zr), (u_n, s_n) = standardise(state_zr), standardise(state_n)
    z_r = tf.sigmoid(input_zr + gain_zr * u_zr)
    z_BU, r_BU = tf.split(z_r, 2, axis=1)
    m_BU = gain_n * u_n + bias_U
    n_BU = tf.tanh(input_n + r_BU * m_BU)
    apart_BU = h_BU - n_BU

    def backward(d_BU: tf.Tensor) -> tuple[tf.Tensor, ...]:
        d_h_BU = z_BU * d_BU
        d_n_BU = tf.raw_ops.TanhGrad(y=n_BU, dy=d_BU - d_h_BU)
        d_z_r = tf.raw_ops.SigmoidGrad(y=z_r, dy=joined([d_BU * apart_BU, d_n_BU * m_BU]))
        d_m_BU = r_BU * d_n_BU
        d_zr_BG, d_m_BG = standardise_back(gain_zr * d_z_r, u_zr, s_zr), standardise_back(gain_n * d_m_BU, u_n, s_n)
        d_gain_G = joined([tf.reduce_sum(d_z_r * u_zr, axis=0), tf.reduce_sum(d_m_BU * u_n, axis=0)])
        d_bias_U = tf.reduce_sum(d_m_BU, axis=0)
        return joined([d_z_r, d_n_BU]), joined([d_zr_BG, d_m_BG]), d_h_BU, d_gain_G, d_bias_U

    return n_BU + z_BU * apart_BU, backward


class LSTMCell(tf.Module):
    """Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate of Gers et al. 2000, its bias from 1).

    i, f, o = sigmoid(x + h U)   g = tanh(x_g + h U_g)   c' = f * c + i * g   h' = o * tanh(c')

    Normalised, LN(h U) stands for the product, and h' = o * tanh(LN(c') + b_c).
    """

    num_gates = 4

    def __init__(self, initial: Initial, prefix: str, units: int, normed: bool = False) -> None:
        super().__init__(name="lstm")
        self.units, self.groups = units, (4 * units,) if normed else ()
        self.recurrent_UG = initial.orthogonal(f"{prefix}/recurrent_kernel", units, self.num_gates)
        self.kernels = [self.recurrent_UG]
        self.vectors: list[tf.Variable] = []
        if normed:
            self.recurrent_gain_G = initial.constant(f"{prefix}/recurrent_gain", np.ones(4 * units))
            self.cell_gain_U = initial.constant(f"{prefix}/cell_gain", np.ones(units))
            self.cell_bias_U = initial.constant(f"{prefix}/cell_bias", np.zeros(units))
            self.vectors = [self.recurrent_gain_G, self.cell_gain_U, self.cell_bias_U]

    def gate_bias(self) -> np.ndarray:
        return np.repeat([0.0, 1.0, 0.0, 0.0], self.units)

    def start(self, output_BU: tf.Tensor) -> Nest:
        return (output_BU, tf.zeros_like(output_BU))

    def __call__(self, weights: Weights, gates_BG: tf.Tensor, state: Nest, mask_BU: tf.Tensor | None) -> Nest:
        h_BU, c_BU = state
        recurrent_BG = weights.product(_masked(h_BU, mask_BU), self.recurrent_UG)
        if self.groups:
            recurrent_BG = layer_norm(recurrent_BG, weights.read(self.recurrent_gain_G), self.groups)
        all_BG = gates_BG + recurrent_BG
        all_B3U, candidate_BU = tf.split(all_BG, [3 * self.units, self.units], axis=1)
        i_BU, f_BU, o_BU = tf.split(tf.sigmoid(all_B3U), 3, axis=1)
        c_BU = f_BU * c_BU + i_BU * tf.tanh(candidate_BU)
        seen_BU = c_BU
        if self.groups:
            seen_BU = layer_norm(c_BU, weights.read(self.cell_gain_U), [self.units]) + weights.read(self.cell_bias_U)
        return (o_BU * tf.tanh(seen_BU), c_BU)


def make_cell(config: ModelConfig, initial: Initial, prefix: str, units: int) -> RecurrentCell:
    """The cell that `config` asks for; its weights are named `prefix/gru/...` or `prefix/lstm/...`."""
    cells: dict[Cell, type[GRUCell] | type[LSTMCell]] = {Cell.gru: GRUCell, Cell.lstm: LSTMCell}
    return cells[config.cell](initial, f"{prefix}/{config.cell.value}", units, config.layer_norm)


class Projection(tf.Module):
    """x W + b onto the gates of a cell, for any number of leading axes; of each distinct word once.

    For a cell that normalises: LN(x W) + b.
    """

    def __init__(self, initial: Initial, prefix: str, width: int, cell: RecurrentCell) -> None:
        super().__init__(name="projection")
        self.compute, self.groups = initial.compute, cell.groups
        self.kernel_IG = initial.glorot(f"{prefix}/kernel", width, *[cell.units] * cell.num_gates)
        if self.groups:
            self.gain_G = initial.constant(f"{prefix}/gain", np.ones(sum(self.groups)))
        self.bias_G = initial.constant(f"{prefix}/bias", cell.gate_bias())

    def __call__(self, x: Embedded) -> tf.Tensor:
        if isinstance(x, Words):
            return spread(self(x.row_UE), x.place)
        flat_NI = tf.reshape(x, [-1, self.kernel_IG.shape[0]])
        shape = tf.concat([tf.shape(x)[:-1], [self.kernel_IG.shape[1]]], 0)
        gates_NG = multiply(flat_NI, self.kernel_IG, self.compute)
        if self.groups:
            gates_NG = layer_norm(gates_NG, tf.convert_to_tensor(self.gain_G), self.groups)
        return tf.reshape(gates_NG + self.bias_G, shape)
