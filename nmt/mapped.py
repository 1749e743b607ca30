"""Less memory held by files that were read once as they were loaded, on Linux."""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Iterator
from pathlib import Path

_MADV_DONTNEED = 4  # of <sys/mman.h>
_HEAD = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ +(/.+)")
_LEAST = 2**20  # bytes of a file in memory: fewer are not worth a call
SMAPS = Path("/proc/self/smaps")


def clean_files(smaps: str) -> Iterator[tuple[int, int]]:
    """Where files lie in memory that nobody can have changed there: start and size in bytes, from /proc/PID/smaps.

    A mapping counts where it cannot be written, where no page of it differs from the file (relocations do), and where
    at least a megabyte of it is in memory.
    """
    place, resident = None, 0
    for line in smaps.splitlines():
        head = _HEAD.match(line)
        if head:
            start, end = int(head[1], 16), int(head[2], 16)
            place = (start, end - start) if "w" not in head[3] else None
        elif line.startswith("Rss:"):
            resident = int(line.split()[1]) * 1024
        elif line.startswith("Anonymous:") and place is not None and resident >= _LEAST and line.split()[1] == "0":
            yield place
            place = None


def release_files() -> int:
    """Give back the pages of libraries that have been loaded: what is used again comes back as it is used.

    More than half of what a process holds once TensorFlow is loaded is pages of its libraries that only the loading
    needed, such as lists of relocations. -> bytes of the mappings, 0 where this cannot be done.
    """
    if sys.platform != "linux" or not SMAPS.exists():
        return 0
    madvise = ctypes.CDLL(None, use_errno=True).madvise
    madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    return sum(size for start, size in clean_files(SMAPS.read_text()) if not madvise(start, size, _MADV_DONTNEED))
