# B batch, A sentences still searched, C candidates of a row, S source step, T target step, V vocabulary
"""Greedy search: the best word, then the best word after it. What a beam of width 1 finds, without its bookkeeping."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from nmt.config.search import SearchConfig
from nmt.data.specials import BOS, EOS, PAD
from nmt.model.indexing import take_per_row
from nmt.search.graphs import GraphSearch
from nmt.search.interface import Hypotheses, SearchModel, State
from nmt.search.penalties import limits, score
from nmt.search.rows import gather_rows, keep_shapes, repeat_rows, survivors, varying_rows
from nmt.search.rules import Demands, RuledBatch, Rules
from nmt.search.words import best_words


class Prefixes(NamedTuple):
    """Where the search stands."""

    step: tf.Tensor  # int32 []: words written
    place_A: tf.Tensor  # int32: which sentence of the batch
    alive_A: tf.Tensor  # bool: not yet ended
    limit_A: tf.Tensor  # int32: its longest translation
    token_A: tf.Tensor  # int32: the last word
    state: State
    memory: Any
    written: Any  # what the rules remember of each row; () without rules
    key_A: Any  # what a draw depends on; () where the best word is taken
    log_prob_B: tf.Tensor  # float32
    coverage_BS: tf.Tensor  # float32: attention that each source word got
    tokens: tf.TensorArray  # int32 [B] a step
    weights: tf.TensorArray  # float32 [B, S] a step


class GreedySearch(GraphSearch):
    """Finds one translation for each sentence. A new shape of batch is not traced anew.

    With `copies` each sentence has so many rows, one after the other; they differ where `_choose` does not take the
    best word (`nmt.search.sampling`).
    """

    def __init__(self, model: SearchModel, cfg: SearchConfig, rules: Rules | None = None, copies: int = 1) -> None:
        super().__init__(model, rules)
        self.cfg, self.copies = cfg, copies

    def _keys(self, source_BS: tf.Tensor) -> Any:
        """What a draw of each row depends on."""
        return ()

    def _choose(self, old: Prefixes, logits_AV: tf.Tensor, allowed_AV: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
        """-> log-probability [A] and word [A]."""
        word_AC, token_AC = best_words(logits_AV, 1, old.step + 1 >= old.limit_A, allowed_AV)
        best_A = tf.argmax(word_AC, axis=1)
        return take_per_row(word_AC, best_A), take_per_row(token_AC, best_A)

    def _start(self, model: SearchModel, source_BS: tf.Tensor, ruled: RuledBatch | None) -> Prefixes:
        memory = model.encode(source_BS)
        if self.copies > 1:
            memory = repeat_rows(memory, self.copies)
        size = tf.shape(memory.mask_BS)[0]
        limit_B = limits(memory.mask_BS, self.cfg)
        if ruled is not None:
            limit_B = ruled.room(limit_B)
        return Prefixes(
            step=tf.constant(0),
            place_A=tf.range(size),
            alive_A=tf.fill([size], True),
            limit_A=limit_B,
            token_A=tf.fill([size], BOS),
            state=memory.initial,
            memory=memory,
            written=() if ruled is None else ruled.start(size, tf.reduce_max(limit_B)),
            key_A=self._keys(source_BS),
            log_prob_B=tf.zeros([size]),
            coverage_BS=tf.zeros(tf.shape(memory.mask_BS)),
            tokens=tf.TensorArray(tf.int32, 0, dynamic_size=True, element_shape=[None]),
            weights=tf.TensorArray(tf.float32, 0, dynamic_size=True, element_shape=[None, None]),
        )

    def _allowed(self, old: Prefixes, ruled: RuledBatch | None) -> tf.Tensor | None:
        """bool [A, V]: what the rules leave."""
        if ruled is None:
            return None
        return ruled.judge(old.written, old.place_A, old.step, old.limit_A).allowed_NV

    def _write(self, old: Prefixes, ruled: RuledBatch | None, token_A: tf.Tensor) -> Any:
        """What the rules remember after this word."""
        if ruled is None:
            return ()
        return ruled.write(old.written, old.place_A, old.step, token_A)

    def _step(self, model: SearchModel, old: Prefixes, ruled: RuledBatch | None) -> Prefixes:
        """One word further."""
        logits_AV, state, weight_AS = model.step(old.token_A, old.state, old.memory)
        log_prob_A, token_A = self._choose(old, logits_AV, self._allowed(old, ruled))
        log_prob_A = tf.where(old.alive_A, log_prob_A, 0.0)
        token_A = tf.where(old.alive_A, token_A, PAD)
        weight_AS = tf.where(old.alive_A[:, tf.newaxis], tf.cast(weight_AS, tf.float32), 0.0)
        place_A1, size = old.place_A[:, tf.newaxis], tf.size(old.log_prob_B)
        source_length = tf.shape(weight_AS)[1]
        alive_A = tf.logical_and(old.alive_A, token_A != EOS) & tf.math.is_finite(log_prob_A)
        stay_A, leave = survivors(alive_A)
        memory = tf.cond(leave, lambda: gather_rows(old.memory, stay_A), lambda: old.memory)
        return Prefixes(
            step=old.step + 1,
            place_A=tf.gather(old.place_A, stay_A),
            alive_A=tf.gather(alive_A, stay_A),
            limit_A=tf.gather(old.limit_A, stay_A),
            token_A=tf.gather(token_A, stay_A),
            state=keep_shapes(gather_rows(state, stay_A), old.state),
            memory=keep_shapes(memory, old.memory),
            written=keep_shapes(gather_rows(self._write(old, ruled, token_A), stay_A), old.written),
            key_A=keep_shapes(gather_rows(old.key_A, stay_A), old.key_A),
            log_prob_B=tf.tensor_scatter_nd_add(old.log_prob_B, place_A1, log_prob_A),
            coverage_BS=tf.tensor_scatter_nd_add(old.coverage_BS, place_A1, weight_AS),
            tokens=old.tokens.write(old.step, tf.scatter_nd(place_A1, token_A, [size])),
            weights=old.weights.write(old.step, tf.scatter_nd(place_A1, weight_AS, [size, source_length])),
        )

    def _search(self, model: SearchModel, source_BS: tf.Tensor, demands: Demands | None = None) -> Hypotheses:
        ruled = None if demands is None or self.rules is None else self.rules.on(repeat_rows(demands, self.copies))
        start = self._start(model, source_BS, ruled)
        end = tf.while_loop(
            lambda prefixes: tf.reduce_any(prefixes.alive_A),
            lambda prefixes: (self._step(model, prefixes, ruled),),
            (start,),
            shape_invariants=(varying_rows(start),),
        )[0]
        tokens_BT, weight_BTS = tf.transpose(end.tokens.stack()), tf.transpose(end.weights.stack(), [1, 0, 2])
        ended_B = tf.reduce_any(tokens_BT == EOS, axis=1)
        found_B = tf.logical_and(ended_B, tf.math.is_finite(end.log_prob_B))
        length_B = tf.where(found_B, tf.reduce_sum(tf.cast(tokens_BT != PAD, tf.int32), axis=1), 0)
        mask_BS = start.memory.mask_BS
        score_B = score(end.log_prob_B, tf.maximum(length_B, 1), end.coverage_BS, mask_BS, self.cfg)
        score_B, log_prob_B = (tf.where(found_B, x, -float("inf")) for x in (score_B, end.log_prob_B))
        one = (tokens_BT * tf.cast(found_B, tf.int32)[:, tf.newaxis], length_B, score_B, log_prob_B, weight_BTS)
        if self.copies == 1:
            return Hypotheses(*(x[:, tf.newaxis] for x in one))
        size = tf.shape(source_BS)[0]
        return Hypotheses(*(tf.reshape(x, tf.concat([[size, self.copies], tf.shape(x)[1:]], 0)) for x in one))
