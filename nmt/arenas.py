"""Less memory lost between threads, with the GNU C library."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import MutableMapping

_M_ARENA_MAX = -8  # mallopt's name for it, of <malloc.h>
ASKED_BY = ("MALLOC_ARENA_MAX", "GLIBC_TUNABLES")  # how a user says the same; then it stays as it was said


def limit_arenas(cores: int | None = None, environment: MutableMapping[str, str] = os.environ) -> bool:
    """Let threads share arenas of malloc, half as many as there are cores; -> whether anything was done.

    Left alone, each of TensorFlow's threads gets an arena of its own, and what one has freed the others cannot use.
    Large tensors come from TensorFlow's own pool, so threads seldom wait for each other here. To be called before the
    threads are there.
    """
    if sys.platform != "linux" or any(name in environment for name in ASKED_BY):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # another C library
        return False
    return bool(mallopt(_M_ARENA_MAX, max(1, (cores or os.cpu_count() or 1) // 2)))
