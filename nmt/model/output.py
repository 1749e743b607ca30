# N rows, U decoder state, E embedding, D encoder state, R readout, V vocabulary
"""From the decoder's state to a score for every word."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from nmt.config.model import ModelConfig
from nmt.model.initial import Initial
from nmt.model.products import multiply


class DeepOutput(tf.Module):
    """t = tanh(W [s ; y ; c] + b),  logits = t E' + b_V  (Pascanu et al. 2014; Bahdanau et al. 2015, appendix A.1.2).

    Where t is as wide as an embedding, E may be the embedding table itself.
    """

    def __init__(self, config: ModelConfig, initial: Initial, vocabulary: int, tied: tf.Variable | None) -> None:
        super().__init__(name="output")
        self.compute = initial.compute
        width = config.units + config.embedding + 2 * config.encoder_units
        self.kernel_XR = initial.glorot("output/deep/kernel", width, config.readout)
        self.bias_R = initial.constant("output/deep/bias", np.zeros(config.readout))
        self.table_VR = tied
        if tied is None:
            self.table_VR = initial.normal("output/table", vocabulary, config.readout, config.readout**-0.5)
        self.bias_V = initial.constant("output/bias", np.zeros(vocabulary))
        self.table_RV: tf.Tensor | None = None

    def turn(self) -> None:
        """Have the table the other way round beside it: a product would turn it at every step of a loop."""
        self.table_RV = tf.transpose(self.table_VR)

    def readout(self, state: tf.Tensor, embedded: tf.Tensor, context: tf.Tensor) -> tf.Tensor:
        """[..., U], [..., E], [..., D] -> t [..., R]."""
        joined = tf.concat([state, embedded, context], axis=-1)
        flat_NX = tf.reshape(joined, [-1, self.kernel_XR.shape[0]])
        t_NR = tf.tanh(multiply(flat_NX, self.kernel_XR, self.compute) + self.bias_R)
        return tf.reshape(t_NR, tf.concat([tf.shape(joined)[:-1], [self.kernel_XR.shape[1]]], 0))

    def logits(self, t_NR: tf.Tensor) -> tf.Tensor:
        """-> [N, V]."""
        if self.table_RV is not None:
            return multiply(t_NR, self.table_RV, self.compute) + self.bias_V
        return multiply(t_NR, self.table_VR, self.compute, transpose_b=True) + self.bias_V
