# B batch, S source step, H decoder state, A attention, D encoder state
"""Where to look next: energies of the source steps, their softmax, and the weighted sum of the encoder's states."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import tensorflow as tf

from nmt.config.model import Attention, ModelConfig
from nmt.model.initial import Initial
from nmt.model.products import match, multiply
from nmt.model.weights import Weights


def masked_softmax(energy_BS: tf.Tensor, mask_BS: tf.Tensor) -> tf.Tensor:
    """Softmax over the true places of `mask_BS` (bool): the others weigh exactly 0. A row without any is all 0."""
    lowest = energy_BS.dtype.min
    energy_BS = tf.where(mask_BS, energy_BS, lowest)
    weight_BS = tf.exp(energy_BS - tf.reduce_max(energy_BS, axis=1, keepdims=True))
    weight_BS *= tf.cast(mask_BS, weight_BS.dtype)
    total_B1 = tf.reduce_sum(weight_BS, axis=1, keepdims=True)
    return tf.math.divide_no_nan(weight_BS, total_B1)


class AttentionLayer(Protocol):
    """What a decoder needs of an attention."""

    kernels: list[tf.Variable]
    vectors: list[tf.Variable]

    @staticmethod
    def kept(config: ModelConfig) -> int:
        """How many numbers a source word costs in training, at most: keys, what is made of them, and gradients."""

    def project(self, values_BSD: tf.Tensor) -> tf.Tensor:
        """The keys: what of the energies depends on the source alone, once a sentence."""

    def energy(self, weights: Weights, query_BH: tf.Tensor, keys: tf.Tensor) -> tf.Tensor:
        """-> [B, S], unmasked."""


def attend(
    layer: AttentionLayer,
    weights: Weights,
    query_BH: tf.Tensor,
    keys: tf.Tensor,
    values_BSD: tf.Tensor,
    mask_BS: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """-> context [B, D], weights [B, S]. Masked steps weigh exactly 0; each row of weights sums to 1."""
    weight_BS = masked_softmax(layer.energy(weights, query_BH, keys), mask_BS)
    return weights.mix(weight_BS, values_BSD), weight_BS


def _project(values_BSD: tf.Tensor, kernel_DA: tf.Variable, compute: tf.DType | None) -> tf.Tensor:
    rows, columns = kernel_DA.shape
    shape = tf.shape(values_BSD)
    keys_NA = multiply(tf.reshape(values_BSD, [-1, rows]), kernel_DA, compute)
    return tf.reshape(keys_NA, [shape[0], shape[1], columns])


class AdditiveAttention(tf.Module):
    """Two layers (Bahdanau, Cho & Bengio 2015, appendix A.1.2):  e_s = v . tanh(W q + U h_s)."""

    def __init__(self, config: ModelConfig, initial: Initial, prefix: str) -> None:
        super().__init__(name="bahdanau")
        self.compute = initial.compute
        query, values, units = config.units, 2 * config.encoder_units, config.attention_units
        self.query_HA = initial.glorot(f"{prefix}/query_kernel", query, units)
        self.memory_DA = initial.glorot(f"{prefix}/memory_kernel", values, units)
        self.v_A = initial.uniform(f"{prefix}/energy", units, units**-0.5)
        self.kernels, self.vectors = [self.query_HA], [self.v_A]

    @staticmethod
    def kept(config: ModelConfig) -> int:
        return 8 * config.attention_units

    def project(self, values_BSD: tf.Tensor) -> tf.Tensor:
        return _project(values_BSD, self.memory_DA, self.compute)

    def energy(self, weights: Weights, query_BH: tf.Tensor, keys_BSA: tf.Tensor) -> tf.Tensor:
        hidden_BSA = tf.tanh(tf.expand_dims(weights.product(query_BH, self.query_HA), 1) + keys_BSA)
        shape, v_A1 = tf.shape(hidden_BSA), weights.read(self.v_A)[:, tf.newaxis]
        return tf.reshape(tf.reshape(hidden_BSA, [-1, shape[2]]) @ v_A1, shape[:2])


class SingleLayerAttention(tf.Module):
    """The counter-example:  e_s = w_0 . h_s + w_1 . q.

    The second term is the same for every s, so softmax cancels it: every decoder step attends alike. It is computed
    all the same, so that the collapse can be seen and is not assumed.
    """

    def __init__(self, config: ModelConfig, initial: Initial, prefix: str) -> None:
        super().__init__(name="single_layer")
        self.compute = initial.compute
        self.query_H1 = initial.glorot(f"{prefix}/query_kernel", config.units, 1)
        self.memory_D1 = initial.glorot(f"{prefix}/memory_kernel", 2 * config.encoder_units, 1)
        self.kernels: list[tf.Variable] = [self.query_H1]
        self.vectors: list[tf.Variable] = []

    @staticmethod
    def kept(config: ModelConfig) -> int:
        return 4

    def project(self, values_BSD: tf.Tensor) -> tf.Tensor:
        return tf.squeeze(_project(values_BSD, self.memory_D1, self.compute), 2)

    def energy(self, weights: Weights, query_BH: tf.Tensor, keys_BS: tf.Tensor) -> tf.Tensor:
        return keys_BS + weights.product(query_BH, self.query_H1)


class GeneralAttention(tf.Module):
    """Luong, Pham & Manning 2015, eq. 8, "general":  e_s = q . W h_s."""

    def __init__(self, config: ModelConfig, initial: Initial, prefix: str) -> None:
        super().__init__(name="luong_general")
        self.compute = initial.compute
        self.memory_DH = initial.glorot(f"{prefix}/memory_kernel", 2 * config.encoder_units, config.units)
        self.kernels: list[tf.Variable] = []
        self.vectors: list[tf.Variable] = []

    @staticmethod
    def kept(config: ModelConfig) -> int:
        return 4 * config.units

    def project(self, values_BSD: tf.Tensor) -> tf.Tensor:
        return _project(values_BSD, self.memory_DH, self.compute)

    def energy(self, weights: Weights, query_BH: tf.Tensor, keys_BSH: tf.Tensor) -> tf.Tensor:
        return match(query_BH, keys_BSH)


class DotAttention(tf.Module):
    """Luong, Pham & Manning 2015, eq. 8, "dot":  e_s = q . h_s. Decoder and encoder state are equally wide."""

    def __init__(self, config: ModelConfig, initial: Initial, prefix: str) -> None:
        super().__init__(name="dot")
        self.kernels: list[tf.Variable] = []
        self.vectors: list[tf.Variable] = []

    @staticmethod
    def kept(config: ModelConfig) -> int:
        return 0

    def project(self, values_BSD: tf.Tensor) -> tf.Tensor:
        return values_BSD

    def energy(self, weights: Weights, query_BH: tf.Tensor, keys_BSH: tf.Tensor) -> tf.Tensor:
        return match(query_BH, keys_BSH)


LAYERS: Mapping[Attention, type[AdditiveAttention | SingleLayerAttention | GeneralAttention | DotAttention]] = {
    Attention.bahdanau: AdditiveAttention,
    Attention.single_layer: SingleLayerAttention,
    Attention.luong_general: GeneralAttention,
    Attention.dot: DotAttention,
}


def make_attention(config: ModelConfig, initial: Initial, prefix: str) -> AttentionLayer:
    """The attention called `config.attention`; its weights are named `prefix/...`."""
    return LAYERS[config.attention](config, initial, prefix)
