# B batch, S source step, T target step, V vocabulary
"""How likely a given translation is."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from nmt.config.search import SearchConfig
from nmt.data.specials import BOS, PAD
from nmt.model.indexing import take_per_row
from nmt.search.interface import SearchMemory, SearchModel, State
from nmt.search.penalties import score
from nmt.search.rows import keep_shapes, varying_rows


class Scored(NamedTuple):
    """What a model says of given targets."""

    score_B: tf.Tensor  # float32: as a search would score it (`nmt.search.penalties`)
    log_prob_B: tf.Tensor  # float32, natural logarithm: of the whole target
    log_prob_BT: tf.Tensor  # float32: of each word after those before it; 0 on padding
    weight_BTS: tf.Tensor  # float32: where the model looked; 0 on padding


class Scorer:
    """Forces a model to write given targets, step by step with the same `step` that a search uses."""

    def __init__(self, model: SearchModel, cfg: SearchConfig) -> None:
        self.model, self.cfg = model, cfg
        spec = tf.TensorSpec([None, None], tf.int32)
        self._graph = tf.function(self._score, input_signature=[spec, spec], autograph=False)

    def __call__(self, source_BS: tf.Tensor, target_BT: tf.Tensor) -> Scored:
        """Sources and targets, int32, each ending in EOS and padded with 0."""
        return Scored(*self._graph(source_BS, target_BT))

    def _score(self, source_BS: tf.Tensor, target_BT: tf.Tensor) -> tuple[tf.Tensor, ...]:
        memory = self.model.encode(source_BS)
        log_prob_BT, weight_BTS = self._force(memory, target_BT)
        log_prob_B = tf.reduce_sum(log_prob_BT, axis=1)
        length_B = tf.reduce_sum(tf.cast(target_BT != PAD, tf.int32), axis=1)
        score_B = score(log_prob_B, length_B, tf.reduce_sum(weight_BTS, axis=1), memory.mask_BS, self.cfg)
        return Scored(score_B, log_prob_B, log_prob_BT, weight_BTS)

    def _force(self, memory: SearchMemory, target_BT: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """-> log-probability of each word [B, T], attention [B, T, S]."""
        steps = tf.shape(target_BT)[1]
        target_TB = tf.transpose(target_BT)
        before_TB = tf.concat([tf.fill([1, tf.shape(target_BT)[0]], BOS), target_TB[:-1]], axis=0)

        def step(
            t: tf.Tensor, state: State, log_probs: tf.TensorArray, weights: tf.TensorArray
        ) -> tuple[tf.Tensor, State, tf.TensorArray, tf.TensorArray]:
            logits_BV, new, weight_BS = self.model.step(before_TB[t], state, memory)
            log_prob_B = take_per_row(tf.nn.log_softmax(logits_BV), target_TB[t])
            real_B = target_TB[t] != PAD
            log_probs = log_probs.write(t, tf.where(real_B, log_prob_B, 0.0))
            weights = weights.write(t, tf.where(real_B[:, tf.newaxis], tf.cast(weight_BS, tf.float32), 0.0))
            return t + 1, keep_shapes(new, state), log_probs, weights

        start = (
            tf.constant(0),
            memory.initial,
            tf.TensorArray(tf.float32, steps, element_shape=[None]),
            tf.TensorArray(tf.float32, steps, element_shape=[None, None]),
        )
        shapes = varying_rows(start)
        _, _, log_probs, weights = tf.while_loop(lambda t, *_: t < steps, step, start, shape_invariants=shapes)
        return tf.transpose(log_probs.stack()), tf.transpose(weights.stack(), [1, 0, 2])
