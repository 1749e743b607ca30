"""The bytes of an array, and arrays and bytes through the positioned calls of the operating system."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

CHUNK = 1 << 20  # bytes read or written, and digested, at a time: they stay in the processor's cache in between


def bytes_of(array: np.ndarray) -> memoryview:
    """The memory of a contiguous array itself, not a copy."""
    assert array.flags.c_contiguous
    flat: Any = array.reshape(-1).view(np.uint8) if array.size else np.empty(0, np.uint8)
    return memoryview(flat)


def pieces(num_bytes: int) -> Iterator[tuple[int, int]]:
    """(start, stop) of each CHUNK."""
    for start in range(0, num_bytes, CHUNK):
        yield start, min(start + CHUNK, num_bytes)


def write_at(fd: int, data: memoryview | bytes, offset: int) -> None:
    """All of it: one call may write less than it was given."""
    view, done = memoryview(data), 0
    while done < len(view):
        done += os.pwrite(fd, view[done:], offset + done)


def reserve(fd: int, num_bytes: int) -> None:
    """Room on the disk in one piece, which is faster, and a full disk says so now. Where that is unknown, nothing."""
    if sys.platform == "linux":
        try:
            os.posix_fallocate(fd, 0, num_bytes)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                raise


def read_into(fd: int, buffer: memoryview, offset: int) -> bool:
    """Fill the buffer; False where the file ends before."""
    done = 0
    while done < len(buffer):
        num_read = os.preadv(fd, [buffer[done:]], offset + done)
        if num_read == 0:
            return False
        done += num_read
    return True
