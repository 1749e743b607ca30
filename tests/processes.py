"""Processes that a test has started, known by a variable that each inherits."""

from __future__ import annotations

import contextlib
import os
import signal
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

MARK = "NMT_TEST_STARTED"
ENDING_S = 60.0  # that what was told to end may take, on a busy machine


@contextlib.contextmanager
def none_is_left() -> Iterator[None]:
    """Fails where a process that was started inside outlives it, and ends it. Without /proc nothing is looked at."""
    mark = uuid.uuid4().hex
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(MARK, mark)
        try:
            yield
        finally:
            left = _ended(mark)
    assert not left, f"still running: {list(left.values())}"


def _ended(mark: str) -> dict[int, str]:
    """What is left of them after a while: it is killed."""
    ends = time.monotonic() + ENDING_S
    while (left := marked(mark)) and time.monotonic() < ends:
        time.sleep(0.05)
    for pid in left:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    return left


def marked(mark: str) -> dict[int, str]:
    """The processes that live and have the mark: number -> command line."""
    found = {}
    wanted = f"{MARK}={mark}".encode()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended, or is another user's
            if wanted in process.joinpath("environ").read_bytes().split(b"\0"):
                words = process.joinpath("cmdline").read_bytes().replace(b"\0", b" ")
                found[int(process.name)] = words.decode("utf-8", "replace").strip()
    return found
