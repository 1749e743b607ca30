"""What the tests of the model share: models with given weights, padded batches, finite differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
from numpy.testing import assert_allclose

from nmt.config.model import ModelConfig, Tie
from nmt.model.recurrence import Nest
from nmt.model.seq2seq import Seq2Seq
from tests.unit.model_twins import random_filled, weight_shapes

SOURCE_VOCAB, TARGET_VOCAB = 9, 8
WORTH_A_GRAPH = 12  # tensors to vary, twice each: more evaluations take longer than a graph to be made


def vocabularies(config: ModelConfig) -> tuple[int, int]:
    return (TARGET_VOCAB, TARGET_VOCAB) if config.tie is Tie.all else (SOURCE_VOCAB, TARGET_VOCAB)


def name_of(variable: tf.Variable) -> str:
    return variable.name.removesuffix(":0")


def assign(module: tf.Module, weights: dict[str, np.ndarray]) -> None:
    """All variables of the module by name; each must be in `weights`."""
    for variable in module.variables:
        variable.assign(weights[name_of(variable)])


def model_of(config: ModelConfig, seed: int = 1, dtype: tf.DType = tf.float64) -> tuple[Seq2Seq, dict[str, np.ndarray]]:
    """A model whose weights are all of ordinary size, and these weights by name."""
    sizes = vocabularies(config)
    model, weights = Seq2Seq(config, *sizes, seed=0, dtype=dtype), random_filled(weight_shapes(config, *sizes), seed)
    assign(model, weights)
    return model, weights


def padded(sentences: Sequence[Sequence[int]], width: int | None = None) -> tf.Tensor:
    width = width or max(map(len, sentences))
    return tf.constant([[*ids, *[0] * (width - len(ids))] for ids in sentences], tf.int32)


def drawn(*shape: int, seed: int = 0, scale: float = 1.0) -> tf.Tensor:
    return tf.constant(np.random.default_rng([seed, *shape]).standard_normal(shape) * scale)


def weigh(nest: Nest) -> tf.Tensor:
    """One number that depends on each element of each tensor of the nest, on no two alike."""
    return tf.add_n(
        [
            tf.reduce_sum(x * tf.cos(tf.reshape(tf.range(1, tf.size(x) + 1, dtype=x.dtype), tf.shape(x)) + number))
            for number, x in enumerate(tf.nest.flatten(nest))
        ]
    )


WIDTHS = 1e-5, 2e-6  # of a difference: where a function bends much, as under layer normalisation, the shorter one


def check_gradients(
    function: Callable[..., Nest], inputs: Sequence[tf.Tensor], variables: Sequence[tf.Variable]
) -> None:
    """Gradients of `weigh(function(*inputs))` against central differences, along a random direction of each tensor.

    A derivative that is wrong in any element is wrong along a random direction with probability 1.
    """
    values = [tf.Variable(x) for x in inputs]
    everything = [*values, *variables]
    with tf.GradientTape() as tape:
        result = weigh(function(*[tf.convert_to_tensor(v) for v in values]))
    gradients = tape.gradient(result, everything)

    def value() -> tf.Tensor:
        return weigh(function(*[tf.convert_to_tensor(v) for v in values]))

    if len(everything) > WORTH_A_GRAPH:
        value = tf.function(value, autograph=False)
    rng = np.random.default_rng(7)
    for number, (variable, gradient) in enumerate(zip(everything, gradients, strict=True)):
        assert gradient is not None, f"{variable.name} ({number}) has no gradient"
        assert variable.dtype == tf.float64
        kept = variable.numpy()
        direction = rng.standard_normal(kept.shape)
        claimed = np.sum(direction * np.asarray(gradient))
        for width in WIDTHS:
            around = []
            for sign in (1, -1):
                variable.assign(kept + sign * width * direction)
                around.append(float(value()))
            variable.assign(kept)
            measured = (around[0] - around[1]) / (2 * width)
            if np.isclose(claimed, measured, rtol=1e-6, atol=1e-8):
                break
        assert_allclose(claimed, measured, rtol=1e-6, atol=1e-8, err_msg=f"{variable.name} ({number})")
