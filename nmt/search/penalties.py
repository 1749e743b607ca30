# B batch, N rows, S source step
"""How a hypothesis is judged: its log-probability, normalised by length, and how well it covers the source.

    score(Y) = log P(Y|X) / lp(|Y|) + cp(X, Y)                              Wu et al. 2016, eq. 14
    lp(n)    = 1  |  n  |  ((5 + n) / 6)^alpha                              none | average | gnmt
    cp(X, Y) = beta sum_s log min(sum_t p_ts, 1)                            p_ts: attention of step t on source word s

Lengths count the end mark, whose probability is part of P and whose attention is part of cp. Powers and logarithms
are taken in float64 and rounded once: in float32 the last bit of them depends on where in a batch a number lies.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from nmt.config.search import Normalisation, SearchConfig

# A word that got no attention at all would cost an infinite penalty, and make all hypotheses equally bad.
LEAST_ATTENTION = 1e-30


PENALTIES: Mapping[Normalisation, Callable[[tf.Tensor, SearchConfig], tf.Tensor]] = {
    Normalisation.none: lambda length, cfg: tf.ones_like(length),
    Normalisation.average: lambda length, cfg: length,
    Normalisation.gnmt: lambda length, cfg: tf.pow((5.0 + length) / 6.0, cfg.alpha),
}


def score(
    log_prob: tf.Tensor, length: tf.Tensor, coverage_NS: tf.Tensor, mask_NS: tf.Tensor, cfg: SearchConfig
) -> tf.Tensor:
    """Of N hypotheses, whose log-probabilities and lengths may have any shape; coverage and mask: a row each."""
    found = log_prob / length_penalty(length, cfg)
    if cfg.coverage:
        found += tf.reshape(coverage_penalty(coverage_NS, mask_NS, cfg), tf.shape(found))
    return found


def length_penalty(length: tf.Tensor, cfg: SearchConfig) -> tf.Tensor:
    """lp(n) of integer lengths of any shape, float32."""
    return tf.cast(PENALTIES[cfg.normalisation](tf.cast(length, tf.float64), cfg), tf.float32)


def coverage_penalty(coverage_NS: tf.Tensor, mask_NS: tf.Tensor, cfg: SearchConfig) -> tf.Tensor:
    """cp of the attention that each source word got so far: [N], at most 0. Padding does not count."""
    covered_NS = tf.math.log(tf.clip_by_value(tf.cast(coverage_NS, tf.float64), LEAST_ATTENTION, 1.0))
    penalty_N = cfg.coverage * tf.reduce_sum(tf.where(mask_NS, covered_NS, tf.zeros_like(covered_NS)), axis=1)
    return tf.cast(penalty_N, tf.float32)


def upper_bound(log_prob_B: tf.Tensor, limit_B: tf.Tensor, cfg: SearchConfig) -> tf.Tensor:
    """What the score of a prefix of log-probability L can still become with at most `limit` words: L / lp(limit).

    No completion scores higher: a further word never raises log P, so that stays at or below L, which is at most 0;
    dividing it by the largest lp that the limit allows brings it nearest to 0; and cp is at most 0 itself.
    """
    return log_prob_B / length_penalty(limit_B, cfg)


def limits(mask_BS: tf.Tensor, cfg: SearchConfig) -> tf.Tensor:
    """Longest translation of each source, int32 [B]: max_ratio * source words + max_extra, end marks included."""
    words_B = tf.reduce_sum(tf.cast(mask_BS, tf.float64), axis=1)  # float64: 0.7 * 10 is 7, not 6.9999998
    return tf.cast(tf.floor(cfg.max_ratio * words_B) + cfg.max_extra, tf.int32)


def limit_of(words: int, cfg: SearchConfig) -> int:
    """`limits` of one source."""
    return math.floor(cfg.max_ratio * words) + cfg.max_extra


def by_length(cfg: SearchConfig) -> bool:
    """Whether a score depends on log-probability and length alone."""
    return not cfg.coverage


class Divisors(dict[int, np.float32]):
    """lp(n) of each n that was asked for."""

    def __init__(self, cfg: SearchConfig) -> None:
        super().__init__()
        self.cfg = cfg

    def __missing__(self, length: int) -> np.float32:
        found: np.float32 = length_penalty(tf.constant(length), self.cfg).numpy()
        self[length] = found
        return found
