# T time, B batch, I and O width of a product's input and output
"""A loop over time whose backward pass multiplies once for all steps.

Differentiating a loop as it stands computes, at every step t, the weight gradient x_t' dy_t of every product
y_t = x_t W and adds it up: T thin products and T sums the size of W. The sum is one product of the stacked steps,

    dW = sum_t x_t' dy_t = X' dY        X [T*B, I], dY [T*B, O],

which is what `unroll` does. It stores the products' outputs on the way forward and recomputes only what is element-wise
(gates, the attention's tanh) on the way back, so that no product is taken twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import tensorflow as tf

from nmt.model.products import multiply

Nest = Any  # a tensor, or tuples of them


class Weights(Protocol):
    """How a layer gets at its weights: all go through here, so that a loop can watch."""

    def product(self, x_BI: tf.Tensor, kernel_IO: tf.Variable) -> tf.Tensor:
        """x W: [B, I], [I, O] -> [B, O]."""

    def read(self, vector: tf.Variable) -> tf.Tensor:
        """The value of a small weight (a bias, a vector of the attention)."""


class Direct:
    """Weights as they are, for a single step outside a loop. `compute`: the type of the products."""

    def __init__(self, compute: tf.DType | None = None) -> None:
        self.compute = compute

    def product(self, x_BI: tf.Tensor, kernel_IO: tf.Variable) -> tf.Tensor:
        return multiply(x_BI, kernel_IO, self.compute)

    def read(self, vector: tf.Variable) -> tf.Tensor:
        return tf.convert_to_tensor(vector)


# One time step: (weights, old state, this step's input, what is shared) -> (new state, this step's output).
Step = Callable[[Weights, Nest, Nest, Nest], tuple[Nest, Nest]]


class _Recorder:
    """Forward: computes products and keeps their outputs, in the type they were computed in."""

    def __init__(self, kernels: dict[int, tf.Tensor], vectors: dict[int, tf.Tensor]) -> None:
        self.kernels, self.vectors = kernels, vectors
        self.outputs: list[tf.Tensor] = []
        self.used: list[int] = []  # which kernel each output is of

    def product(self, x_BI: tf.Tensor, kernel_IO: tf.Variable) -> tf.Tensor:
        kernel = self.kernels[id(kernel_IO)]
        self.used.append(id(kernel_IO))
        self.outputs.append(tf.cast(x_BI, kernel.dtype) @ kernel)
        return tf.cast(self.outputs[-1], x_BI.dtype)

    def read(self, vector: tf.Variable) -> tf.Tensor:
        return self.vectors[id(vector)]


class _Replayer:
    """Backward: hands out the kept outputs, in the same order, and keeps what went into them."""

    def __init__(
        self, kernels: dict[int, tf.Tensor], vectors: dict[int, tf.Tensor], outputs: Sequence[tf.Tensor]
    ) -> None:
        self.kernels, self.vectors, self.saved = kernels, vectors, outputs
        self.inputs: list[tf.Tensor] = []
        self.outputs: list[tf.Tensor] = []

    def product(self, x_BI: tf.Tensor, kernel_IO: tf.Variable) -> tf.Tensor:
        saved_BO, kernel = self.saved[len(self.outputs)], self.kernels[id(kernel_IO)]

        @tf.custom_gradient
        def recall(x_BI: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
            return tf.identity(saved_BO), lambda dy_BO: tf.matmul(dy_BO, kernel, transpose_b=True)

        # All that meets a kernel has the kernel's type, so that what goes back to it is rounded once.
        x_BI, kind = tf.cast(x_BI, kernel.dtype), x_BI.dtype
        self.inputs.append(x_BI)
        self.outputs.append(recall(x_BI))
        return tf.cast(self.outputs[-1], kind)

    def read(self, vector: tf.Variable) -> tf.Tensor:
        return self.vectors[id(vector)]


class _Arguments(NamedTuple):
    """Everything a loop is differentiable in."""

    kernels: list[tf.Tensor]
    vectors: list[tf.Tensor]
    state: Nest
    inputs: Nest
    shared: Nest


class _Tape(NamedTuple):
    """What the forward loop leaves for the backward loop, stacked over time."""

    states: Nest
    products: list[tf.Tensor]
    kernel_of_product: list[int]


def unroll(
    step: Step,
    kernels: Sequence[tf.Variable],
    vectors: Sequence[tf.Variable],
    state: Nest,
    inputs: Nest,
    shared: Nest,
    compute: tf.DType | None = None,
) -> tuple[Nest, Nest]:
    """Run `step` over the leading axis of `inputs`: -> (outputs [T, ...], final state).

    kernels: weights that the step multiplies with (`weights.product`); vectors: those it reads (`weights.read`).
    shared: tensors that every step sees whole (keys and values of an attention). Gradients reach all of these and
    `state` and `inputs`; whatever else the step closes over is a constant to it. compute: the type of the products
    with kernels, and so of what is kept for the way back (None: that of the kernels).
    """
    ids = [id(kernel) for kernel in kernels], [id(vector) for vector in vectors]
    given = _Arguments(
        [tf.convert_to_tensor(k) for k in kernels], [tf.convert_to_tensor(v) for v in vectors], state, inputs, shared
    )
    shape_of_results: list[Nest] = []

    @tf.custom_gradient
    def run(*flat: tf.Tensor) -> tuple[list[tf.Tensor], Callable[..., list[tf.Tensor]]]:
        arguments = tf.nest.pack_sequence_as(given, list(flat))
        rounded = [tf.cast(kernel, compute or kernel.dtype) for kernel in arguments.kernels]
        arguments = arguments._replace(kernels=rounded)
        outputs, final, tape = _forward(step, ids, arguments)
        shape_of_results.append((outputs, final))

        def backward(*upstream: tf.Tensor) -> list[tf.Tensor]:
            d_outputs, d_final = tf.nest.pack_sequence_as((outputs, final), list(upstream))
            gradients = _backward(step, ids, arguments, tape, d_outputs, d_final)
            kernels = [tf.cast(d, k.dtype) for d, k in zip(gradients.kernels, given.kernels, strict=True)]
            flat_gradients: list[tf.Tensor] = tf.nest.flatten(gradients._replace(kernels=kernels))
            return flat_gradients

        return tf.nest.flatten((outputs, final)), backward

    flat_results = run(*tf.nest.flatten(given))
    results: tuple[Nest, Nest] = tf.nest.pack_sequence_as(shape_of_results[0], tf.nest.flatten(flat_results))
    return results


def _at(nest_T: Nest, t: tf.Tensor) -> Nest:
    return tf.nest.map_structure(lambda x_T: x_T[t], nest_T)


def _lookup(ids: Sequence[int], values: Sequence[tf.Tensor]) -> dict[int, tf.Tensor]:
    return dict(zip(ids, values, strict=True))


def _forward(step: Step, ids: tuple[list[int], list[int]], given: _Arguments) -> tuple[Nest, Nest, _Tape]:
    length = tf.shape(tf.nest.flatten(given.inputs)[0])[0]
    kernels, vectors = _lookup(ids[0], given.kernels), _lookup(ids[1], given.vectors)

    def one(t: tf.Tensor | int, state: Nest) -> tuple[Nest, Nest, _Recorder]:
        recorder = _Recorder(kernels, vectors)
        new_state, outputs = step(recorder, state, _at(given.inputs, t), given.shared)
        return new_state, outputs, recorder

    def write(arrays: Nest, t: tf.Tensor | int, values: Nest) -> Nest:
        return tf.nest.map_structure(lambda array, x: array.write(t, x), arrays, values)

    # The first step stands outside the loop: it shows what the others will return.
    state, outputs, first = one(0, given.state)
    values = (given.state, outputs, first.outputs)
    arrays = tf.nest.map_structure(lambda x: tf.TensorArray(x.dtype, size=length, element_shape=x.shape), values)
    arrays = write(arrays, 0, values)

    def body(t: tf.Tensor, state: Nest, arrays: Nest) -> tuple[tf.Tensor, Nest, Nest]:
        new_state, outputs, recorder = one(t, state)
        return t + 1, new_state, write(arrays, t, (state, outputs, recorder.outputs))

    _, final, arrays = tf.while_loop(lambda t, *_: t < length, body, (tf.constant(1), state, arrays))
    states, outputs, products = tf.nest.map_structure(lambda array: array.stack(), arrays)
    return outputs, final, _Tape(states, products, first.used)


def _backward(
    step: Step, ids: tuple[list[int], list[int]], given: _Arguments, tape: _Tape, d_outputs: Nest, d_final: Nest
) -> _Arguments:
    length = tf.shape(tf.nest.flatten(given.inputs)[0])[0]
    kernels = _lookup(ids[0], given.kernels)

    def one(t: tf.Tensor, d_state: Nest) -> tuple[Nest, Nest, Nest, list[tf.Tensor], list[tf.Tensor]]:
        """Gradients of step t in its state, its inputs, what is shared, and its products' outputs; and their inputs."""
        # Copies by name only: one tensor may be shared twice (dot attention's keys are its values).
        shared, vectors = tf.nest.map_structure(tf.identity, (given.shared, given.vectors))
        state, inputs = _at(tape.states, t), _at(given.inputs, t)
        watched = (state, inputs, shared, vectors)
        with tf.GradientTape(watch_accessed_variables=False) as gradient_tape:
            gradient_tape.watch(tf.nest.flatten(watched))
            replayer = _Replayer(kernels, _lookup(ids[1], vectors), _at(tape.products, t))
            results = step(replayer, state, inputs, shared)
        d_all = gradient_tape.gradient(
            tf.nest.flatten(results),
            (watched, replayer.outputs),
            tf.nest.flatten((d_state, _at(d_outputs, t))),
            tf.UnconnectedGradients.ZERO,
        )
        (d_old, d_inputs, *d_constant), d_products = d_all
        return d_old, d_inputs, d_constant, replayer.inputs, d_products

    def empty(like: tf.Tensor) -> tf.TensorArray:
        return tf.TensorArray(like.dtype, size=length, infer_shape=False)

    def body(t: tf.Tensor, d_state: Nest, d_constant: Nest, arrays: Nest) -> tuple[tf.Tensor, Nest, Nest, Nest]:
        d_old, d_inputs, d_here, x, d_products = one(t, d_state)
        arrays = tf.nest.map_structure(lambda array, value: array.write(t, value), arrays, (d_inputs, x, d_products))
        return t - 1, d_old, tf.nest.map_structure(tf.add, d_constant, d_here), arrays

    arrays = tf.nest.map_structure(empty, (given.inputs, tape.products, tape.products))
    d_constant = tf.nest.map_structure(tf.zeros_like, [given.shared, given.vectors])
    loop = (length - 1, d_final, d_constant, arrays)
    _, d_state, (d_shared, d_vectors), arrays = tf.while_loop(lambda t, *_: t >= 0, body, loop)
    d_inputs, x, d_products = tf.nest.map_structure(lambda array: array.stack(), arrays)
    d_kernels = _kernel_gradients(ids[0], given.kernels, tape.kernel_of_product, x, d_products)
    return _Arguments(d_kernels, d_vectors, d_state, d_inputs, d_shared)


def _kernel_gradients(
    ids: list[int], kernels: list[tf.Tensor], used: list[int], x: list[tf.Tensor], dy: list[tf.Tensor]
) -> list[tf.Tensor]:
    """One product over all time steps for each place where a kernel was multiplied with."""
    totals: dict[int, tf.Tensor] = {}
    for kernel_id, x_TBI, dy_TBO in zip(used, x, dy, strict=True):
        rows, columns = _lookup(ids, kernels)[kernel_id].shape
        x_NI, dy_NO = tf.reshape(x_TBI, [-1, rows]), tf.reshape(dy_TBO, [-1, columns])
        gradient_IO = tf.matmul(x_NI, dy_NO, transpose_a=True)
        totals[kernel_id] = totals[kernel_id] + gradient_IO if kernel_id in totals else gradient_IO
    return [totals[i] if i in totals else tf.zeros_like(k) for i, k in zip(ids, kernels, strict=True)]
