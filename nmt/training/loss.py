# N real target words, V vocabulary
"""Cross-entropy with label smoothing."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from nmt.model.indexing import take_per_row


def smoothed_cross_entropy(logits_NV: tf.Tensor, target_N: tf.Tensor, smoothing: float) -> tuple[tf.Tensor, tf.Tensor]:
    """-> what is minimised, and the negative log-likelihood of the targets (nats): each [N].

    The first is the cross-entropy against a target that gives 1 - smoothing to the right word and spreads the rest
    evenly over the vocabulary, the right word included (Szegedy et al. 2016, section 7):

        loss_n = log sum_v exp(l_nv) - (1 - smoothing) l_n,target - smoothing mean_v l_nv

    Only the first has a gradient. It is taken by hand, softmax - target, in one pass over the N x V logits.
    Raises tf.errors.InvalidArgumentError where a target lies outside the vocabulary.
    """

    @tf.custom_gradient
    def cross_entropy(
        logits_NV: tf.Tensor,
    ) -> tuple[tuple[tf.Tensor, tf.Tensor], Callable[[tf.Tensor, tf.Tensor], tf.Tensor]]:
        right_N = take_per_row(logits_NV, target_N)
        # The kernel returns the likelihood and softmax - one_hot(target) together.
        nll_N, difference_NV = tf.raw_ops.SparseSoftmaxCrossEntropyWithLogits(features=logits_NV, labels=target_N)
        loss_N = nll_N + smoothing * (right_N - tf.reduce_mean(logits_NV, axis=1)) if smoothing else nll_N

        def backward(d_loss_N: tf.Tensor, d_nll_N: tf.Tensor) -> tf.Tensor:
            if not smoothing:
                return difference_NV * d_loss_N[:, tf.newaxis]
            size = tf.shape(logits_NV)
            spread = tf.cast(smoothing / tf.cast(size[1], tf.float64), logits_NV.dtype)
            gradient_NV = (difference_NV - spread) * d_loss_N[:, tf.newaxis]
            places_N2 = tf.stack([tf.range(size[0]), tf.cast(target_N, tf.int32)], axis=1)
            return tf.tensor_scatter_nd_add(gradient_NV, places_N2, smoothing * d_loss_N)

        return (loss_N, nll_N), backward

    loss_N, nll_N = cross_entropy(logits_NV)
    return loss_N, tf.stop_gradient(nll_N)
