# N rows, I and O width of a product's input and output, B batch, X, Y and Z any
"""Matrix products in a type of their own (mixed precision, Micikevicius et al. 2018), and one product a sentence."""

from __future__ import annotations

import tensorflow as tf


def multiply(x_NI: tf.Tensor, kernel_IO: tf.Tensor, compute: tf.DType | None, transpose_b: bool = False) -> tf.Tensor:
    """x W -> [N, O] in the type of x; both factors are rounded to `compute` first (None: as they are).

    The gradients' products are taken in `compute` too. Sums within a product are the library's: float32 for bfloat16.
    """
    kind = compute or x_NI.dtype
    product_NO = tf.matmul(tf.cast(x_NI, kind), tf.cast(kernel_IO, kind), transpose_b=transpose_b)
    return tf.cast(product_NO, x_NI.dtype)


def multiply_each(x_BXY: tf.Tensor, y_BYZ: tf.Tensor, transpose_b: bool = False) -> tf.Tensor:
    """x_b y_b for each sentence b -> [B, X, Z]; y is [B, Z, Y] where it is transposed.

    tf.matmul would have oneDNN make and keep a program of 0.3 MB for every B, X and Y that it meets, and of these there
    are as many as batches; it takes twice the time where X is 1, too. This operation is Eigen's on a CPU.
    """
    kind = x_BXY.dtype
    return tf.raw_ops.BatchMatMulV3(x=x_BXY, y=y_BYZ, Tout=kind, adj_y=transpose_b)


def mix(weight_BS: tf.Tensor, values_BSD: tf.Tensor) -> tf.Tensor:
    """sum_s w_s h_s: [B, S], [B, S, D] -> [B, D]."""
    return tf.squeeze(multiply_each(weight_BS[:, tf.newaxis], values_BSD), 1)


def match(query_BD: tf.Tensor, keys_BSD: tf.Tensor) -> tf.Tensor:
    """q . h_s: [B, D], [B, S, D] -> [B, S]."""
    return tf.squeeze(multiply_each(query_BD[:, tf.newaxis], keys_BSD, transpose_b=True), 1)
