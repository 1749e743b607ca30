"""Folders that one process at a time writes, such as a run folder: claimed as long as that process lives."""

from __future__ import annotations

import contextlib
import errno
import itertools
import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from nmt.errors import ConfigError
from nmt.plumbing.locks import Lock

LOCK = ".lock"  # in a folder, as long as it is claimed
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)

log = logging.getLogger(__name__)


@contextmanager
def claimed(folder: Path, option: str) -> Iterator[Path]:
    """`folder` is this process's alone within this context. It is made where it is not there, and goes again where it
    stays empty.

    Raises ConfigError where another process has it, which `option` mends, and OSError where it cannot be written.
    """
    made = not folder.exists()
    try:
        lock = _lock(folder)
    except BlockingIOError as error:
        raise ConfigError(
            str(folder),
            found="another process at work in it",
            expected="one at a time",
            next_step=f"wait for it or stop it, or name another folder with {option}",
        ) from error
    try:
        with lock:
            yield folder
    finally:
        if made:
            with contextlib.suppress(OSError):  # there is something in it
                folder.rmdir()


@contextmanager
def claimed_new(wanted: Path) -> Iterator[Path]:
    """As `claimed`, a folder that nobody has used: `wanted`, or else `wanted` with the next number: runs/a_2.

    Raises OSError where it cannot be written.
    """
    for number in itertools.count(1):
        folder = wanted if number == 1 else wanted.with_name(f"{wanted.name}_{number}")
        try:
            lock = _lock(folder)
        except BlockingIOError:
            continue
        with lock:
            if any(path.name != LOCK for path in folder.iterdir()):
                continue
            yield folder
            return


def _lock(folder: Path) -> AbstractContextManager[object]:
    """Raises BlockingIOError, OSError."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            return Lock(folder / LOCK, passing=True)
        except FileNotFoundError:  # whoever made it has just removed it
            continue
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            log.warning("%s: this file system has no locks, so nothing keeps a second process out", folder)
            return contextlib.nullcontext()
