# N rows, S source step, E embedding, U a cell's state, D encoder state, A attention, G gates, R readout, V vocabulary
"""The model once more, in NumPy: one sentence, and a row for each prefix of its translation.

With so few rows TensorFlow takes longer to call its many small operations than they take. The equations are those of
`encoder.py`, `decoder.py`, `cells.py`, `layer_norm.py`, `attention.py` and `output.py`, the weights the very same,
products in float32.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nmt.config.model import Cell, Decoder, ModelConfig, Tie
from nmt.model.layer_norm import EPSILON

Floats = NDArray[np.float32]
State = tuple[Floats, ...]  # of a cell; the first part is its output
FEW = 12  # rows


class Source(NamedTuple):
    """A sentence that was read."""

    states_SD: Floats
    keys_SA: Floats
    initial: tuple[State, ...]  # of each layer of the decoder, one row


def product(x_NI: Floats, kernel_IO: Floats) -> Floats:
    """x W. Of few rows each is multiplied for itself: for several BLAS copies the kernel first, at more cost."""
    if len(x_NI) > FEW:
        return x_NI @ kernel_IO
    product_NO = np.empty((len(x_NI), kernel_IO.shape[1]), np.float32)
    for row, x_I in enumerate(x_NI):
        np.dot(x_I, kernel_IO, out=product_NO[row])
    return product_NO


def sigmoid(x: Floats) -> Floats:
    half: Floats = np.tanh(0.5 * x)
    half *= 0.5
    half += 0.5
    return half


def softmax(energy_NS: Floats) -> Floats:
    power_NS: Floats = np.exp(energy_NS - energy_NS.max(axis=1, keepdims=True))
    power_NS /= power_NS.sum(axis=1, keepdims=True)
    return power_NS


def layer_norm(x_NG: Floats, gain_G: Floats) -> Floats:
    """One group of features."""
    apart_NG: Floats = x_NG - x_NG.mean(axis=1, keepdims=True)
    apart_NG /= np.sqrt(np.square(apart_NG).mean(axis=1, keepdims=True) + np.float32(EPSILON))
    apart_NG *= gain_G
    return apart_NG


def gru(gates_NG: Floats, recurrent_NG: Floats, h_NU: Floats) -> Floats:
    one = h_NU.shape[1]
    two = 2 * one
    z_r = sigmoid(gates_NG[:, :two] + recurrent_NG[:, :two])
    z_NU, r_NU = z_r[:, :one], z_r[:, one:]
    n_NU = np.tanh(gates_NG[:, two:] + r_NU * recurrent_NG[:, two:])
    new_NU: Floats = n_NU + z_NU * (h_NU - n_NU)
    return new_NU


def lstm(all_NG: Floats, c_NU: Floats) -> tuple[Floats, Floats]:
    """-> the output gate, c'."""
    three = 3 * c_NU.shape[1]
    i_NU, f_NU, o_NU = np.split(sigmoid(all_NG[:, :three]), 3, axis=1)
    return o_NU, f_NU * c_NU + i_NU * np.tanh(all_NG[:, three:])


