# B batch, T step, E embedding, U state
"""Dropout whose masks are a pure function of (seed, step, place), and of the part of a batch that is divided."""

from __future__ import annotations

import zlib
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from nmt.config.model import WordDropout

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


def drop_words(
    x_TBE: tf.Tensor, ids_TB: tf.Tensor, kind: WordDropout, rate: float, noise: Noise | None, place: str
) -> tf.Tensor:
    """`x_TBE` with a share `rate` of its words set to 0 as a whole; with r of 0 or 1, 0 with probability `rate`:

        place     x_tb r_tb / (1 - rate)             Sennrich, Haddow & Birch 2016, "Edinburgh" at WMT16
        type      x_tb r_b,word(t,b) / (1 - rate)    Gal & Ghahramani 2016: all places of a word in its sentence
        cutoff    x_tb r_tb                          token cutoff, Shen et al. 2020

    Without noise, and at rate 0, `x_TBE` itself.
    """
    if noise is None or rate == 0:
        return x_TBE
    mask_TB = noise.mask(f"{place}, whole words", tf.shape(ids_TB), rate, x_TBE.dtype)
    if kind is WordDropout.type:
        first_BT = first_places(tf.transpose(ids_TB))
        mask_TB = tf.transpose(tf.gather(tf.transpose(mask_TB), first_BT, batch_dims=1))
    if kind is WordDropout.cutoff:
        mask_TB = unscaled(mask_TB)
    return x_TBE * mask_TB[:, :, tf.newaxis]


def cut_words(x_TBE: tf.Tensor, noise: Noise, place: str) -> tf.Tensor:
    """Token cutoff at the rate `noise.cutoff` in the second half of the batch alone."""
    shape = tf.shape(x_TBE)[:2]
    kept_TB = unscaled(noise.mask(f"{place} words", shape, noise.cutoff, x_TBE.dtype))
    first_B = tf.range(shape[1]) < shape[1] // 2
    return x_TBE * tf.where(first_B, tf.ones([], x_TBE.dtype), kept_TB)[:, :, tf.newaxis]


def unscaled(mask: tf.Tensor) -> tf.Tensor:
    """1 where it is more than 0."""
    return tf.cast(mask > 0, mask.dtype)


def first_places(ids_BT: tf.Tensor) -> tf.Tensor:
    """Where in its row each number comes first: 5 7 5 -> 0 1 0."""
    place_T = tf.range(tf.cast(tf.shape(ids_BT)[1], tf.float32))  # GPUs have no minimum of integers
    alike_BTT = ids_BT[:, :, tf.newaxis] == ids_BT[:, tf.newaxis]
    return tf.cast(tf.reduce_min(tf.where(alike_BTT, place_T, np.inf), axis=2), tf.int32)


def state_mask(like_BU: tf.Tensor, rate: float, noise: Noise | None, place: str) -> tf.Tensor | None:
    """One mask a sentence for all its time steps (variational, Gal & Ghahramani 2016); None: nothing to drop."""
    if noise is None or rate == 0:
        return None
    return noise.mask(place, tf.shape(like_BU), rate, like_BU.dtype)
