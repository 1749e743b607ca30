# B batch, S source step, T target step, N real target words
"""The gradients of a batch, of all its sentences at once or in micro-batches that fit into memory."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from nmt.arithmetic import largest_divisor
from nmt.config.consistency import Consistency
from nmt.config.train import TrainConfig
from nmt.model.noise import Noise
from nmt.model.seq2seq import PAD, Seq2Seq
from nmt.training.consistency import consistent_loss, two_passes
from nmt.training.loss import output_loss
from nmt.training.loss_scale import LossScale


class Gradients(NamedTuple):
    """Of the mean loss a real target word of a batch."""

    loss: tf.Tensor  # that mean
    nll: tf.Tensor  # sum over real target words, nats
    num_tokens: tf.Tensor  # real target words
    gradients: list[tf.Tensor]  # one for each trainable variable, times the loss scale


class Share(NamedTuple):
    """Which part of a batch a replica has."""

    index: tf.Tensor  # of the replica, from 0
    num_replicas: int
    num_tokens: tf.Tensor  # real target words of the whole batch


def batch_gradients(
    model: Seq2Seq,
    config: TrainConfig,
    scale: LossScale,
    source_BS: tf.Tensor,
    target_BT: tf.Tensor,
    noise: Noise,
    share: Share | None = None,
) -> Gradients:
    """Of the whole batch at once, or in micro-batches one after another where the configuration asks for them.

    Each micro-batch counts by its real target words, so loss and gradients are those of the undivided batch but for
    the order of their sums, and for dropout, whose masks each micro-batch draws for itself. With a `share`, what is
    given is that share of a batch, and what comes back are the summands of the whole batch's loss and gradients.
    """
    first = 0 if share is None else tf.cast(share.index, tf.int64)
    if not config.splits_batches():
        total = None if share is None else share.num_tokens
        return _at_once(model, config, scale, source_BS, target_BT, noise._replace(part=first), total)
    num_tokens = count_tokens(target_BT) if share is None else share.num_tokens
    replicas = 1 if share is None else share.num_replicas
    num_rows = tf.shape(source_BS)[0]
    count = num_micro_batches(config, num_rows, tf.maximum(tf.shape(source_BS)[1], tf.shape(target_BT)[1]))

    def body(number: tf.Tensor, loss: tf.Tensor, nll: tf.Tensor, totals: list[tf.Tensor]) -> tuple[object, ...]:
        rows = slice(*rows_of_part(number, count, num_rows))
        own = noise._replace(part=first + tf.cast(number, tf.int64) * replicas)
        here = _at_once(model, config, scale, source_BS[rows], target_BT[rows], own, num_tokens)

        def sums() -> list[tf.Tensor]:
            return [total + gradient for total, gradient in zip(totals, here.gradients, strict=True)]

        # A batch that is not divided has its gradients as they are, and pays for no sums.
        return number + 1, loss + here.loss, nll + here.nll, tf.cond(number == 0, lambda: here.gradients, sums)

    zero, weights = tf.zeros([], model.dtype), model.trainable_variables
    start = (tf.constant(0), zero, zero, [tf.zeros([0], weight.dtype) for weight in weights])
    shapes = (zero.shape, zero.shape, zero.shape, [tf.TensorShape(None) for _ in weights])
    # One after another: two micro-batches at a time would need the memory of both.
    _, loss, nll, totals = tf.while_loop(
        lambda number, *_: number < count, body, start, shape_invariants=shapes, parallel_iterations=1
    )
    shaped = [tf.ensure_shape(total, weight.shape) for total, weight in zip(totals, weights, strict=True)]
    return Gradients(loss, nll, num_tokens, shaped)


def count_tokens(target_BT: tf.Tensor) -> tf.Tensor:
    """How many real target words there are, end marks included."""
    return tf.math.count_nonzero(target_BT != PAD, dtype=tf.int32)


def rows_of_part(number: tf.Tensor, count: tf.Tensor, num_rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Where part `number` (from 0) of `count` begins and ends; sizes differ by one at most, larger ones come first."""
    return -(-number * num_rows // count), -(-(number + 1) * num_rows // count)


def num_micro_batches(config: TrainConfig, num_rows: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Into how many micro-batches, whose rows differ by one at most, a batch of `num_rows` x `width` is cut.

    Where batches have a fixed number of sentences, a micro-batch has the largest divisor of it that fits (80 with room
    for 50: two of 40). A batch of any other size is cut into as few as fit.
    """
    most = num_rows
    if config.micro_batch_sentences is not None:
        batch, part = config.batch_sentences, config.micro_batch_sentences
        most = tf.constant(part if batch is None else largest_divisor(batch, part))
    if config.micro_batch_tokens is not None:
        most = tf.minimum(most, tf.maximum(config.micro_batch_tokens // width, 1))
    return -(-num_rows // most)


def _at_once(
    model: Seq2Seq,
    config: TrainConfig,
    scale: LossScale,
    source_BS: tf.Tensor,
    target_BT: tf.Tensor,
    noise: Noise,
    num_tokens: tf.Tensor | None,
) -> Gradients:
    """All that is given; `num_tokens`: real target words of the batch that this is a part of (None: the whole)."""
    weights = list(model.trainable_variables)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(weights)
        if config.consistency is Consistency.none:
            taught = model.teach(source_BS, target_BT, noise)
            loss_N, nll_N = output_loss(model.output, taught.readout_NR, taught.target_N, config.label_smoothing)
        else:
            passes = two_passes(model, config, source_BS, target_BT, noise)
            loss_N, nll_N = consistent_loss(model.output, passes, config)
        if num_tokens is None:
            loss = tf.reduce_mean(loss_N)
        else:
            loss = tf.reduce_sum(loss_N) / tf.cast(num_tokens, loss_N.dtype)
        scaled = scale.up(loss)
    gradients = [tf.convert_to_tensor(gradient) for gradient in tape.gradient(scaled, weights)]
    return Gradients(loss, tf.reduce_sum(nll_N), tf.size(nll_N), gradients)
