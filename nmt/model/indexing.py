# N rows, V columns
"""Per-row indexing: NumPy's `M[arange(n), idx]` for tensors."""

from __future__ import annotations

import tensorflow as tf


def take_per_row(matrix_NV: tf.Tensor, index_N: tf.Tensor) -> tf.Tensor:
    """Element `index_N[n]` of each row n: [N, V, ...] and integers [N] -> [N, ...], differentiable in the matrix.

    The loss picks the right word's logit with it, and every search the words it has chosen among the best.

    Raises tf.errors.InvalidArgumentError for an index outside [0, V): on every device, and for negative ones too,
    since -1 stands for "nothing" more often than for "the last".
    """
    matrix_NV = tf.convert_to_tensor(matrix_NV)
    index_N = tf.cast(index_N, tf.int64)
    shape = tf.shape(matrix_NV, out_type=tf.int64)
    inside = tf.logical_and(index_N >= 0, index_N < shape[1])
    message = "take_per_row: an index lies outside its row"
    with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(inside), [message, index_N, shape[1]])]):
        flat = tf.reshape(matrix_NV, tf.concat([[shape[0] * shape[1]], shape[2:]], 0))
        taken = tf.gather(flat, tf.range(shape[0]) * shape[1] + index_N)
    taken.set_shape(index_N.shape[:1].concatenate(matrix_NV.shape[2:]))
    return taken