class ArrayModel:
    """Reads one sentence, and writes on with each of a few prefixes; it attends by two layers (`bahdanau`)."""

    def __init__(self, config: ModelConfig, weights: Mapping[str, Floats]) -> None:
        """`weights` by their names, as `Seq2Seq.named_weights` has them."""
        self.config, self.weights = config, weights
        joint = config.tie is Tie.all
        self.source_VE = weights["embedding/table" if joint else "encoder/embedding/table"]
        self.target_VE = weights["embedding/table" if joint else "decoder/embedding/table"]
        self.output_VR = weights["output/table"] if config.tie is Tie.none else self.target_VE
        self.output_RV = np.ascontiguousarray(self.output_VR.T)
        self.bias_V = weights["output/bias"]
        self.first = "decoder" if config.decoder_layers == 1 else "decoder/layer_0"

    def writing(self, piece_W: NDArray[np.int32]) -> ArrayModel:
        """The same, with these target pieces alone, numbered from 0."""
        narrow = copy.copy(self)
        narrow.target_VE, narrow.bias_V = self.target_VE[piece_W], self.bias_V[piece_W]
        narrow.output_RV = np.ascontiguousarray(self.output_VR[piece_W].T)
        return narrow

    def _weight(self, prefix: str, name: str) -> Floats:
        return self.weights[f"{prefix}/{self.config.cell.value}/{name}"]

    def _normed(self, prefix: str, name: str, x_NG: Floats) -> Floats:
        """A product as it enters the gates, `name` being its gain."""
        if not self.config.layer_norm:
            return x_NG
        gain_G = self._weight(prefix, name)
        if self.config.cell is Cell.lstm:
            return layer_norm(x_NG, gain_G)
        two = 2 * len(gain_G) // 3  # the gates; the candidate is a group of its own
        parts = [layer_norm(x_NG[:, :two], gain_G[:two]), layer_norm(x_NG[:, two:], gain_G[two:])]
        return np.concatenate(parts, axis=1)

    def _gates(self, prefix: str, x_NI: Floats) -> Floats:
        """The projected input of a cell."""
        product_NG = product(x_NI, self._weight(prefix, "kernel"))
        return self._normed(prefix, "gain", product_NG) + self._weight(prefix, "bias")

    def _cell(self, prefix: str, gates_NG: Floats, state: State) -> State:
        """One transition."""
        h_NU = state[0]
        product_NG = product(h_NU, self._weight(prefix, "recurrent_kernel"))
        recurrent_NG = self._normed(prefix, "recurrent_gain", product_NG)
        if self.config.cell is Cell.gru:
            if self.config.layer_norm:
                recurrent_NG[:, -h_NU.shape[1] :] += self._weight(prefix, "recurrent_bias")
            return (gru(gates_NG, recurrent_NG, h_NU),)
        o_NU, c_NU = lstm(gates_NG + recurrent_NG, state[1])
        seen_NU = c_NU
        if self.config.layer_norm:
            seen_NU = layer_norm(c_NU, self._weight(prefix, "cell_gain")) + self._weight(prefix, "cell_bias")
        return (o_NU * np.tanh(seen_NU), c_NU)

    def _layer(self, prefix: str, gates_NG: Floats, state: State) -> State:
        """All transitions of a time step, the first of which sees `gates_NG`."""
        return self._further(prefix, self._cell(prefix, gates_NG, state))

    def _further(self, prefix: str, state: State) -> State:
        for number in range(2, self.config.transition_depth + 1):
            name = f"{prefix}/transition_{number}"
            state = self._cell(name, self._weight(name, "bias")[np.newaxis], state)
        return state

    def _start(self, output_NU: Floats) -> State:
        return (output_NU,) if self.config.cell is Cell.gru else (output_NU, np.zeros_like(output_NU))

    def _direction(self, prefix: str, x_SI: Floats) -> Floats:
        """-> states [S, U] of an encoder's layer that reads the rows in this order."""
        gates_SG, states_SU = self._gates(prefix, x_SI), []
        state = self._start(np.zeros((1, self.config.encoder_units), np.float32))
        for step in range(len(x_SI)):
            state = self._layer(prefix, gates_SG[step : step + 1], state)
            states_SU.append(state[0])
        return np.concatenate(states_SU)

    def encode(self, source: Sequence[int]) -> Source:
        """Read ids, the end mark among them."""
        x_SI, layers = self.source_VE[np.asarray(source)], self.config.encoder_layers
        for number in range(layers):
            prefix = "encoder" if layers == 1 else f"encoder/layer_{number}"
            backward_SU = self._direction(f"{prefix}/backward", x_SI[::-1])[::-1]
            y_SD = np.concatenate([self._direction(f"{prefix}/forward", x_SI), backward_SU], axis=1)
            x_SI = x_SI + y_SD if self.config.residual and number else y_SD
        half, weights = self.config.encoder_units, self.weights
        ends_1D = np.concatenate([x_SI[-1:, :half], x_SI[:1, half:]], axis=1)
        starts_1X = np.tanh(product(ends_1D, weights["decoder/start/kernel"]) + weights["decoder/start/bias"])
        initial = tuple(map(self._start, np.split(starts_1X, self.config.decoder_layers, axis=1)))
        return Source(x_SI, product(x_SI, weights[f"{self.first}/attention/memory_kernel"]), initial)

    def _energy(self, query_NU: Floats, keys_SA: Floats) -> Floats:
        """-> [N, S]."""
        projected_NA = product(query_NU, self.weights[f"{self.first}/attention/query_kernel"])
        hidden_NSA = projected_NA[:, np.newaxis] + keys_SA
        energy_NS: Floats = np.tanh(hidden_NSA, out=hidden_NSA) @ self.weights[f"{self.first}/attention/energy"]
        return energy_NS

    def step(
        self, token_N: NDArray[np.intp], state: tuple[State, ...], source: Source
    ) -> tuple[Floats, tuple[State, ...], Floats]:
        """One word further: -> logits [N, V], new state, attention [N, S]."""
        first, y_NE = state[0], self.target_VE[token_N]
        gates_NG, conditional = self._gates(self.first, y_NE), self.config.decoder is Decoder.conditional
        if conditional:
            first = self._cell(self.first, gates_NG, first)
        second = f"{self.first}/second" if conditional else self.first
        weight_NS = softmax(self._energy(first[0], source.keys_SA))
        context_ND: Floats = weight_NS @ source.states_SD
        rest_NG = self._weight(second, "bias") if conditional else gates_NG
        product_NG = product(context_ND, self._weight(second, "context_kernel"))
        first = self._cell(second, self._normed(second, "context_gain", product_NG) + rest_NG, first)
        first = self._further(self.first, first)
        output_NU, new = first[0], [first]
        for number, old in enumerate(state[1:], start=1):
            prefix = f"decoder/layer_{number}"
            gates_NG = self._gates(prefix, np.concatenate([output_NU, context_ND], axis=1))
            new.append(self._layer(prefix, gates_NG, old))
            output_NU = output_NU + new[-1][0] if self.config.residual else new[-1][0]
        joined_NX = np.concatenate([output_NU, y_NE, context_ND], axis=1)
        t_NR = np.tanh(product(joined_NX, self.weights["output/deep/kernel"]) + self.weights["output/deep/bias"])
        return product(t_NR, self.output_RV) + self.bias_V, tuple(new), weight_NS
