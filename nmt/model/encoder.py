# B batch, S source step, E embedding, U units a direction, D = 2U encoder state, G gates
"""Reads the source in both directions."""

from __future__ import annotations

import tensorflow as tf

from nmt.config.model import ModelConfig
from nmt.model.cells import Projection, make_cell
from nmt.model.indexing import take_per_row
from nmt.model.initial import Initial
from nmt.model.noise import Noise, state_mask
from nmt.model.recurrence import Nest, unroll
from nmt.model.weights import Weights


def hold(mask_B1: tf.Tensor, new: Nest, old: Nest) -> Nest:
    """The new state where the mask is 1, the old one where it is 0 (padding)."""
    return tf.nest.map_structure(lambda after, before: before + mask_B1 * (after - before), new, old)


class BidirectionalLayer(tf.Module):
    """One recurrent layer in each direction, in one loop (Schuster & Paliwal 1997).

    h_s = [forward_s ; backward_s]. Padding leaves the state as it was, so the backward direction starts at 0 on the
    last real word whatever the padding.
    """

    def __init__(self, config: ModelConfig, initial: Initial, prefix: str, width: int) -> None:
        super().__init__(name="bidirectional")
        self.rate, self.prefix, self.compute = config.dropout_state, prefix, initial.compute
        units = config.encoder_units
        self.cells = [make_cell(config.cell, initial, f"{prefix}/{way}", units) for way in ("forward", "backward")]
        self.inputs = [
            Projection(initial, f"{prefix}/{way}/{config.cell.value}", width, cell)
            for way, cell in zip(("forward", "backward"), self.cells, strict=True)
        ]

    def __call__(self, x_SBI: tf.Tensor, mask_SB1: tf.Tensor, noise: Noise | None) -> tf.Tensor:
        """-> states [S, B, 2U]; mask: 1 on words, 0 on padding, of the model's float type."""
        forward, backward = self.cells
        zeros_BU = tf.zeros([tf.shape(x_SBI)[1], forward.units], x_SBI.dtype)
        masks = [state_mask(zeros_BU, self.rate, noise, f"{self.prefix}/{way}") for way in ("forward", "backward")]

        def step(weights: Weights, state: Nest, inputs: Nest, shared: Nest) -> tuple[Nest, Nest]:
            (f_BG, b_BG), (old_f, old_b), (mask_f_B1, mask_b_B1) = inputs[:2], state, inputs[2:]
            new_f = hold(mask_f_B1, forward(weights, f_BG, old_f, masks[0]), old_f)
            new_b = hold(mask_b_B1, backward(weights, b_BG, old_b, masks[1]), old_b)
            return (new_f, new_b), (new_f[0], new_b[0])

        inputs = (
            self.inputs[0](x_SBI),
            tf.reverse(self.inputs[1](x_SBI), [0]),
            mask_SB1,
            tf.reverse(mask_SB1, [0]),
        )
        start = (forward.start(zeros_BU), backward.start(zeros_BU))
        (f_SBU, b_SBU), _ = unroll(step, [*forward.kernels, *backward.kernels], [], start, inputs, (), self.compute)
        return tf.concat([f_SBU, tf.reverse(b_SBU, [0])], axis=2)


class Encoder(tf.Module):
    """Stacked bidirectional layers, with residual connections between equally wide ones where asked for."""

    def __init__(self, config: ModelConfig, initial: Initial) -> None:
        super().__init__(name="encoder")
        self.residual, width = config.residual, config.embedding
        self.layers: list[BidirectionalLayer] = []
        for number in range(config.encoder_layers):
            prefix = "encoder" if config.encoder_layers == 1 else f"encoder/layer_{number}"
            self.layers.append(BidirectionalLayer(config, initial, prefix, width))
            width = 2 * config.encoder_units

    def __call__(self, x_BSE: tf.Tensor, mask_BS: tf.Tensor, noise: Noise | None) -> tuple[tf.Tensor, tf.Tensor]:
        """Embedded words and their mask (bool) -> states [B, S, D]; and [B, D], what each direction ended with."""
        x_SBI = tf.transpose(x_BSE, [1, 0, 2])
        mask_SB1 = tf.cast(tf.transpose(mask_BS), x_BSE.dtype)[:, :, tf.newaxis]
        for number, layer in enumerate(self.layers):
            y_SBD = layer(x_SBI, mask_SB1, noise)
            x_SBI = x_SBI + y_SBD if self.residual and number > 0 else y_SBD
        states_BSD = tf.transpose(x_SBI, [1, 0, 2])
        length_B = tf.reduce_sum(tf.cast(mask_BS, tf.int64), axis=1)
        half = states_BSD.shape[2] // 2
        last_BU = take_per_row(states_BSD[:, :, :half], tf.maximum(length_B - 1, 0))
        return states_BSD, tf.concat([last_BU, states_BSD[:, 0, half:]], axis=1)
