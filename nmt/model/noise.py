"""Dropout whose masks are a pure function of (seed, step, place), and of the part of a batch that is divided."""

from __future__ import annotations

import zlib
from typing import NamedTuple

import tensorflow as tf

PART = 6_364_136_223_846_793_005  # odd and large, so that parts, seeds and places do not meet (Knuth's multiplier)


class Noise(NamedTuple):
    """Where the randomness of one training step comes from. Scalars, int64."""

    seed: tf.Tensor
    step: tf.Tensor
    part: tf.Tensor | int = (
        0  # number of the micro-batch or replica, from 0; the first part's masks are an undivided batch's
    )
    cutoff: float = 0.0  # share of words cut in the second half of a batch that is two passes over the same sentences

    def mask(self, place: str, shape: tf.Tensor, rate: float, dtype: tf.DType) -> tf.Tensor:
        """0 with probability `rate`, else 1 / (1 - rate), so that the mean is 1 (inverted dropout, Srivastava 2014)."""
        where = tf.constant(zlib.crc32(place.encode()), tf.int64) + tf.cast(self.part, tf.int64) * PART
        seed = tf.stack([self.seed * 4_294_967_291 + where, self.step])
        kept = tf.random.stateless_uniform(shape, seed=seed) >= rate
        return tf.cast(kept, dtype) / tf.constant(1.0 - rate, dtype)


def dropout(x: tf.Tensor, rate: float, noise: Noise | None, place: str) -> tf.Tensor:
    """`x` with a share `rate` of its elements set to 0; `x` itself without noise (when not training) or at rate 0."""
    if noise is None or rate == 0:
        return x
    return x * noise.mask(place, tf.shape(x), rate, x.dtype)


def cut_words(x_TBE: tf.Tensor, noise: Noise, place: str) -> tf.Tensor:
    """`x_TBE` with a share `noise.cutoff` of the vectors in the second half of the batch set to 0 (token cutoff,
    Shen et al. 2020); what stays is not scaled."""
    shape = tf.shape(x_TBE)[:2]
    drawn_TB = noise.mask(f"{place} words", shape, noise.cutoff, x_TBE.dtype) > 0
    first_B = tf.range(shape[1]) < shape[1] // 2
    return x_TBE * tf.cast(drawn_TB | first_B, x_TBE.dtype)[:, :, tf.newaxis]


def state_mask(like_BU: tf.Tensor, rate: float, noise: Noise | None, place: str) -> tf.Tensor | None:
    """One mask a sentence for all its time steps (variational, Gal & Ghahramani 2016); None: nothing to drop."""
    if noise is None or rate == 0:
        return None
    return noise.mask(place, tf.shape(like_BU), rate, like_BU.dtype)
