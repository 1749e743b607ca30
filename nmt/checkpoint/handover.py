"""Read numbers straight into memory that a variable of TensorFlow then takes over.

`tf.Variable.assign` copies a NumPy array: its caller may go on writing into it. Here the memory is a new tensor's, from
TensorFlow's own allocator, which nobody else has seen yet. It is filled, and assigning the tensor makes it the
variable's; what the variable had goes back to the allocator and is what the next tensor gets. So loading touches
each page once and needs the memory of one variable.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

LEAST = 1 << 16  # bytes; for fewer a copy is cheaper


def can_fill(variable: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
    """Whether `fill_variable` is for this variable and these numbers: large, plain, and outside graphs."""
    tensorflow = sys.modules.get("tensorflow")  # whoever has a variable of it has imported it
    if tensorflow is None or not isinstance(variable, tensorflow.Variable) or not tensorflow.executing_eagerly():
        return False
    plain = dtype.kind in "fiu" and dtype.isnative
    return plain and int(np.prod(shape, dtype=np.int64)) * dtype.itemsize >= LEAST


def fill_variable(
    variable: Any, shape: tuple[int, ...], dtype: np.dtype[Any], fill: Callable[[np.ndarray], None]
) -> None:
    """Assign the numbers that `fill` writes into the array it is given; if it raises, the variable stays as it was.

    `fill` must not keep the array. The variable may live on another device or on several: TensorFlow then copies.
    """
    import tensorflow as tf

    with tf.device("CPU:0"):
        tensor = tf.raw_ops.Empty(shape=shape, dtype=dtype, init=False)
    address = np.asarray(memoryview(tensor)).ctypes.data  # a tensor shows its memory, but for reading
    memory = (ctypes.c_ubyte * (tensor.shape.num_elements() * dtype.itemsize)).from_address(address)
    fill(np.frombuffer(memory, dtype).reshape(shape))
    variable.assign(tensor)
