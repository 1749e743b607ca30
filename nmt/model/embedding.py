# B batch, S step, V vocabulary, E embedding, U distinct words, G width of what is known of a word, N places
"""Words as vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import tensorflow as tf

from nmt.model.initial import Initial

FULL = 64  # distinct words, or a multiple of it


class Words(NamedTuple):
    """The words of a batch as vectors, each distinct word once, and which of them stands at which place; some nowhere.

    Captions and sentences repeat their words: of the 1,250 words of 80 captions some 450 differ. What depends on a word
    alone, such as its projection onto a layer's gates, is computed of `row_UE` and spread over the places after.
    """

    row_UE: tf.Tensor
    place: tf.Tensor  # int32 of any shape, in [0, U)


Embedded: TypeAlias = Words | tf.Tensor  # a tensor where each place has a vector of its own, as under dropout


def backwards(x: Embedded) -> Embedded:
    """The first axis of the places in reverse order."""
    return x._replace(place=tf.reverse(x.place, [0])) if isinstance(x, Words) else tf.reverse(x, [0])


def take(x: Embedded, place_N: tf.Tensor) -> tf.Tensor:
    """The vectors at some places: [T, B, E] and rising integers [N], t B + b, -> [N, E]."""
    if isinstance(x, Words):
        return spread(x.row_UE, tf.gather(tf.reshape(x.place, [-1]), place_N))
    return spread(tf.reshape(x, [-1, x.shape[-1]]), place_N, rising=True)


class Embedding(tf.Module):
    """Row `id` of a table, one row a piece; the output layer may share the table (Press & Wolf 2017)."""

    def __init__(self, initial: Initial, prefix: str, vocabulary: int, width: int) -> None:
        super().__init__(name="embedding")
        self.dtype = initial.dtype  # of what comes out: the table may be a copy rounded for the output's product
        # 1/sqrt(width): as the output's weights, the same table then gives logits of variance near 1.
        self.table_VE = initial.normal(f"{prefix}/table", vocabulary, width, width**-0.5)

    def __call__(self, ids: tf.Tensor) -> tf.Tensor:
        """Integers of any shape -> the same shape with E added."""
        return tf.cast(look_up(tf.convert_to_tensor(self.table_VE), ids), self.dtype)

    def distinct(self, ids: tf.Tensor) -> Words:
        """Integers of any shape -> the words there, in order of their first places, and word 0 up to a full number.

        For every shape of a product that oneDNN meets it keeps a program, 0.2 MB of them: with any number of rows,
        another one each batch, a run of 200 steps grew by 0.3 GB.
        """
        id_U, place_N = tf.unique(tf.reshape(ids, [-1]))
        id_U = tf.pad(id_U, [[0, -tf.size(id_U) % FULL]])
        return Words(self(id_U), tf.reshape(place_N, tf.shape(ids)))


def look_up(table_VE: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
    """Rows of a table, with a dense gradient.

    TensorFlow's own gradient is a list of rows; where a table is shared with the output layer, whose gradient is dense,
    it would turn the dense one into rows as well before it adds the two.
    """

    @tf.custom_gradient
    def rows(table_VE: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        def backward(dy: tf.Tensor) -> tf.Tensor:
            vocabulary, width = table_VE.shape
            dy_NE = tf.reshape(dy, [-1, width])
            return tf.math.unsorted_segment_sum(dy_NE, tf.reshape(ids, [-1]), vocabulary)

        return tf.gather(table_VE, ids), backward

    return rows(table_VE)


def spread(row_UG: tf.Tensor, place: tf.Tensor, rising: bool = False) -> tf.Tensor:
    """A row at each place: [U, G], integers of any shape in [0, U), `rising` or not -> their shape with G added.

    The gradient adds up the places of each row; sorted by row they are added in a third of the time that unsorted ones
    take.
    """

    @tf.custom_gradient
    def rows(row_UG: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        def backward(dy: tf.Tensor) -> tf.Tensor:
            dy_NG, place_N = tf.reshape(dy, [-1, row_UG.shape[1]]), tf.reshape(place, [-1])
            order_N = tf.range(tf.size(place_N)) if rising else tf.argsort(place_N, stable=True)
            return tf.sparse.segment_sum(dy_NG, order_N, tf.gather(place_N, order_N), tf.shape(row_UG)[0])

        return tf.gather(row_UG, place), backward

    return rows(row_UG)
