# B batch, N rows, A rows still searched, M samples a sentence, S source step, V vocabulary
"""Translations drawn at random, each word by its probability, or by one that is cut or sharpened.

    p ~ softmax(logits / temperature)
    top_k        the k most likely words                                            Fan, Lewis & Dauphin 2018
    top_p        the fewest words that have at least this much probability          Holtzman et al. 2020
    epsilon      words of at least this probability, and the most likely one        Hewitt, Manning & Liang 2022

The cuts follow each other in this order, each on what the one before left, scaled to sum to 1; words that tie with the
last one stay. A score is what the model says of the text, without temperature and cuts.

Which word is drawn depends on the seed, the source, the number of the sample and the step, and on nothing else: the
same sentence gets the same samples in any batch, at any place.
"""

from __future__ import annotations

import tensorflow as tf

from nmt.config.search import SearchConfig
from nmt.data.specials import BOS, EOS
from nmt.model.indexing import take_per_row
from nmt.search.greedy import GreedySearch, Prefixes
from nmt.search.interface import Hypotheses, SearchModel
from nmt.search.rules import Demands, Rules

_ODD = 0x9E3779B97F4A7C15  # 2^64 over the golden ratio (Steele, Lea & Flood 2014, SplitMix64)
_MIX = (0xBF58476D1CE4E5B9, 30), (0x94D049BB133111EB, 27)


class SampleSearch(GreedySearch):
    """Draws `cfg.samples` translations of each sentence; the best by score come first, as from a beam."""

    def __init__(self, model: SearchModel, cfg: SearchConfig, rules: Rules | None = None) -> None:
        super().__init__(model, cfg, rules, copies=cfg.samples)

    def _search(self, model: SearchModel, source_BS: tf.Tensor, demands: Demands | None = None) -> Hypotheses:
        found = super()._search(model, source_BS, demands)
        order_BM = tf.argsort(found.score_BM, axis=1, direction="DESCENDING", stable=True)
        return Hypotheses(*(tf.gather(part, order_BM, batch_dims=1) for part in found))

    def _choose(self, old: Prefixes, logits_AV: tf.Tensor, allowed_AV: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
        token_V = tf.range(logits_AV.shape[1])
        may_AV = tf.broadcast_to(token_V > BOS, tf.shape(logits_AV)) if allowed_AV is None else allowed_AV
        last_A1 = (old.step + 1 >= old.limit_A)[:, tf.newaxis]
        may_AV &= ~last_A1 | (token_V == EOS)
        prob_AV = cut(tf.where(may_AV, tf.cast(logits_AV, tf.float64), -float("inf")), self.cfg)
        token_A = draw(prob_AV, uniform(old.key_A, old.step))
        log_prob_A = tf.minimum(take_per_row(logits_AV, token_A) - tf.reduce_logsumexp(logits_AV, axis=1), 0.0)
        return tf.where(take_per_row(may_AV, token_A), log_prob_A, -float("inf")), token_A

    def _keys(self, source_BS: tf.Tensor) -> tf.Tensor:
        return sample_keys(source_BS, self.cfg.samples, self.cfg.seed)


def cut(logits_NV: tf.Tensor, cfg: SearchConfig) -> tf.Tensor:
    """The probabilities [N, V] that words are drawn by, float64; logits of -inf have none."""
    prob_NV = tf.nn.softmax(logits_NV / cfg.temperature)
    if 0 < cfg.top_k < prob_NV.shape[1]:
        least_N1 = tf.math.top_k(prob_NV, cfg.top_k).values[:, -1:]
        prob_NV = _renormalised(prob_NV, prob_NV >= least_N1)
    if cfg.top_p < 1:
        sorted_NV = tf.sort(prob_NV, axis=1, direction="DESCENDING")
        needed_NV = tf.cumsum(sorted_NV, axis=1, exclusive=True) < cfg.top_p
        least_N1 = tf.reduce_min(tf.where(needed_NV, sorted_NV, 1.0), axis=1, keepdims=True)
        prob_NV = _renormalised(prob_NV, prob_NV >= least_N1)
    if cfg.epsilon:
        best_N1 = tf.reduce_max(prob_NV, axis=1, keepdims=True)
        prob_NV = _renormalised(prob_NV, (prob_NV >= cfg.epsilon) | (prob_NV == best_N1))
    return prob_NV


def _renormalised(prob_NV: tf.Tensor, kept_NV: tf.Tensor) -> tf.Tensor:
    prob_NV = tf.where(kept_NV, prob_NV, 0.0)
    return prob_NV / tf.reduce_sum(prob_NV, axis=1, keepdims=True)


def draw(prob_NV: tf.Tensor, uniform_N: tf.Tensor) -> tf.Tensor:
    """The word, int32 [N], whose part of [0, 1) the number lies in."""
    upto_NV = tf.cumsum(prob_NV, axis=1)
    point_N1 = uniform_N[:, tf.newaxis] * upto_NV[:, -1:]  # the sum may miss 1 by rounding
    return tf.reduce_sum(tf.cast(upto_NV <= point_N1, tf.int32), axis=1)


def sample_keys(source_BS: tf.Tensor, samples: int, seed: int) -> tf.Tensor:
    """A number, uint64 [B * M], for each sample of each source, whatever the padding."""
    power_S = tf.math.cumprod(tf.fill(tf.shape(source_BS)[1:], _word(_ODD)))
    text_B1 = tf.reduce_sum(tf.cast(source_BS, tf.uint64) * power_S, axis=1)[:, tf.newaxis]
    number_M = _mixed(tf.cast(tf.range(samples), tf.uint64) + _word(seed))
    return tf.reshape(_mixed(text_B1 + number_M), [-1])


def uniform(key_N: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
    """A number in [0, 1), float64 [N], for this step of each sample."""
    bits_N = _mixed(key_N + (tf.cast(step, tf.uint64) + _word(1)) * _word(_ODD))
    return tf.cast(tf.bitwise.right_shift(bits_N, _word(11)), tf.float64) / 2.0**53


def _mixed(x: tf.Tensor) -> tf.Tensor:
    """SplitMix64's mixing function: each bit depends on all."""
    x = x + _word(_ODD)
    for factor, shift in _MIX:
        x = tf.bitwise.bitwise_xor(x, tf.bitwise.right_shift(x, _word(shift))) * _word(factor)
    return tf.bitwise.bitwise_xor(x, tf.bitwise.right_shift(x, _word(31)))


def _word(number: int) -> tf.Tensor:
    return tf.constant(number % 2**64, tf.uint64)
