# N rows, A sentences, C candidates of a prefix, P phrases, X = C + P candidates of a prefix with those of its phrases
"""Which candidates a beam keeps where the best ones are not all that is wanted.

Phrases that must occur: each prefix also offers the pieces that go on with them, and the places of the beam are dealt
out in turn among banks, the sets of candidates with equally many required pieces (dynamic beam allocation, Post &
Vilar 2018, in the vectorised form of Hu et al. 2019). An unlikely phrase is so begun in time, and likely text beside
it is kept. Without phrases all candidates are in one bank, and the best are kept.

Diversity: the r-th best continuation of one prefix counts r * gamma less (Li, Monroe & Jurafsky 2016), when candidates
are chosen and only then.
"""

from __future__ import annotations

import tensorflow as tf

from nmt.data.specials import PAD
from nmt.search.rules import Verdict
from nmt.search.words import best_words

DEAD = -float("inf")


def candidates(
    logits_NV: tf.Tensor, width: int, last_N: tf.Tensor, verdict: Verdict
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """-> log-probability, word and bank [N, X]: the best words that are allowed, and those that phrases go on with."""
    word_NC, token_NC = best_words(logits_NV, width, last_N, verdict.allowed_NV)
    next_NP = verdict.next_NC
    may_NP = (next_NP != PAD) & ~last_N[:, tf.newaxis] & tf.gather(verdict.allowed_NV, next_NP, batch_dims=1)
    # Two phrases may go on with the same piece: it is one candidate.
    earlier_PP = tf.linalg.band_part(tf.ones(2 * [tf.shape(next_NP)[1]], tf.int32), -1, 0) > 0
    same_NPP = (next_NP[:, :, tf.newaxis] == next_NP[:, tf.newaxis]) & earlier_PP
    may_NP &= tf.reduce_sum(tf.cast(same_NPP, tf.int32), axis=2) == 1
    log_prob_NP = tf.minimum(
        tf.gather(logits_NV, next_NP, batch_dims=1) - tf.reduce_logsumexp(logits_NV, axis=1, keepdims=True), 0.0
    )
    offered_NC = tf.reduce_any((token_NC[:, :, tf.newaxis] == next_NP[:, tf.newaxis]) & may_NP[:, tf.newaxis], axis=2)
    word_NX = tf.concat([tf.where(offered_NC, DEAD, word_NC), tf.where(may_NP, log_prob_NP, DEAD)], axis=1)
    token_NX = tf.concat([token_NC, next_NP], axis=1)
    return word_NX, token_NX, verdict.bank(token_NX)


def siblings_apart(total_NX: tf.Tensor, gamma: float) -> tf.Tensor:
    """Log-probabilities of prefixes, each lower by gamma times its rank among the continuations of one prefix."""
    rank_NX = tf.argsort(tf.argsort(total_NX, axis=1, direction="DESCENDING", stable=True), axis=1)
    return total_NX - gamma * tf.cast(rank_NX, total_NX.dtype)


def in_turn(key_AX: tf.Tensor, bank_AX: tf.Tensor) -> tf.Tensor:
    """A preference [A, X]: the best of each bank before the second best of any, fuller banks first."""
    order_AX = tf.argsort(key_AX, axis=1, direction="DESCENDING", stable=True)
    place_AX = tf.argsort(order_AX, axis=1)  # 0: the best of the sentence
    same_AXX = bank_AX[:, :, tf.newaxis] == bank_AX[:, tf.newaxis]
    better_AXX = place_AX[:, tf.newaxis] < place_AX[:, :, tf.newaxis]
    rank_AX = tf.reduce_sum(tf.cast(same_AXX & better_AXX, tf.int32), axis=2)
    num_banks = tf.reduce_max(bank_AX) + 1
    preference_AX = tf.cast(bank_AX - rank_AX * num_banks, tf.float32)
    return tf.where(tf.math.is_finite(key_AX), preference_AX, DEAD)
