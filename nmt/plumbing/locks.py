"""A lock that one process holds as long as it lives: the system lets it go, also after a kill -9."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType

_PATIENCE_S, _LOOK_S = 0.25, 0.05  # whoever only looks (`is_locked`) holds it for a moment


class Lock:
    """The lock of a file, which is made where it is not there; its content is nobody's business here.

    Raises BlockingIOError where another process holds it, OSError where the file cannot be made.
    """

    def __init__(self, path: Path, mode: int = 0o666) -> None:
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, mode)
        try:
            _take(self.fd)
        except OSError:
            os.close(self.fd)
            raise

    def release(self) -> None:
        os.close(self.fd)

    def __enter__(self) -> Lock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock of the file; not where there is no such file."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _take(fd: int) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_LOOK_S)
