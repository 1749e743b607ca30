# N rows, G features: one or several groups of them side by side
"""Layer normalisation (Ba, Kiros & Hinton 2016): every row of a group of features has mean 0 and variance 1.

With u = (x - mean x) / sqrt(var x + epsilon) =: (x - mean x) s, means over the features of one row,

    y = g * u        dg = sum_rows dy * u        dx = s (du - mean du - u mean(du * u)),  du = g * dy

since both the mean and the variance depend on every x of the row. What is added behind (a bias) is the cells' own.
Values, statistics and gradients are of the type of x, float32 in training, whatever type a product was taken in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

EPSILON = 1e-5  # as in the code of Ba et al. and in Nematus


def standardise(x_NG: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """-> u [N, G], s [N, 1]."""
    apart_NG = x_NG - tf.reduce_mean(x_NG, axis=1, keepdims=True)
    s_N1 = tf.math.rsqrt(tf.reduce_mean(tf.square(apart_NG), axis=1, keepdims=True) + EPSILON)
    return apart_NG * s_N1, s_N1


def standardise_back(d_NG: tf.Tensor, u_NG: tf.Tensor, s_N1: tf.Tensor) -> tf.Tensor:
    """dx, given du."""
    mean_N1 = tf.reduce_mean(d_NG, axis=1, keepdims=True)
    along_N1 = tf.reduce_mean(d_NG * u_NG, axis=1, keepdims=True)
    return s_N1 * (d_NG - mean_N1 - u_NG * along_N1)


def layer_norm(x_NG: tf.Tensor, gain_G: tf.Tensor, groups: Sequence[int]) -> tf.Tensor:
    """y, of each of `groups` (their sizes add up to G) for itself."""

    @tf.custom_gradient
    def run(x_NG: tf.Tensor, gain_G: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]]:
        parts = [standardise(part) for part in split(x_NG, groups)]
        u_NG = joined([u for u, _ in parts])

        def backward(d_NG: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            d_u = split(d_NG * gain_G, groups)
            d_x_NG = joined([standardise_back(d, u, s) for d, (u, s) in zip(d_u, parts, strict=True)])
            return d_x_NG, tf.reduce_sum(d_NG * u_NG, axis=0)

        return u_NG * gain_G, backward

    y_NG: tf.Tensor = run(x_NG, gain_G)
    return y_NG


def split(x: tf.Tensor, groups: Sequence[int]) -> list[tf.Tensor]:
    """Along the last axis."""
    parts: list[tf.Tensor] = [x] if len(groups) == 1 else tf.split(x, list(groups), axis=-1)
    return parts


def joined(parts: Sequence[tf.Tensor]) -> tf.Tensor:
    return parts[0] if len(parts) == 1 else tf.concat(parts, axis=-1)
