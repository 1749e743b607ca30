# B batch, N rows, C phrases that must occur, D phrases that must not, L pieces of a phrase, P pieces of a beginning,
# T pieces written, V vocabulary
"""What a translation must have and must not: beginnings, phrases, lengths and repeats, looked at before each word.

    prefix       its pieces come first, whatever else is asked for
    must         each phrase occurs; as a whole, so that a piece that goes on with its last word may not follow it
    never        its last piece is not written where the others stand before it; so no longer word that has them either
    min_length   no end mark before so many pieces
    no_repeat    no n-gram of pieces twice (Paulus, Xiong & Socher 2018), but for what must occur

A search that asks for nothing of this does not call this module. What is forbidden has probability 0 and the rest
keeps its own: probabilities are not scaled up again, so a score means the same with rules and without.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from nmt.data.specials import BOS, EOS, PAD


class Demands(NamedTuple):
    """What is asked of each sentence of a batch, as pieces: int32, padded with 0. Widths may be 0."""

    prefix_BP: tf.Tensor
    must_BCL: tf.Tensor
    never_BDL: tf.Tensor


ANY_DEMANDS = Demands(*(tf.TensorSpec([None] * rank, tf.int32) for rank in (2, 3, 3)))


class Written(NamedTuple):
    """What the rules remember of each prefix."""

    piece_NT: tf.Tensor  # int32: its pieces, 0 past them
    met_NC: tf.Tensor  # bool: the phrases that it has
    fresh_NC: (
        tf.Tensor
    )  # bool: those that its last piece completed; a piece that goes on with that word takes them back


class Verdict(NamedTuple):
    """What may follow each prefix, and where it stands with its phrases."""

    allowed_NV: tf.Tensor  # bool
    next_NC: tf.Tensor  # int32: the piece that goes on with each phrase still to come; 0: there is none
    first_NC: tf.Tensor  # int32: the piece that begins it
    covered_NC: tf.Tensor  # int32: how many of its pieces the prefix ends with
    done_N: tf.Tensor  # int32: pieces of the phrases that it has

    def bank(self, token_NX: tf.Tensor) -> tf.Tensor:
        """How many required pieces each prefix has once it goes on with each of these: int32 [N, X]."""
        token_NX1 = token_NX[:, :, tf.newaxis]
        goes_on_NXC = tf.where(token_NX1 == self.next_NC[:, tf.newaxis], self.covered_NC[:, tf.newaxis] + 1, 0)
        begins_NXC = tf.cast(token_NX1 == self.first_NC[:, tf.newaxis], tf.int32)
        return self.done_N[:, tf.newaxis] + tf.reduce_sum(tf.maximum(goes_on_NXC, begins_NXC), axis=2)


@dataclass(frozen=True)
class Rules:
    """The rules of a search, for all its sentences."""

    begins_word_V: np.ndarray  # bool: a piece that begins a word, so that the word before it is complete
    min_length: int = 0  # pieces
    no_repeat: int = 0  # pieces of an n-gram; 0: any may stand twice

    def on(self, demands: Demands) -> RuledBatch:
        """The rules beside what each sentence of a batch asks for. Called inside the search's graph."""
        return RuledBatch(self, demands)


