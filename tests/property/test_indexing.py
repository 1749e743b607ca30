# N rows, V columns
"""Per-row indexing is NumPy's `M[arange(n), idx]`, in its values and its gradient, and refuses every other index."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from nmt.model.indexing import take_per_row

FLOATS, INTEGERS = (np.float16, np.float32, np.float64), (np.int32, np.int64, np.uint8)
fixed = settings(deadline=None, max_examples=60, derandomize=True)


@st.composite
def tables(draw, dtypes, smallest=0):
    """(matrix [N, V, ...] of different numbers, index [N])."""
    num_rows, num_columns = draw(st.integers(smallest, 5)), draw(st.integers(1, 6))
    trailing = draw(st.lists(st.integers(0, 3), max_size=2))
    shape = (num_rows, num_columns, *trailing)
    matrix = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(draw(st.sampled_from(dtypes)))
    index = draw(st.lists(st.integers(0, num_columns - 1), min_size=num_rows, max_size=num_rows))
    return matrix, np.array(index, dtype=draw(st.sampled_from((np.int32, np.int64))))


@fixed
@given(tables(FLOATS + INTEGERS))
def test_values_are_numpys(table):
    matrix_NV, index_N = table
    found = take_per_row(tf.constant(matrix_NV), tf.constant(index_N))
    expected = matrix_NV[np.arange(len(index_N)), index_N]
    assert found.dtype.as_numpy_dtype == matrix_NV.dtype
    assert_array_equal(found, expected)
    assert found.shape == expected.shape


@fixed
@given(tables(FLOATS))
def test_the_gradient_is_numpys(table):
    """Of sum(w * M[arange(n), idx]): w where an element was taken, else 0."""
    matrix_NV, index_N = table
    upstream = (1 + np.arange(matrix_NV[:, 0].size)).reshape(matrix_NV[:, 0].shape).astype(matrix_NV.dtype)
    matrix = tf.constant(matrix_NV)
    with tf.GradientTape() as tape:
        tape.watch(matrix)
        taken = take_per_row(matrix, tf.constant(index_N))
    expected = np.zeros_like(matrix_NV)
    expected[np.arange(len(index_N)), index_N] = upstream
    assert_array_equal(tape.gradient(taken, matrix, output_gradients=tf.constant(upstream)), expected)


# One graph for all shapes: what a compiled step uses.
in_graph = tf.function(take_per_row, input_signature=[tf.TensorSpec([None, None]), tf.TensorSpec([None], tf.int64)])


@fixed
@given(tables((np.float32,)).filter(lambda table: table[0].ndim == 2))
def test_a_graph_gives_the_same(table):
    matrix_NV, index_N = table
    expected = matrix_NV[np.arange(len(index_N)), index_N]
    assert_array_equal(in_graph(tf.constant(matrix_NV), tf.constant(index_N.astype(np.int64))), expected)


@fixed
@given(tables((np.float32,), smallest=1).filter(lambda table: table[0].ndim == 2), st.data())
def test_an_index_outside_its_row_is_an_error_eagerly_and_in_a_graph(table, data):
    matrix_NV, index_N = table
    columns = matrix_NV.shape[1]
    outside = data.draw(st.one_of(st.integers(-(2**40), -1), st.integers(columns, 2**40)))
    wrong_N = index_N.astype(np.int64)
    wrong_N[data.draw(st.integers(0, len(wrong_N) - 1))] = outside
    for function in (take_per_row, in_graph):
        with pytest.raises(tf.errors.InvalidArgumentError, match="an index lies outside its row"):
            function(tf.constant(matrix_NV), tf.constant(wrong_N))


@pytest.mark.parametrize("index", [[-1, 0], [0, 3], [3, 0], [0, -3]])
def test_neither_the_last_by_minus_one_nor_the_neighbouring_row(index):
    with pytest.raises(tf.errors.InvalidArgumentError, match="an index lies outside its row"):
        take_per_row(tf.reshape(tf.range(6.0), [2, 3]), tf.constant(index))


def test_the_static_shape_is_known_in_a_graph():
    spec = [tf.TensorSpec([None, 4, 7]), tf.TensorSpec([3], tf.int32)]
    graph = tf.function(take_per_row, input_signature=spec).get_concrete_function()
    assert graph.structured_outputs.shape == [3, 7]
