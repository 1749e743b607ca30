# N real target words, R width of the readout, V vocabulary
"""Cross-entropy with label smoothing, taken together with the output layer's product."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from nmt.model.indexing import take_per_row
from nmt.model.output import DeepOutput
from nmt.model.products import multiply

_SMALL = 1e-30  # probabilities above it have all their digits in float32
_PLACES = 2**31 - 1  # that an int32 can tell


def output_loss(
    output: DeepOutput, readout_NR: tf.Tensor, target_N: tf.Tensor, smoothing: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """-> what is minimised, and the negative log-likelihood of the targets (nats): each [N].

    The first is the cross-entropy against a target that gives 1 - smoothing to the right word and spreads the rest
    evenly over the vocabulary, the right word included (Szegedy et al. 2016, section 7), of the logits l = t E' + b:

        loss_n = log sum_v exp(l_nv) - (1 - smoothing) l_n,target - smoothing mean_v l_nv

    Only the first has a gradient, in the readout t, the table E and the bias b. It is taken by hand, since N x V is by
    far the largest array of a step: of it only softmax - (1 - smoothing) one_hot is kept. What else the gradient in the
    logits has is the same in a whole row or for all words, and joins after the products:

        dl = g (softmax - (1 - smoothing) one_hot - smoothing / V)        dt = dl E    dE = dl' t    db = dl' 1

    Raises tf.errors.InvalidArgumentError where a target lies outside the vocabulary.
    """

    @tf.custom_gradient
    def cross_entropy(
        t_NR: tf.Tensor, table_VR: tf.Tensor, bias_V: tf.Tensor
    ) -> tuple[tuple[tf.Tensor, tf.Tensor], Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, ...]]]:
        logits_NV = multiply(t_NR, table_VR, output.compute, transpose_b=True) + bias_V
        softmax_NV = tf.nn.softmax(logits_NV)
        nll_N = nll_of(logits_NV, softmax_NV, target_N)
        loss_N = nll_N
        if smoothing:
            mean_N = tf.linalg.matvec(t_NR, tf.reduce_mean(table_VR, axis=0)) + tf.reduce_mean(bias_V)
            loss_N += smoothing * (take_per_row(logits_NV, target_N) - mean_N)
        with tf.control_dependencies([nll_N]):  # its last reader: from here on softmax may be changed where it lies
            difference_NV = take_away(softmax_NV, target_N, 1.0 - smoothing)

        def backward(g_N: tf.Tensor, unused: tf.Tensor) -> tuple[tf.Tensor, ...]:
            return logit_products(output.compute, difference_NV, t_NR, table_VR, g_N, smoothing)

        return (loss_N, nll_N), backward

    weights = tf.convert_to_tensor(output.table_VR), tf.convert_to_tensor(output.bias_V)
    loss_N, nll_N = cross_entropy(readout_NR, *weights)
    return loss_N, tf.stop_gradient(nll_N)


def take_away(x_NV: tf.Tensor, column_N: tf.Tensor, amount: float) -> tf.Tensor:
    """x less `amount` at one place of each row; x itself is changed, so nobody may read it any more.

    Scattering copies all of x first, and takes as long as the softmax; in place it is N subtractions. Places are told
    to the latter as int32, which x may outgrow.
    """
    shape = tf.shape(x_NV)
    row_N, column_N = tf.range(shape[0]), tf.cast(column_N, tf.int32)
    amount_N = tf.fill(shape[:1], tf.constant(amount, x_NV.dtype))

    def in_place() -> tf.Tensor:
        place_N, flat = row_N * shape[1] + column_N, tf.reshape(x_NV, [-1, 1])
        return tf.reshape(tf.raw_ops.InplaceSub(x=flat, i=place_N, v=amount_N[:, tf.newaxis]), shape)

    def copied() -> tf.Tensor:
        return tf.tensor_scatter_nd_sub(x_NV, tf.stack([row_N, column_N], axis=1), amount_N)

    taken_NV = tf.cond(tf.size(x_NV, tf.int64) <= _PLACES, in_place, copied)
    return tf.ensure_shape(taken_NV, x_NV.shape)


def nll_of(logits_NV: tf.Tensor, softmax_NV: tf.Tensor, target_N: tf.Tensor) -> tf.Tensor:
    """-log p of the targets. From the logits' maxima, two more passes over them, only where some p is nearly 0."""
    right_N = take_per_row(softmax_NV, target_N)

    def by_maxima() -> tf.Tensor:
        # The largest probability is 1 / sum_v exp(l_v - max l), and at least 1 / V: its logarithm is safe.
        log_sum_N = tf.reduce_max(logits_NV, axis=1) - tf.math.log(tf.reduce_max(softmax_NV, axis=1))
        return log_sum_N - take_per_row(logits_NV, target_N)

    return tf.cond(tf.reduce_all(right_N > _SMALL), lambda: -tf.math.log(right_N), by_maxima)


def logit_products(
    compute: tf.DType | None,
    difference_NV: tf.Tensor,
    t_NR: tf.Tensor,
    table_VR: tf.Tensor,
    g_N: tf.Tensor,
    smoothing: float,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Gradients in readout, table and bias, given those in the losses: of g (difference - smoothing / V)."""
    kind, g_N1 = compute or t_NR.dtype, g_N[:, tf.newaxis]
    rounded_NV, weighted_NR = tf.cast(difference_NV, kind), g_N1 * t_NR
    d_t_NR = tf.cast(rounded_NV @ tf.cast(table_VR, kind), t_NR.dtype)
    d_table_VR = tf.cast(tf.matmul(rounded_NV, tf.cast(weighted_NR, kind), transpose_a=True), table_VR.dtype)
    d_bias_V = tf.matmul(g_N1, difference_NV, transpose_a=True)[0]
    if not smoothing:
        return g_N1 * d_t_NR, d_table_VR, d_bias_V
    mean_R = smoothing * tf.reduce_mean(table_VR, axis=0)
    even_R, even = [smoothing / table_VR.shape[0] * tf.reduce_sum(x, axis=0) for x in (weighted_NR, g_N)]
    return g_N1 * (d_t_NR - mean_R), d_table_VR - even_R, d_bias_V - even
