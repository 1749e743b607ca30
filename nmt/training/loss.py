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
        vocabulary = logits_NV.shape[1]
        even = smoothing / vocabulary
        wanted_NV = tf.one_hot(target_N, vocabulary, 1.0 - smoothing + even, even, dtype=logits_NV.dtype)
        # The kernel returns the cross-entropy and softmax - wanted together.
        loss_N, difference_NV = tf.raw_ops.SoftmaxCrossEntropyWithLogits(features=logits_NV, labels=wanted_NV)
        nll_N = loss_N - smoothing * (right_N - tf.reduce_mean(logits_NV, axis=1))

        def backward(d_loss_N: tf.Tensor, d_nll_N: tf.Tensor) -> tf.Tensor:
            return difference_NV * d_loss_N[:, tf.newaxis]

        return (loss_N, nll_N), backward

    loss_N, nll_N = cross_entropy(logits_NV)
    return loss_N, tf.stop_gradient(nll_N)
