# B batch, U state, G gates
"""Further transitions within a time step: a deeper way from one state to the next."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from nmt.config.model import ModelConfig
from nmt.model.cells import make_cell
from nmt.model.initial import Initial
from nmt.model.noise import Noise, state_mask
from nmt.model.recurrence import Nest
from nmt.model.weights import Weights


class FurtherTransitions(tf.Module):
    """Deep transition (Pascanu et al. 2014; Miceli Barone et al. 2017, "Deep Architectures for NMT").

        s^1 = cell_1(x_t; s_{t-1})   s^k = cell_k(b_k; s^{k-1}), k = 2 .. depth   s_t = s^depth

    Each has weights of its own, and none but the first, which is the layer's, sees the input.
    """

    def __init__(self, config: ModelConfig, initial: Initial, prefix: str, units: int) -> None:
        super().__init__(name="transitions")
        self.rate = config.dropout_state
        self.prefixes = [f"{prefix}/transition_{number}" for number in range(2, config.transition_depth + 1)]
        self.cells = [make_cell(config, initial, name, units) for name in self.prefixes]
        self.biases = [
            initial.constant(f"{name}/{config.cell.value}/bias", cell.gate_bias())
            for name, cell in zip(self.prefixes, self.cells, strict=True)
        ]
        self.kernels = [kernel for cell in self.cells for kernel in cell.kernels]
        self.vectors = [*self.biases, *(vector for cell in self.cells for vector in cell.vectors)]

    def masks(self, like_BU: tf.Tensor, noise: Noise | None) -> list[tf.Tensor | None]:
        """Variational dropout of the state that enters each."""
        return [state_mask(like_BU, self.rate, noise, name) for name in self.prefixes]

    def __call__(self, weights: Weights, state: Nest, masks: Sequence[tf.Tensor | None] = ()) -> Nest:
        """-> the state after all of them."""
        for number, (cell, bias_G) in enumerate(zip(self.cells, self.biases, strict=True)):
            shape = [tf.shape(state[0])[0], cell.num_gates * cell.units]
            gates_BG = tf.broadcast_to(weights.read(bias_G), shape)
            state = cell(weights, gates_BG, state, masks[number] if masks else None)
        return state
