# T time, B batch, I and O width of a product's input and output
"""A loop over time whose backward pass multiplies once for all steps.

Differentiating a loop as it stands computes, at every step t, the weight gradient x_t' dy_t of every product
y_t = x_t W and adds it up: T thin products and T sums the size of W. The sum is one product of the stacked steps,

    dW = sum_t x_t' dy_t = X' dY        X [T*B, I], dY [T*B, O],

which is what `unroll` does; a mixture c_t = sum_s a_ts h_s has its gradient in h taken likewise. It stores what
products and mixtures gave on the way forward and recomputes only what is element-wise (gates, the attention's tanh) on
the way back, so that no product is taken twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from nmt.model.products import multiply_each
from nmt.model.weights import Recorder, Replayer, Weights

Nest = Any  # a tensor, or tuples of them


# One time step: (weights, old state, this step's input, what is shared) -> (new state, this step's output).
Step = Callable[[Weights, Nest, Nest, Nest], tuple[Nest, Nest]]


class _Arguments(NamedTuple):
    """Everything a loop is differentiable in."""

    kernels: list[tf.Tensor]
    vectors: list[tf.Tensor]
    state: Nest
    inputs: Nest
    shared: Nest


class _Tape(NamedTuple):
    """What the forward loop leaves for the backward loop: TensorArrays over time, read where they lie."""

    states: Nest
    products: list[tf.TensorArray]
    kernel_of_product: list[int]
    mixtures: list[tf.TensorArray]


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


def _read(arrays: Nest, t: tf.Tensor) -> Nest:
    return tf.nest.map_structure(lambda array: array.read(t), arrays)


def _renamed(nest: Nest) -> Nest:
    """Copies by name only: one tensor may stand in two places (dot attention's keys are its values)."""
    return tf.nest.map_structure(tf.identity, nest)


def _lookup(ids: Sequence[int], values: Sequence[tf.Tensor]) -> dict[int, tf.Tensor]:
    return dict(zip(ids, values, strict=True))


def _forward(step: Step, ids: tuple[list[int], list[int]], given: _Arguments) -> tuple[Nest, Nest, _Tape]:
    length = tf.shape(tf.nest.flatten(given.inputs)[0])[0]
    kernels, vectors = _lookup(ids[0], given.kernels), _lookup(ids[1], given.vectors)

    def one(t: tf.Tensor | int, state: Nest) -> tuple[Nest, Nest, Recorder]:
        shared = _renamed(given.shared)
        recorder = Recorder(kernels, vectors, tf.nest.flatten(shared))
        new_state, outputs = step(recorder, state, _at(given.inputs, t), shared)
        return new_state, outputs, recorder

    def write(arrays: Nest, t: tf.Tensor | int, values: Nest) -> Nest:
        return tf.nest.map_structure(lambda array, x: array.write(t, x), arrays, values)

    # The first step stands outside the loop: it shows what the others will return.
    state, outputs, first = one(0, given.state)
    values = (given.state, outputs, first.outputs, first.mixtures)
    arrays = tf.nest.map_structure(lambda x: tf.TensorArray(x.dtype, size=length, element_shape=x.shape), values)
    arrays = write(arrays, 0, values)

    def body(t: tf.Tensor, state: Nest, arrays: Nest) -> tuple[tf.Tensor, Nest, Nest]:
        new_state, outputs, recorder = one(t, state)
        return t + 1, new_state, write(arrays, t, (state, outputs, recorder.outputs, recorder.mixtures))

    _, final, arrays = tf.while_loop(lambda t, *_: t < length, body, (tf.constant(1), state, arrays))
    states, outputs, products, mixtures = arrays
    stacked = tf.nest.map_structure(lambda array: array.stack(), outputs)
    return stacked, final, _Tape(states, products, first.used, mixtures)


class _Back(NamedTuple):
    """What one step of the way back gives. In d_shared and d_vectors None stands for no gradient."""

    d_state: Nest
    d_inputs: Nest
    d_shared: list[tf.Tensor | None]
    d_vectors: list[tf.Tensor | None]
    factors: list[list[tf.Tensor]]  # of the products and mixtures: what went in, and the gradients of what came out
    mixed: list[int]


def _back(
    step: Step,
    vector_ids: list[int],
    transposed: dict[int, tf.Tensor],
    given: _Arguments,
    tape: _Tape,
    t: tf.Tensor,
    d: Nest,
) -> _Back:
    """Step t once more, and its gradients; `d`: those in its new state and outputs; `transposed`: the kernels."""
    state, shared, vectors = _renamed((_read(tape.states, t), given.shared, given.vectors))
    inputs = _at(given.inputs, t)
    flat, read = tf.nest.flatten(shared), _lookup(vector_ids, vectors)
    with tf.GradientTape(watch_accessed_variables=False) as gradient_tape:
        gradient_tape.watch(tf.nest.flatten((state, inputs, shared, vectors)))
        replayer = Replayer(transposed, read, flat, _read(tape.products, t), _read(tape.mixtures, t))
        results = step(replayer, state, inputs, shared)
    through = ((state, inputs), replayer.outputs, replayer.mixtures)
    sources = tf.nest.flatten((through, flat, vectors))
    found = gradient_tape.gradient(tf.nest.flatten(results), sources, tf.nest.flatten(d))
    count = len(tf.nest.flatten(through))
    filled = [tf.zeros_like(x) if dx is None else dx for x, dx in zip(sources[:count], found[:count], strict=True)]
    (d_state, d_inputs), d_products, d_mixtures = tf.nest.pack_sequence_as(through, filled)
    d_shared, d_vectors = found[count : count + len(flat)], found[count + len(flat) :]
    factors = [replayer.inputs, d_products, replayer.weights, d_mixtures]
    return _Back(d_state, d_inputs, d_shared, d_vectors, factors, replayer.mixed)


def _backward(
    step: Step, ids: tuple[list[int], list[int]], given: _Arguments, tape: _Tape, d_outputs: Nest, d_final: Nest
) -> _Arguments:
    length = tf.shape(tf.nest.flatten(given.inputs)[0])[0]
    mixed: list[int] = []  # the same at each step, known once the body has been traced
    places: list[int] = []  # of each value of a step: where among them it stands first, since some are the same tensor
    transposed = _lookup(ids[0], [tf.transpose(kernel) for kernel in given.kernels])

    def empty(like: tf.Tensor | tf.TensorArray) -> tf.TensorArray:
        return tf.TensorArray(like.dtype, size=length, infer_shape=False)

    def add(total: tf.Tensor, here: tf.Tensor | None) -> tf.Tensor:
        return total if here is None else total + here

    def body(t: tf.Tensor, d_state: Nest, totals: Nest, arrays: Nest) -> tuple[tf.Tensor, Nest, Nest, Nest]:
        back = _back(step, ids[1], transposed, given, tape, t, (d_state, _at(d_outputs, t)))
        mixed[:] = back.mixed
        values = tf.nest.flatten((back.d_inputs, back.factors))
        places[:] = _first_places(values)
        arrays = [a.write(t, x) if places[n] == n else a for n, (a, x) in enumerate(zip(arrays, values, strict=True))]
        here = back.d_shared, back.d_vectors
        totals = tuple([add(x, dx) for x, dx in zip(*pair, strict=True)] for pair in zip(totals, here, strict=True))
        return t - 1, back.d_state, totals, arrays

    factors = [tape.products, tape.products, tape.mixtures, tape.mixtures]
    to_fill = given.inputs, factors
    arrays = [empty(like) for like in tf.nest.flatten(to_fill)]
    totals = tuple([tf.zeros_like(x) for x in tf.nest.flatten(part)] for part in (given.shared, given.vectors))
    loop = (length - 1, d_final, totals, arrays)
    _, d_state, (d_shared, d_vectors), arrays = tf.while_loop(lambda t, *_: t >= 0, body, loop)
    stacked = {place: arrays[place].stack() for place in set(places)}
    flat = [stacked[place] for place in places]
    d_inputs, (x, d_products, weights, d_mixtures) = tf.nest.pack_sequence_as(to_fill, flat)
    for place, weight_TBS, d_TBD in zip(mixed, weights, d_mixtures, strict=True):
        d_shared[place] += _values_gradient(weight_TBS, d_TBD)
    d_kernels = _kernel_gradients(ids[0], given.kernels, tape.kernel_of_product, x, d_products)
    return _Arguments(d_kernels, d_vectors, d_state, d_inputs, tf.nest.pack_sequence_as(given.shared, d_shared))


def _first_places(values: list[tf.Tensor]) -> list[int]:
    """Where each tensor stands first among `values`, so that it is kept once: a state goes into several products.

    Told in a graph alone, where what is one tensor at one step is so at every step; outside it may be chance.
    """
    if tf.executing_eagerly():
        return list(range(len(values)))
    return [next(n for n, x in enumerate(values) if x is value) for value in values]


def _values_gradient(weight_TBS: tf.Tensor, d_TBD: tf.Tensor) -> tf.Tensor:
    """sum_t w_ts dc_t, one product a sentence for all time steps: [B, S, D]."""
    weight_BST, d_BTD = tf.transpose(weight_TBS, [1, 2, 0]), tf.transpose(d_TBD, [1, 0, 2])
    return multiply_each(weight_BST, d_BTD)


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