class RuledBatch:
    """What may be written in each sentence of a batch."""

    def __init__(self, rules: Rules, demands: Demands) -> None:
        self.rules, self.demands = rules, demands

    def room(self, limit_B: tf.Tensor) -> tf.Tensor:
        """The longest translations, end marks included, with room for all that must be in them."""
        asked_B = tf.math.count_nonzero(self.demands.prefix_BP, axis=1, dtype=tf.int32)
        asked_B += tf.math.count_nonzero(self.demands.must_BCL, axis=[1, 2], dtype=tf.int32)
        return tf.maximum(limit_B, tf.maximum(asked_B, self.rules.min_length) + 1)

    def start(self, num_rows: tf.Tensor, limit: tf.Tensor) -> Written:
        """Before the first piece; phrases that a sentence does not have are there from the beginning."""
        none_NC = tf.zeros([num_rows, tf.shape(self.demands.must_BCL)[1]], tf.bool)
        return Written(tf.zeros([num_rows, limit], tf.int32), none_NC, none_NC)

    def write(self, old: Written, sentence_N: tf.Tensor, step: tf.Tensor, token_N: tf.Tensor) -> Written:
        """After `token_N`, the piece number `step`."""
        at_T = tf.range(tf.shape(old.piece_NT)[1]) == step
        piece_NT = tf.where(at_T, token_N[:, tf.newaxis], old.piece_NT)
        must_NCL = tf.gather(self.demands.must_BCL, sentence_N)
        length_NC = tf.math.count_nonzero(must_NCL, axis=2, dtype=tf.int32)
        whole_NC = _covered(must_NCL, piece_NT, step + 1) == length_NC
        parted_N = tf.gather(tf.constant(self.rules.begins_word_V), token_N) | (token_N == EOS)
        met_NC = old.met_NC & (parted_N[:, tf.newaxis] | ~old.fresh_NC)
        new_NC = whole_NC & ~met_NC & (length_NC > 0)
        return Written(piece_NT, met_NC | new_NC, new_NC)

    def judge(self, written: Written, sentence_N: tf.Tensor, step: tf.Tensor, limit_N: tf.Tensor) -> Verdict:
        """What may be piece number `step` of each prefix, of a sentence that ends within `limit_N` pieces."""
        vocab = len(self.rules.begins_word_V)
        token_V, begins_V = tf.range(vocab), tf.constant(self.rules.begins_word_V)
        allowed_NV = tf.broadcast_to(token_V > BOS, [tf.shape(sentence_N)[0], vocab])
        if self.rules.no_repeat:
            allowed_NV &= ~_repeats(written.piece_NT, step, self.rules.no_repeat, vocab)
        must_NCL = tf.gather(self.demands.must_BCL, sentence_N)
        length_NC = tf.math.count_nonzero(must_NCL, axis=2, dtype=tf.int32)
        to_come_NC = tf.where(written.met_NC, 0, length_NC)
        first_NC = tf.where(to_come_NC > 0, _piece_at(must_NCL, tf.constant(0)), PAD)
        covered_NC = tf.where(to_come_NC > 0, _covered(must_NCL, written.piece_NT, step), 0)
        next_NC = tf.where(to_come_NC > 0, _piece_at(must_NCL, covered_NC), PAD)
        allowed_NV |= _any_of(next_NC, vocab)
        allowed_NV &= ~_any_of(_forbidden(tf.gather(self.demands.never_BDL, sentence_N), written.piece_NT, step), vocab)
        left_N, room_N = tf.reduce_sum(to_come_NC, axis=1), limit_N - 2 - step
        taken_back_N = tf.reduce_sum(tf.where(written.fresh_NC, length_NC, 0), axis=1)
        ends_word_V = begins_V | (token_V == EOS)
        bound_N = (taken_back_N > 0) & (left_N + taken_back_N > room_N)
        allowed_NV &= ends_word_V | ~bound_N[:, tf.newaxis]
        # Once the room left is just enough, nothing but the phrases may follow, and one that has begun goes on first.
        tight_N = (left_N > 0) & (left_N > room_N)
        anew_NC = tf.reduce_any(written.fresh_NC, axis=1, keepdims=True) & ~tf.gather(begins_V, next_NC)
        begun_NC = tf.where(to_come_NC > 0, tf.where(anew_NC, 0, covered_NC), -1)
        most_N1 = tf.reduce_max(begun_NC, axis=1, keepdims=True)
        urgent_NC = tf.where(begun_NC == most_N1, tf.where(anew_NC, first_NC, next_NC), PAD)
        begin_NC = tf.where((left_N - 1 <= room_N)[:, tf.newaxis], first_NC, PAD)
        allowed_NV &= _any_of(urgent_NC, vocab) | _any_of(begin_NC, vocab) | ~tight_N[:, tf.newaxis]
        may_end_N = (left_N == 0) & (step >= self.rules.min_length)
        allowed_NV &= (token_V != EOS) | may_end_N[:, tf.newaxis]
        given_N1 = _piece_at(tf.gather(self.demands.prefix_BP, sentence_N)[:, tf.newaxis], step)
        allowed_NV = tf.where(given_N1 != PAD, token_V == given_N1, allowed_NV)
        next_NC = tf.where(given_N1 != PAD, PAD, next_NC)
        return Verdict(allowed_NV, next_NC, first_NC, covered_NC, tf.reduce_sum(length_NC - to_come_NC, axis=1))


