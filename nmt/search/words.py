# N rows, V vocabulary, C candidates of a row, Y groups of words of all rows, G words of a group, X words looked at
"""The best next words of each row: the one place where words are chosen, so that all searches choose alike."""

from __future__ import annotations

import tensorflow as tf

from nmt.data.specials import EOS

GROUP = 32  # words
MANY = 1024  # words, from where groups pay


def largest(x_NV: tf.Tensor, count: tf.Tensor | int) -> tuple[tf.Tensor, tf.Tensor]:
    """What `tf.math.top_k` gives, in a quarter of its time where there are many words.

    The `count` groups of the largest maxima have the `count` largest words: each of them has one that is at least as
    large as any word elsewhere. On a tie the earlier group and word come first.
    """
    vocab = x_NV.shape[1]
    if vocab is not None and vocab < MANY:
        top_NC, token_NC = tf.math.top_k(x_NV, count)
        return top_NC, token_NC
    size, rows = tf.shape(x_NV)[1], tf.shape(x_NV)[0]
    if vocab is None:  # a list of words, as a rule of full groups: spare it the copy
        x_NV = tf.cond(size % GROUP > 0, lambda: _full_groups(x_NV), lambda: x_NV)
    elif vocab % GROUP:
        x_NV = _full_groups(x_NV)
    groups = tf.shape(x_NV)[1] // GROUP
    word_YG = tf.reshape(x_NV, [-1, GROUP])
    _, which_NC = tf.math.top_k(tf.reshape(tf.reduce_max(word_YG, axis=1), [rows, groups]), tf.minimum(count, groups))
    which_NC = tf.sort(which_NC, axis=1)
    some_NX = tf.reshape(tf.gather(word_YG, which_NC + groups * tf.range(rows)[:, tf.newaxis]), [rows, -1])
    top_NC, place_NC = tf.math.top_k(some_NX, count)
    return top_NC, tf.gather(which_NC, place_NC // GROUP, batch_dims=1) * GROUP + place_NC % GROUP


def _full_groups(x_NV: tf.Tensor) -> tf.Tensor:
    return tf.pad(x_NV, [[0, 0], [0, -tf.shape(x_NV)[1] % GROUP]], constant_values=-float("inf"))


def best_words(
    logits_NV: tf.Tensor, count: int, last_N: tf.Tensor, allowed_NV: tf.Tensor | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """At least the `count` best words: -> log-probability [N, C] and word [N, C], -inf on what may not be written.

    PAD and BOS are never written. Where `last_N` (bool) is true the sentence has reached its longest, and the end mark
    is the only word: so each hypothesis ends in EOS, and its log-probability is that of a whole sentence.

    One pass picks from all V words, the two forbidden ones among them; the best of it also keeps exp from overflowing.
    A log-probability is never above 0, whatever rounding says: the stop rule of the beam relies on it.
    Where `allowed_NV` (bool) forbids a word it has -inf; the others keep the probability they have without that.
    """
    open_NV = logits_NV if allowed_NV is None else tf.where(allowed_NV, logits_NV, -float("inf"))
    vocab = logits_NV.shape[1]  # None with a shortlist
    most = tf.minimum(count + EOS, tf.shape(logits_NV)[1]) if vocab is None else min(count + EOS, vocab)
    top_NC, token_NC = largest(open_NV, most)
    highest_N1 = top_NC[:, :1] if allowed_NV is None else tf.reduce_max(logits_NV, axis=1, keepdims=True)
    total_N1 = highest_N1 + tf.math.log(tf.reduce_sum(tf.exp(logits_NV - highest_N1), axis=1, keepdims=True))
    log_prob_NC = tf.minimum(top_NC - total_N1, 0.0)
    log_prob_NC = tf.where(token_NC < EOS, -float("inf"), log_prob_NC)
    end_N1 = tf.minimum(open_NV[:, EOS : EOS + 1] - total_N1, 0.0)
    first_C = tf.range(tf.shape(token_NC)[1]) == 0
    last_N1 = last_N[:, tf.newaxis]
    log_prob_NC = tf.where(last_N1, tf.where(first_C, end_N1, -float("inf")), log_prob_NC)
    return log_prob_NC, tf.where(last_N1, EOS, token_NC)
