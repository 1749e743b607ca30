"""Files that appear whole or not at all: written beside, made durable where that is asked for, then renamed.

A symbolic link stays what it is, and the file that it leads to is the one that is written. A folder, a device, a pipe
or a socket is never replaced. All that the file system refuses is a NotWrittenError, which names the file that was
meant; the edge of a command makes a sentence of it where nobody else does.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

TEMPORARY = ".tmp"
_numbers = itertools.count()  # two threads that write one name do not share a temporary file
_NO_FILES = {
    stat.S_IFDIR: (errno.EISDIR, "a folder"),
    stat.S_IFCHR: (errno.EINVAL, "a device"),
    stat.S_IFBLK: (errno.EINVAL, "a device"),
    stat.S_IFIFO: (errno.EINVAL, "a pipe"),
    stat.S_IFSOCK: (errno.EINVAL, "a socket"),
}


class NotWrittenError(OSError):
    """errno, what is wrong, and the file."""


def write_text(path: Path, text: str, sync: bool = False, mode: int = 0o666) -> None:
    """UTF-8, as `write_bytes`; what a name of a file had that is not UTF-8 comes out as it was."""
    write_bytes(path, text.encode("utf-8", "surrogateescape"), sync, mode)


def write_bytes(path: Path, data: bytes, sync: bool = False, mode: int = 0o666) -> None:
    """The whole content of a file. Raises NotWrittenError; the file that had the name is then as it was."""
    with replacing(path, sync, mode) as fd, open(fd, "wb", closefd=False) as file:
        file.write(data)


@contextlib.contextmanager
def replacing(path: Path, sync: bool = False, mode: int = 0o666) -> Iterator[int]:
    """A descriptor of a new file that takes the name `path` when the block ends well, and vanishes otherwise.

    With `sync` the bytes are on the disk before the name is theirs, and the name is when this returns. Raises
    NotWrittenError; the file that had the name is then as it was.
    """
    path = target_of(path)
    with _told(path):
        beside, fd = _new_beside(path, mode)
        try:
            try:
                yield fd
                if sync:
                    os.fsync(fd)
            finally:
                os.close(fd)
            _rename(beside, path, sync)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(beside)
            raise


def give_name(existing: Path, path: Path, sync: bool = False) -> None:
    """A second name for a file that is whole, in the place of whatever file had that name. Raises NotWrittenError."""
    path = target_of(path)
    with _told(path):
        beside = _temporary(path)
        try:
            os.link(existing, beside)
        except OSError:  # a file system without hard links, or another one
            with open(existing, "rb") as source, replacing(path, sync) as fd, open(fd, "wb", closefd=False) as copy:
                shutil.copyfileobj(source, copy)
            return
        try:
            _rename(beside, path, sync)
        finally:
            with contextlib.suppress(OSError):
                os.unlink(beside)


def target_of(path: Path) -> Path:
    """Where what is written to `path` goes: there, or to the file that a link of this name leads to.

    Raises NotWrittenError where something else than a file has the name.
    """
    with _told(path):
        path = Path(os.path.realpath(path)) if path.is_symlink() else path
        try:
            kind = stat.S_IFMT(path.stat().st_mode)
        except FileNotFoundError:
            return path
    if kind in _NO_FILES:
        raise NotWrittenError(*_NO_FILES[kind], str(path))
    return path


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """What the file system says of `path`, or of the file beside it, is told of `path`; of others it stays as it is."""
    try:
        yield
    except NotWrittenError:
        raise
    except OSError as error:
        if error.filename is not None and not str(error.filename).startswith(str(path)):
            raise
        raise NotWrittenError(error.errno, error.strerror, str(path)) from error


def _new_beside(path: Path, mode: int) -> tuple[Path, int]:
    while True:
        beside = _temporary(path)
        try:
            return beside, os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        except FileExistsError:  # left by a process of this number that was killed
            continue


def _temporary(path: Path) -> Path:
    """A name beside `path` that no other thread or process takes: `last.h5.4711-0.tmp`."""
    return path.with_name(f"{path.name}.{os.getpid()}-{next(_numbers)}{TEMPORARY}")


def _rename(beside: Path, path: Path, sync: bool) -> None:
    os.replace(beside, path)
    if sync:
        fd = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)  # the name, as the bytes before it
        finally:
            os.close(fd)