def _tail(piece_NT: tf.Tensor, step: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """The last `width` of `step` pieces, 0 in front where there are fewer: [N, width]."""
    padded = tf.pad(piece_NT, [[0, 0], [width, 0]])
    return padded[:, step : step + width]


def _covered(phrase_NCL: tf.Tensor, piece_NT: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
    """How many pieces of each phrase the prefix ends with: [N, C], the most where several numbers do."""
    longest = tf.shape(phrase_NCL)[2]
    tail_NL = _tail(piece_NT, step, longest)

    def ends_with(length: tf.Tensor) -> tf.Tensor:
        equal_NCl = phrase_NCL[:, :, :length] == tail_NL[:, tf.newaxis, longest - length :]
        return tf.cast(tf.reduce_all(equal_NCl & (phrase_NCL[:, :, :length] != PAD), axis=2), tf.int32) * length

    start = (tf.constant(1), tf.zeros(tf.shape(phrase_NCL)[:2], tf.int32))
    return tf.while_loop(lambda n, _: n <= longest, lambda n, most: (n + 1, tf.maximum(most, ends_with(n))), start)[1]


def _piece_at(phrase_NCL: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
    """The piece of each phrase at a place, [N, C] or one for all; PAD past its end."""
    at = tf.range(tf.shape(phrase_NCL)[2]) == tf.expand_dims(place, -1)
    return tf.reduce_sum(tf.where(at, phrase_NCL, PAD), axis=2)


def _any_of(token_NC: tf.Tensor, vocab: int) -> tf.Tensor:
    """bool [N, V]: the listed pieces; PAD lists none."""
    row_NC = tf.broadcast_to(tf.range(tf.shape(token_NC)[0])[:, tf.newaxis], tf.shape(token_NC))
    count_NV = tf.scatter_nd(tf.stack([row_NC, token_NC], -1), tf.ones_like(token_NC), [tf.shape(token_NC)[0], vocab])
    return (count_NV > 0) & (tf.range(vocab) != PAD)


def _forbidden(never_NDL: tf.Tensor, piece_NT: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
    """The last piece of each phrase whose other pieces the prefix ends with; PAD for the others: [N, D]."""
    length_ND = tf.math.count_nonzero(never_NDL, axis=2, dtype=tf.int32)
    body_NDL = tf.where(tf.range(tf.shape(never_NDL)[2]) < length_ND[..., tf.newaxis] - 1, never_NDL, PAD)
    # The longest beginning that the prefix ends with need not be the whole body, so the body is looked for itself.
    width = tf.shape(never_NDL)[2]
    shift_ND = width - (length_ND - 1)
    tail_NL = _tail(piece_NT, step, width)
    at_NDL = tf.minimum(tf.range(width) + shift_ND[..., tf.newaxis], width - 1)
    there_NDL = tf.gather(tail_NL, at_NDL, batch_dims=1)
    ready_ND = tf.reduce_all((body_NDL == there_NDL) | (body_NDL == PAD), axis=2) & (length_ND > 0)
    return tf.where(ready_ND, _piece_at(never_NDL, length_ND - 1), PAD)


def _repeats(piece_NT: tf.Tensor, step: tf.Tensor, size: int, vocab: int) -> tf.Tensor:
    """bool [N, V]: the pieces that would complete an n-gram of `size` pieces that is there already."""
    count = tf.maximum(step - size + 1, 0)  # n-grams that are complete
    tail_Nn = _tail(piece_NT, step, tf.constant(size - 1))
    equal_NW = tf.fill([tf.shape(piece_NT)[0], count], True)
    for place in range(size - 1):
        equal_NW &= piece_NT[:, place : place + count] == tail_Nn[:, place : place + 1]
    last_NW = piece_NT[:, size - 1 : size - 1 + count]
    return _any_of(tf.where(equal_NW, last_NW, PAD), vocab)
