# B batch, N rows, S source step, T target step, V vocabulary
"""Models whose every word is known beforehand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import tensorflow as tf

PAD, BOS, EOS, UNK = 0, 1, 2, 3


@contextmanager
def without_graphs() -> Iterator[None]:
    """A search runs as it is written. Its graph takes a second to make, which one sentence is not worth.

    That graphs find the same is the matter of tests/property/test_search_*.py.
    """
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)


class Ids(NamedTuple):
    ids_BS: tf.Tensor
    mask_BS: tf.Tensor
    initial: tuple[tf.Tensor]


class Copier:
    """Writes the source again, word for word, each with probability e^9 / (e^9 + V - 1), and looks at it as it does.

    Counts the rows it was asked for in `rows`.
    """

    def __init__(self, vocab: int, sharpness: float = 9.0) -> None:
        self.target_vocab, self.sharpness = vocab, sharpness
        self.rows = tf.Variable(0)

    def for_loop(self, turned=False):
        return self

    def encode(self, source_BS: tf.Tensor) -> Ids:
        return Ids(source_BS, source_BS != PAD, (tf.zeros(tf.shape(source_BS)[:1], tf.int32),))

    def step(self, token_N, state, memory):
        self.rows.assign_add(tf.size(token_N))
        place_N = tf.minimum(state[0], tf.shape(memory.ids_BS)[1] - 1)
        word_N = tf.gather(memory.ids_BS, place_N, batch_dims=1)
        weight_NS = tf.one_hot(place_N, tf.shape(memory.ids_BS)[1])
        return self.sharpness * tf.one_hot(word_N, self.target_vocab), (state[0] + 1,), weight_NS


class Table:
    """P(word t+1 | word t) from a table of probabilities [V, V]; looks at one source word after the other."""

    def __init__(self, prob_VV: list[list[float]]) -> None:
        self.target_vocab = len(prob_VV)
        self.log_prob_VV = tf.math.log(tf.constant(prob_VV))

    def for_loop(self, turned=False):
        return self

    def encode(self, source_BS: tf.Tensor) -> Ids:
        return Ids(source_BS, source_BS != PAD, (tf.zeros(tf.shape(source_BS)[:1], tf.int32),))

    def step(self, token_N, state, memory):
        length = tf.shape(memory.ids_BS)[1]
        weight_NS = tf.one_hot(tf.minimum(state[0], length - 1), length)
        return tf.gather(self.log_prob_VV, token_N), (state[0] + 1,), weight_NS
