# B batch, I and O width of a product's input and output, S source step, D width of a source step's value
"""How a layer gets at its weights: as they are, or watched by a loop that takes its gradients by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import tensorflow as tf

from nmt.model.products import match, mix, multiply


class Weights(Protocol):
    """All weights are used through here, so that a loop can watch."""

    def product(self, x_BI: tf.Tensor, kernel_IO: tf.Variable) -> tf.Tensor:
        """x W: [B, I], [I, O] -> [B, O]."""

    def mix(self, weight_BS: tf.Tensor, values_BSD: tf.Tensor) -> tf.Tensor:
        """sum_s w_s h_s: [B, S], [B, S, D] -> [B, D]. In a loop the values are among what is shared."""

    def read(self, vector: tf.Variable) -> tf.Tensor:
        """The value of a small weight (a bias, a vector of the attention)."""


class Direct:
    """Weights as they are, for a single step outside a loop. `compute`: the type of the products."""

    def __init__(self, compute: tf.DType | None = None) -> None:
        self.compute = compute

    def product(self, x_BI: tf.Tensor, kernel_IO: tf.Variable) -> tf.Tensor:
        return multiply(x_BI, kernel_IO, self.compute)

    def mix(self, weight_BS: tf.Tensor, values_BSD: tf.Tensor) -> tf.Tensor:
        return mix(weight_BS, values_BSD)

    def read(self, vector: tf.Variable) -> tf.Tensor:
        return tf.convert_to_tensor(vector)


class Recorder:
    """Forward: computes products and mixtures and keeps them; products in the type they were computed in."""

    def __init__(
        self, kernels: dict[int, tf.Tensor], vectors: dict[int, tf.Tensor], shared: Sequence[tf.Tensor]
    ) -> None:
        self.kernels, self.vectors, self.shared = kernels, vectors, shared
        self.outputs: list[tf.Tensor] = []
        self.used: list[int] = []  # which kernel each output is of
        self.mixtures: list[tf.Tensor] = []

    def product(self, x_BI: tf.Tensor, kernel_IO: tf.Variable) -> tf.Tensor:
        kernel = self.kernels[id(kernel_IO)]
        self.used.append(id(kernel_IO))
        self.outputs.append(tf.cast(x_BI, kernel.dtype) @ kernel)
        return tf.cast(self.outputs[-1], x_BI.dtype)

    def mix(self, weight_BS: tf.Tensor, values_BSD: tf.Tensor) -> tf.Tensor:
        self.mixtures.append(mix(weight_BS, values_BSD))
        return self.mixtures[-1]

    def read(self, vector: tf.Variable) -> tf.Tensor:
        return self.vectors[id(vector)]


class Replayer:
    """Backward: hands out what was kept, in the same order, and keeps what went into it.

    `transposed`: the kernels, transposed before the loop. A product with a kernel that is only read as transposed takes
    twice the time in float32.
    """

    def __init__(
        self,
        transposed: dict[int, tf.Tensor],
        vectors: dict[int, tf.Tensor],
        shared: Sequence[tf.Tensor],
        outputs: Sequence[tf.Tensor],
        mixtures: Sequence[tf.Tensor],
    ) -> None:
        self.transposed, self.vectors, self.shared = transposed, vectors, shared
        self.saved_outputs, self.saved_mixtures = outputs, mixtures
        self.inputs: list[tf.Tensor] = []
        self.outputs: list[tf.Tensor] = []
        self.weights: list[tf.Tensor] = []  # of the mixtures
        self.mixtures: list[tf.Tensor] = []
        self.mixed: list[int] = []  # which shared tensor each mixture is of

    def product(self, x_BI: tf.Tensor, kernel_IO: tf.Variable) -> tf.Tensor:
        saved_BO, kernel_OI = self.saved_outputs[len(self.outputs)], self.transposed[id(kernel_IO)]

        @tf.custom_gradient
        def recall(x_BI: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
            return tf.identity(saved_BO), lambda dy_BO: dy_BO @ kernel_OI

        # All that meets a kernel has the kernel's type, so that what goes back to it is rounded once.
        x_BI, kind = tf.cast(x_BI, kernel_OI.dtype), x_BI.dtype
        self.inputs.append(x_BI)
        self.outputs.append(recall(x_BI))
        return tf.cast(self.outputs[-1], kind)

    def mix(self, weight_BS: tf.Tensor, values_BSD: tf.Tensor) -> tf.Tensor:
        saved_BD = self.saved_mixtures[len(self.mixtures)]

        @tf.custom_gradient
        def recall(weight_BS: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
            return tf.identity(saved_BD), lambda d_BD: match(d_BD, values_BSD)

        self.mixed.append(next(place for place, x in enumerate(self.shared) if x is values_BSD))
        self.weights.append(weight_BS)
        self.mixtures.append(recall(weight_BS))
        return self.mixtures[-1]

    def read(self, vector: tf.Variable) -> tf.Tensor:
        return self.vectors[id(vector)]
