# N rows of a step, B batch, M hypotheses a sentence, H = B*M, S source step, T target step
"""What a beam search wrote at each step, and the way back along it."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf


class History(NamedTuple):
    """One entry a step. Rows are those the step ended with; their number may differ from step to step."""

    token: tf.TensorArray  # int32 [N]
    parent: tf.TensorArray  # int32 [N]: the row of the step before that this one continues
    weight: tf.TensorArray  # float32 [N, S]: the attention that wrote the token

    @classmethod
    def empty(cls, steps: tf.Tensor) -> History:
        """Room for so many steps."""
        kinds = (tf.int32, tf.int32, tf.float32)
        return cls(*(tf.TensorArray(kind, steps, infer_shape=False) for kind in kinds))

    def record(self, step: tf.Tensor, token_N: tf.Tensor, parent_N: tf.Tensor, weight_NS: tf.Tensor) -> History:
        """With this step written."""
        return History(
            self.token.write(step, token_N), self.parent.write(step, parent_N), self.weight.write(step, weight_NS)
        )


def walk_back(
    history: History, end_BM: tf.Tensor, row_BM: tf.Tensor, source_length: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """From the step and row where each hypothesis ended to its beginning: -> tokens [B, M, T], attention [B, M, T, S].

    `end_BM` is -1 where there is no hypothesis. T is the longest length, at least 1; 0 fills the rest.
    """
    shape, end_H = tf.shape(end_BM), tf.reshape(end_BM, [-1])
    steps = tf.maximum(tf.reduce_max(end_H) + 1, 1)

    def back(
        step: tf.Tensor, row_H: tf.Tensor, tokens: tf.TensorArray, weights: tf.TensorArray
    ) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray, tf.TensorArray]:
        on_H = step <= end_H
        at_H = tf.where(on_H, row_H, 0)
        token_H = tf.gather(tf.ensure_shape(history.token.read(step), [None]), at_H)
        weight_HS = tf.gather(tf.ensure_shape(history.weight.read(step), [None, None]), at_H)
        parent_H = tf.gather(tf.ensure_shape(history.parent.read(step), [None]), at_H)
        tokens = tokens.write(step, tf.where(on_H, token_H, 0))
        weights = weights.write(step, tf.where(on_H[:, tf.newaxis], weight_HS, 0.0))
        return step - 1, tf.where(on_H, parent_H, row_H), tokens, weights

    start = (
        steps - 1,
        tf.reshape(row_BM, [-1]),
        tf.TensorArray(tf.int32, steps, element_shape=[None]),
        tf.TensorArray(tf.float32, steps, element_shape=[None, None]),
    )
    _, _, tokens, weights = tf.while_loop(lambda step, *_: step >= 0, back, start)
    tokens_BMT = tf.reshape(tf.transpose(tokens.stack()), tf.concat([shape, [steps]], 0))
    weight_HTS = tf.transpose(weights.stack(), [1, 0, 2])
    return tokens_BMT, tf.reshape(weight_HTS, tf.concat([shape, [steps, source_length]], 0))
