# B batch, S step, V vocabulary, E embedding
"""Words as vectors."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from nmt.model.initial import Initial


class Embedding(tf.Module):
    """Row `id` of a table, one row a piece; the output layer may share the table (Press & Wolf 2017)."""

    def __init__(self, initial: Initial, prefix: str, vocabulary: int, width: int) -> None:
        super().__init__(name="embedding")
        self.dtype = initial.dtype  # of what comes out: the table may be a copy rounded for the output's product
        # 1/sqrt(width): as the output's weights, the same table then gives logits of variance near 1.
        self.table_VE = initial.normal(f"{prefix}/table", vocabulary, width, width**-0.5)

    def __call__(self, ids: tf.Tensor) -> tf.Tensor:
        """Integers of any shape -> the same shape with E added."""
        return tf.cast(look_up(tf.convert_to_tensor(self.table_VE), ids), self.dtype)


def look_up(table_VE: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
    """Rows of a table, with a dense gradient.

    TensorFlow's own gradient is a list of rows; where a table is shared with the output layer, whose gradient is dense,
    it would turn the dense one into rows as well before it adds the two.
    """

    @tf.custom_gradient
    def rows(table_VE: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        def backward(dy: tf.Tensor) -> tf.Tensor:
            vocabulary, width = table_VE.shape
            dy_NE = tf.reshape(dy, [-1, width])
            return tf.math.unsorted_segment_sum(dy_NE, tf.reshape(ids, [-1]), vocabulary)

        return tf.gather(table_VE, ids), backward

    return rows(table_VE)
