"""Read numbers straight into memory that a variable of TensorFlow then takes over.

`tf.Variable.assign` copies a NumPy array: its caller may go on writing into it. Here the memory is a new tensor's, from
TensorFlow's own allocator, which nobody else has seen yet. It is filled, and assigning the tensor makes it the
variable's; what the variable had goes back to the allocator and is what the next tensor gets. So loading touches
each page once and needs the memory of the few variables that are being read.
"""

from __future__ import annotations

import ctypes
import sys
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from nmt.checkpoint.parameters import Setter
from nmt.checkpoint.reader import OpenCheckpoint, decoded_dtype, read_value

LEAST = 1 << 16  # bytes; for fewer a copy is cheaper
READERS = 2  # threads, and variables that are read at a time


def assign_all(path: Path, file: OpenCheckpoint, pairs: Iterable[tuple[str, Setter]]) -> None:
    """Numbers of the keys of a file through setters of their shapes and types.

    The numbers must have been checked: what raises in between, CheckpointError where the file has changed since, leaves
    some variables assigned and others as they were.
    """
    under_way: deque[tuple[Setter, Blank, Future[None]]] = deque()

    def assign_oldest() -> None:
        setter, blank, done = under_way.popleft()
        done.result()
        setter(blank.tensor)

    with ThreadPoolExecutor(READERS) as pool:
        for key, setter in pairs:
            dataset = file.datasets[key]
            dtype = decoded_dtype(dataset)
            if dataset.kind or not can_fill(setter.variable, dataset.shape, dtype):
                setter(read_value(path, file, key))
                continue
            if len(under_way) == READERS:
                assign_oldest()
            blank = Blank(dataset.shape, dtype)
            under_way.append((setter, blank, pool.submit(file.read_into, key, blank.array)))
        while under_way:
            assign_oldest()


class Blank:
    """A tensor that nobody has seen, and `array`, its memory to be written into for as long as this object lives."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        tf = sys.modules["tensorflow"]  # of whoever made the variable; this package is of use without it
        with tf.device("CPU:0"):  # a variable elsewhere, or on several devices, gets copies
            self.tensor = tf.raw_ops.Empty(shape=shape, dtype=dtype, init=False)
        address = np.asarray(memoryview(self.tensor)).ctypes.data  # a tensor shows its memory, but for reading
        memory = (ctypes.c_ubyte * (self.tensor.shape.num_elements() * dtype.itemsize)).from_address(address)
        self.array = np.frombuffer(memory, dtype).reshape(shape)


def can_fill(variable: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
    """Whether the memory can be handed over: that of many plain numbers, to a variable outside graphs."""
    tensorflow = sys.modules.get("tensorflow")  # whoever has a variable of it has imported it
    if tensorflow is None or not isinstance(variable, tensorflow.Variable) or not tensorflow.executing_eagerly():
        return False
    plain = dtype.kind in "fiu" and dtype.isnative
    return plain and int(np.prod(shape, dtype=np.int64)) * dtype.itemsize >= LEAST
