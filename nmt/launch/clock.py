"""The clock: every date and every pause of the launcher goes through here, so that a test can turn it."""

from __future__ import annotations

import time


def now() -> float:
    """Seconds since 1970."""
    return time.time()


def ticks() -> float:
    """Seconds on a clock that nobody sets, for deadlines."""
    return time.monotonic()


def sleep(seconds: float) -> None:
    time.sleep(seconds)
