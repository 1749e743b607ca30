# B batch, S source step, E embedding, U units a direction, D = 2U encoder state, G gates
"""Reads the source in both directions."""

from __future__ import annotations

import tensorflow as tf

from nmt.config.model import ModelConfig
from nmt.model.cells import Projection, make_cell
from nmt.model.embedding import Embedded, backwards
from nmt.model.initial import Initial
from nmt.model.noise import Noise, state_mask
from nmt.model.recurrence import Nest, unroll
from nmt.model.transitions import FurtherTransitions
from nmt.model.weights import Weights


class BidirectionalLayer(tf.Module):
    """One recurrent layer in each direction, in one loop (Schuster & Paliwal 1997).

    h_s = [forward_s ; backward_s]. The backward direction meets the padding first and stays at 0 in it, so it starts at
    0 on the last real word whatever the padding. The forward one meets it last: nobody looks at what stands there.
    """

    def __init__(self, config: ModelConfig, initial: Initial, prefix: str, width: int) -> None:
        super().__init__(name="bidirectional")
        self.rate, self.prefix, self.compute = config.dropout_state, prefix, initial.compute
        units = config.encoder_units
        self.cells = [make_cell(config, initial, f"{prefix}/{way}", units) for way in ("forward", "backward")]
        self.inputs = [
            Projection(initial, f"{prefix}/{way}/{config.cell.value}", width, cell)
            for way, cell in zip(("forward", "backward"), self.cells, strict=True)
        ]
        self.further = [
            FurtherTransitions(config, initial, f"{prefix}/{way}", units) for way in ("forward", "backward")
        ]

    def __call__(self, x_SBI: Embedded, mask_SB1: tf.Tensor, noise: Noise | None) -> tf.Tensor:
        """-> states [S, B, 2U]; mask: 1 on words, 0 on padding, of the model's float type."""
        forward, backward = self.cells
        zeros_BU = tf.zeros([tf.shape(mask_SB1)[1], forward.units], mask_SB1.dtype)
        further_f, further_b = self.further
        further_masks = further_f.masks(zeros_BU, noise), further_b.masks(zeros_BU, noise)
        masks = [state_mask(zeros_BU, self.rate, noise, f"{self.prefix}/{way}") for way in ("forward", "backward")]

        def step(weights: Weights, state: Nest, inputs: Nest, shared: Nest) -> tuple[Nest, Nest]:
            (f_BG, b_BG, real_B1), (old_f, old_b) = inputs, state
            new_f = further_f(weights, forward(weights, f_BG, old_f, masks[0]), further_masks[0])
            new_b = further_b(weights, backward(weights, b_BG, old_b, masks[1]), further_masks[1])
            new_b = tf.nest.map_structure(lambda x: x * tf.stop_gradient(real_B1), new_b)
            return (new_f, new_b), (new_f[0], new_b[0])

        inputs = (self.inputs[0](x_SBI), self.inputs[1](backwards(x_SBI)), tf.reverse(mask_SB1, [0]))
        start = (forward.start(zeros_BU), backward.start(zeros_BU))
        kernels = [*forward.kernels, *backward.kernels, *further_f.kernels, *further_b.kernels]
        vectors = [*forward.vectors, *backward.vectors, *further_f.vectors, *further_b.vectors]
        (f_SBU, b_SBU), _ = unroll(step, kernels, vectors, start, inputs, (), self.compute)
        return tf.concat([f_SBU, tf.reverse(b_SBU, [0])], axis=2)


class Encoder(tf.Module):
    """Stacked bidirectional layers, with residual connections between equally wide ones where asked for."""

    def __init__(self, config: ModelConfig, initial: Initial) -> None:
        super().__init__(name="encoder")
        self.residual, self.dtype, width = config.residual, initial.dtype, config.embedding
        self.layers: list[BidirectionalLayer] = []
        for number in range(config.encoder_layers):
            prefix = "encoder" if config.encoder_layers == 1 else f"encoder/layer_{number}"
            self.layers.append(BidirectionalLayer(config, initial, prefix, width))
            width = 2 * config.encoder_units

    def __call__(self, x_SBE: Embedded, mask_SB: tf.Tensor, noise: Noise | None) -> tuple[tf.Tensor, tf.Tensor]:
        """Embedded words and their mask (bool) -> states [B, S, D]; and [B, D], what each direction ended with."""
        x_SBI, mask_SB1 = x_SBE, tf.cast(mask_SB, self.dtype)[:, :, tf.newaxis]
        for number, layer in enumerate(self.layers):
            y_SBD = layer(x_SBI, mask_SB1, noise)
            x_SBI = x_SBI + y_SBD if self.residual and number > 0 else y_SBD
        return tf.transpose(x_SBI, [1, 0, 2]), _ends(x_SBI, mask_SB)


def _ends(states_SBD: tf.Tensor, mask_SB: tf.Tensor) -> tf.Tensor:
    """[B, D]: what each direction ended with, on the last and on the first word.

    Both are taken at once: the gradient of whatever is taken out of the states is as large as all of them.
    """
    rows, width = tf.shape(mask_SB)[1], states_SBD.shape[2]
    row_B, length_B = tf.range(rows), tf.math.count_nonzero(mask_SB, axis=0, dtype=tf.int32)
    last_B = tf.maximum(length_B - 1, 0) * rows + row_B
    ends_ND = tf.gather(tf.reshape(states_SBD, [-1, width]), tf.concat([last_B, row_B], 0))
    return tf.concat([ends_ND[:rows, : width // 2], ends_ND[rows:, width // 2 :]], axis=1)
