# N rows, I and O width of a product's input and output
"""Matrix products in a type of their own (mixed precision, Micikevicius et al. 2018)."""

from __future__ import annotations

import tensorflow as tf


def multiply(x_NI: tf.Tensor, kernel_IO: tf.Tensor, compute: tf.DType | None, transpose_b: bool = False) -> tf.Tensor:
    """x W -> [N, O] in the type of x; both factors are rounded to `compute` first (None: as they are).

    The gradients' products are taken in `compute` too. Sums within a product are the library's: float32 for bfloat16.
    """
    kind = compute or x_NI.dtype
    product_NO = tf.matmul(tf.cast(x_NI, kind), tf.cast(kernel_IO, kind), transpose_b=transpose_b)
    return tf.cast(product_NO, x_NI.dtype)
