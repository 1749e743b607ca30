"""A lock that one process holds as long as it lives: the system lets it go, also after a kill -9."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

_PATIENCE_S, _LOOK_S = 0.25, 0.05  # whoever only looks (`is_locked`) holds it for a moment
_HANDED_OVER = "NMT_LOCK"  # the descriptor of a lock, for the program that a process becomes


class Lock:
    """The lock of a file, which is made where it is not there; its content is nobody's business here.

    A `passing` file vanishes when the lock is let go. With `wait` it waits for whoever holds the lock. One that was
    handed over to this program (`hand_over`) is its own already.

    Raises BlockingIOError where another process holds it, OSError where the file cannot be made.
    """

    def __init__(self, path: Path, mode: int = 0o666, passing: bool = False, wait: bool = False) -> None:
        self.path, self.passing = path, passing
        deadline = None if wait else time.monotonic() + _PATIENCE_S
        inherited = _handed_over(path)
        self.fd = _taken(path, mode, deadline) if inherited is None else inherited
        while not _same(self.fd, path):  # whoever had it before has removed it
            os.close(self.fd)
            self.fd = _taken(path, mode, deadline)

    def release(self) -> None:
        if self.passing:
            self.path.unlink(missing_ok=True)  # before others can have it
        os.close(self.fd)

    def hand_over(self) -> None:
        """Before this process becomes another program (exec): that has the lock, once it asks for it."""
        os.set_inheritable(self.fd, True)
        os.environ[_HANDED_OVER] = str(self.fd)

    def __enter__(self) -> Self:
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


def _taken(path: Path, mode: int, deadline: float | None) -> int:
    """A descriptor with the lock; no `deadline` waits for ever."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, mode)
    try:
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | (0 if deadline is None else fcntl.LOCK_NB))
                return fd
            except BlockingIOError:
                if deadline is None or time.monotonic() > deadline:
                    raise
                time.sleep(_LOOK_S)
    except BaseException:
        os.close(fd)
        raise


def _handed_over(path: Path) -> int | None:
    """The descriptor that was handed over, where it is of this file. It is handed over once."""
    said = os.environ.get(_HANDED_OVER, "")
    if not said.isdecimal() or not _same(int(said), path):
        return None
    del os.environ[_HANDED_OVER]
    os.set_inheritable(int(said), False)
    return int(said)


def _same(fd: int, path: Path) -> bool:
    """Whether the descriptor is of the file that has the name now."""
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except OSError:
        return False
