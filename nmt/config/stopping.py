"""Signals while there is nothing to save: before training listens to them itself, and after its last checkpoint."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SAME_SIGNAL_S = 2.0  # process groups and wrappers deliver one request twice


class Stopped(KeyboardInterrupt):
    """SIGINT or SIGTERM came. Like the exception that it is a kind of, it passes whatever catches errors."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_status = 128 + number


@contextmanager
def signals_raise() -> Iterator[None]:
    """Within this context SIGINT and SIGTERM raise Stopped where the program is.

    A second one within two seconds is the same request; a later one leaves at once with 128 + number. In a thread
    other than the main one, where Python takes no signals, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    first: list[float] = []

    def stop(number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not first:
            first.append(now)
            raise Stopped(number)
        if now - first[0] > SAME_SIGNAL_S:
            os._exit(128 + number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
