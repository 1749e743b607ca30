# B batch, S source step, T target step, N real target words, R width of the readout, V vocabulary
"""Two passes over one batch whose predictions are made to agree: R-Drop (Wu et al. 2021), SimCut (Gao et al. 2022)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from nmt.config.consistency import Consistency
from nmt.config.train import TrainConfig
from nmt.model.embedding import spread
from nmt.model.indexing import take_per_row
from nmt.model.noise import Noise
from nmt.model.output import DeepOutput
from nmt.model.products import multiply
from nmt.model.seq2seq import PAD, Seq2Seq
from nmt.training.loss import logit_products, nll_of, take_away


class Passes(NamedTuple):
    """The deep output's input of the same real words in both passes, and which words they are."""

    first_NR: tf.Tensor
    second_NR: tf.Tensor
    target_N: tf.Tensor


class _Share(NamedTuple):
    """How much each term counts."""

    first: float  # the first pass's cross-entropy
    second: float
    forward: float  # KL(first | second)
    backward: float  # KL(second | first)


def two_passes(model: Seq2Seq, config: TrainConfig, source_BS: tf.Tensor, target_BT: tf.Tensor, noise: Noise) -> Passes:
    """Both passes as one batch of 2 B sentences, so that the loops over time run once."""
    if config.consistency is Consistency.simcut:
        noise = noise._replace(cutoff=config.token_cutoff)
    taught = model.teach(tf.tile(source_BS, [2, 1]), tf.tile(target_BT, [2, 1]), noise)
    # Its rows come step by step, in each step the real words of the first pass and then the same ones of the second.
    real_TB = tf.transpose(target_BT != PAD)
    step_N = tf.cast(tf.where(real_TB)[:, 0], tf.int32)
    words_T = tf.math.count_nonzero(real_TB, axis=1, dtype=tf.int32)
    first_N = tf.range(tf.size(step_N)) + tf.gather(tf.cumsum(words_T, exclusive=True), step_N)
    second_N = first_N + tf.gather(words_T, step_N)
    first_NR, second_NR = (spread(taught.readout_NR, place_N, rising=True) for place_N in (first_N, second_N))
    return Passes(first_NR, second_NR, tf.gather(taught.target_N, first_N))


def consistent_loss(output: DeepOutput, passes: Passes, config: TrainConfig) -> tuple[tf.Tensor, tf.Tensor]:
    """-> what is minimised, and the negative log-likelihood of the targets (nats): each [N].

    With p and q the predictions of the two passes, CE the cross-entropy against the smoothed target and a the weight:

        rdrop     [CE(p) + CE(q) + a (KL(p | q) + KL(q | p)) / 2] / 2       Wu et al. 2021, halved
        simcut    CE(p) + a KL(p | q), q being the pass with words cut      Gao et al. 2022

    Halved, so that loss and clipping mean what they mean without it. The gradient goes through both sides of each KL,
    which both papers found necessary, and is taken by hand, of which one array of N x V a pass is kept:

        d KL(p | q) / d logits of p = p (log p - log q - KL(p | q))         d KL(p | q) / d logits of q = q - p

    The likelihood is the first pass's.
    """
    smoothing, share, target_N = config.label_smoothing, _shares(config), passes.target_N

    @tf.custom_gradient
    def loss(
        first_NR: tf.Tensor, second_NR: tf.Tensor, table_VR: tf.Tensor, bias_V: tf.Tensor
    ) -> tuple[tuple[tf.Tensor, tf.Tensor], Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, ...]]]:
        readouts = first_NR, second_NR
        logits = [multiply(t_NR, table_VR, output.compute, transpose_b=True) + bias_V for t_NR in readouts]
        p_NV, q_NV = (tf.nn.softmax(x_NV) for x_NV in logits)
        nlls = [nll_of(x_NV, s_NV, target_N) for x_NV, s_NV in zip(logits, (p_NV, q_NV), strict=True)]
        right = [take_per_row(x_NV, target_N) for x_NV in logits]
        # log p - log q is this and a number a row: two logarithms and exponentials over N x V less
        apart_NV, shift_N1 = logits[0] - logits[1], (right[1] + nlls[1] - right[0] - nlls[0])[:, tf.newaxis]
        forward_N1 = tf.reduce_sum(p_NV * apart_NV, axis=1, keepdims=True) + shift_N1
        backward_N1 = tf.zeros_like(forward_N1)
        if share.backward:
            backward_N1 = -tf.reduce_sum(q_NV * apart_NV, axis=1, keepdims=True) - shift_N1
        loss_N = (share.forward * forward_N1 + share.backward * backward_N1)[:, 0]
        for part, t_NR, right_N, own_nll_N in zip(share[:2], readouts, right, nlls, strict=True):
            if part:
                mean_N = tf.linalg.matvec(t_NR, tf.reduce_mean(table_VR, axis=0)) + tf.reduce_mean(bias_V)
                loss_N += part * (own_nll_N + smoothing * (right_N - mean_N))
        level_N1 = share.first + share.backward + share.forward * (shift_N1 - forward_N1)
        d_first_NV = _slope(p_NV, share.forward, apart_NV, level_N1) - share.backward * q_NV
        level_N1 = share.second + share.forward - share.backward * (shift_N1 + backward_N1)
        d_second_NV = _slope(q_NV, -share.backward, apart_NV, level_N1) - share.forward * p_NV
        differences = [
            take_away(d_NV, target_N, part * (1.0 - smoothing))
            for d_NV, part in ((d_first_NV, share.first), (d_second_NV, share.second))
        ]

        def gradients(g_N: tf.Tensor, unused: tf.Tensor) -> tuple[tf.Tensor, ...]:
            first, second = (
                logit_products(output.compute, difference_NV, t_NR, table_VR, g_N, part * smoothing)
                for difference_NV, t_NR, part in zip(differences, readouts, share[:2], strict=True)
            )
            return first[0], second[0], first[1] + second[1], first[2] + second[2]

        return (loss_N, nlls[0]), gradients

    weights = tf.convert_to_tensor(output.table_VR), tf.convert_to_tensor(output.bias_V)
    loss_N, nll_N = loss(passes.first_NR, passes.second_NR, *weights)
    return loss_N, tf.stop_gradient(nll_N)


def _slope(p_NV: tf.Tensor, amount: float, apart_NV: tf.Tensor, level_N1: tf.Tensor) -> tf.Tensor:
    """p (amount apart + level), in as few passes over N x V as there are."""
    return p_NV * (amount * apart_NV + level_N1) if amount else p_NV * level_N1


def _shares(config: TrainConfig) -> _Share:
    weight = config.agreement
    shares = {Consistency.rdrop: _Share(0.5, 0.5, weight / 4, weight / 4), Consistency.simcut: _Share(1, 0, weight, 0)}
    return shares[config.consistency]
