"""Work in the background that leaves the processor to the work in front."""

from __future__ import annotations

import threading
import time

SHARE = 0.2  # of one core


class Pace:
    """A thread that calls `rest` between pieces of its work takes `share` of one core, until somebody says `hurry`.

    A low priority does not do that alone: the system's own work for the thread (getting and filling pages, writing them
    out) is not low, and what runs on the other core still shares memory and caches with it.
    """

    def __init__(self, share: float = SHARE) -> None:
        self._rest_per_second = 1 / share - 1
        self._hurried = threading.Event()
        self._before: float | None = None  # processor seconds of the thread after its last rest

    def rest(self) -> None:
        """Sleep in proportion to the processor time since the last rest; not at all once there is a hurry."""
        if self._hurried.is_set():
            return
        if self._before is not None:
            self._hurried.wait((time.thread_time() - self._before) * self._rest_per_second)
        self._before = time.thread_time()

    def hurry(self) -> None:
        """Somebody waits for the thread: it rests no more."""
        self._hurried.set()
