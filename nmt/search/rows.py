# N rows, A sentences still searched
"""Moving rows of nested tensors, and loops over them."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

# The batch shrinks when at least this share of it is finished: often enough that little is computed in vain, seldom
# enough that copying what stays (the encoded sources above all) costs little.
SHRINK_SHARE = 1 / 8


def gather_rows(nest: Any, row_N: tf.Tensor) -> Any:
    """The given rows of each tensor, in the given order."""
    return tf.nest.map_structure(lambda x: tf.gather(x, row_N), nest)


def repeat_rows(nest: Any, times: int) -> Any:
    """Each row `times` times in succession."""
    return tf.nest.map_structure(lambda x: tf.repeat(x, times, axis=0), nest)


def keep_shapes(new: Any, old: Any) -> Any:
    """`new`, knowing the static widths of `old`: what a loop carries may not lose them."""

    def keep(x: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
        x.set_shape([None, *like.shape[1:]])
        return x

    return tf.nest.map_structure(keep, new, old)


def varying_rows(nest: Any) -> Any:
    """The shapes of a loop's variables whose number of rows changes."""

    def relaxed(x: Any) -> Any:
        if isinstance(x, tf.TensorArray):
            return tf.TensorShape(None)
        return tf.TensorShape([None, *x.shape[1:]]) if x.shape.rank else x.shape

    return tf.nest.map_structure(relaxed, nest)


def survivors(alive_A: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Who stays in the batch: -> rows that stay, int32, and whether that is fewer than before."""
    count, alive = tf.size(alive_A), tf.reduce_sum(tf.cast(alive_A, tf.int32))
    share = 1.0 - tf.cast(alive, tf.float32) / tf.cast(count, tf.float32)
    leave = tf.logical_and(alive > 0, share >= SHRINK_SHARE)
    stay_A = tf.cond(leave, lambda: tf.cast(tf.where(alive_A)[:, 0], tf.int32), lambda: tf.range(count))
    return stay_A, leave


def must_change(alive_A: tf.Tensor, room_A: tf.Tensor) -> tf.Tensor:
    """Whether sentences need other numbers of rows than they have.

    `alive_A`: how many they would use. True where one lacks rows, and where the share of rows that nobody uses is
    worth a move (SHRINK_SHARE); never where nobody uses any, since then the search is over.
    """
    used, rows = tf.reduce_sum(alive_A), tf.reduce_sum(room_A)
    idle = 1.0 - tf.cast(used, tf.float32) / tf.cast(rows, tf.float32)
    return (used > 0) & (tf.reduce_any(alive_A > room_A) | (idle >= SHRINK_SHARE))
