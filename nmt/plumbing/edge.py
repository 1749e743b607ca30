"""The edge of a command: sentences instead of tracebacks, exit statuses, signals, and streams that are UTF-8.

    sys.exit(command(lambda: work(sys.argv[1:])))

0 done; 2 what the user can mend, told in one sentence on standard error; 130 or 143 stopped by a signal. Our own bugs
keep their traceback.
"""

from __future__ import annotations

import argparse
import codecs
import contextlib
import errno
import io
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, TextIO

from nmt.errors import ConfigError, NmtError, StreamError, reason_of
from nmt.plumbing.files import NotWrittenError
from nmt.plumbing.folders import ensure_home
from nmt.plumbing.signals import Stopped, signals_raise

_ERRORS = "nmt-output"
_OUT, _ERR = 1, 2
_under_way: list[None] = []  # one for each command: one may call another
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)  # whoever met it, it is no bug of ours


class ReaderGoneError(BrokenPipeError):
    """Whoever read standard output, such as `head`, has seen enough."""


def command(work: Callable[[], int | None]) -> int:
    """Call `work`; -> exit status, 0 where it returns None."""
    ensure_home()
    with _counted(), _standard_streams() as output:
        try:
            status = _done(work)
        except NmtError as mistake:
            print(mistake, file=sys.stderr)
            status = mistake.exit_status
        except Stopped as stopped:
            status = stopped.exit_status
        except KeyboardInterrupt:
            status = 130
        except ReaderGoneError:
            status = 0
        except SystemExit:
            if _flushed():
                raise
            status = StreamError.exit_status
        if not _flushed():
            status = status or StreamError.exit_status
        if output is not None and output.lasting and output.failure not in (None, errno.EPIPE):
            print(_not_written(output.failure), file=sys.stderr)
        return status


def in_command() -> bool:
    """Whether a command is under way, rather than a program or notebook of somebody else that uses the package."""
    return bool(_under_way)


def outlast_output() -> None:
    """From now on what is printed is not all there is to the command, as with training. It goes on where standard
    output cannot be written; that is told at the end, and does not change the exit status."""
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    if isinstance(raw, _Output):
        raw.lasting = True


class Parser(argparse.ArgumentParser):
    """Of a command line with dashes: a mistake raises ConfigError."""

    takes = "a command line that it knows"

    def error(self, message: str) -> NoReturn:
        raise ConfigError(self.prog, found=message, expected=self.takes, next_step="see --help")


class _Output(io.FileIO):
    """A stream of the system. What cannot be written is an error once, unless it is `lasting`; then it is dropped."""

    def __init__(self, fd: int) -> None:
        super().__init__(fd, "w", closefd=False)
        self.lasting = False
        self.failure: int | None = None

    def write(self, data: Any) -> int:
        if self.failure is None:
            try:
                return super().write(data)
            except OSError as error:
                self.failure = error.errno
                if not self.lasting:
                    if self.failure == errno.EPIPE:
                        raise ReaderGoneError from error
                    raise _not_written(self.failure) from error
        return memoryview(data).nbytes


class _Input(io.FileIO):
    """Standard input. Raises StreamError where it cannot be read."""

    def readinto(self, buffer: Any) -> int | None:
        with self._told():
            return super().readinto(buffer)

    def readall(self) -> bytes:
        with self._told():
            return super().readall()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StreamError(
                "standard input", found=_reason(error.errno), expected="text", next_step="redirect it from a file"
            ) from error


@contextlib.contextmanager
def _counted() -> Iterator[None]:
    _under_way.append(None)
    try:
        yield
    finally:
        _under_way.pop()


def _done(work: Callable[[], int | None]) -> int:
    """Raises NmtError also for a file that cannot be written or named, where nobody else has said so."""
    try:
        with signals_raise():
            return work() or 0
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise NmtError(
                str(error.filename or "a file"),
                found="a name that is too long",
                expected="one that the file system takes",
                next_step="shorten it",
            ) from error
        if not isinstance(error, NotWrittenError) and error.errno not in _FULL:
            raise
        raise NmtError(
            str(error.filename or "a file"),
            found=reason_of(error),
            expected="a file that can be written",
            next_step="name another, or mend that",
        ) from error


def _not_written(failure: int | None) -> StreamError:
    return StreamError(
        "standard output",
        found=_reason(failure),
        expected="a place to write to",
        next_step="redirect it elsewhere",
    )


def _reason(failure: int | None) -> str:
    return "it closed" if failure == errno.EBADF else os.strerror(failure or errno.EIO).lower()


def _flushed() -> bool:
    """Whether all that was printed has been written; where not, that is said."""
    try:
        sys.stdout.flush()
    except ReaderGoneError:
        pass
    except StreamError as mistake:
        print(mistake, file=sys.stderr)
        return False
    return True


@contextlib.contextmanager
def _standard_streams() -> Iterator[_Output | None]:
    """Standard output and error in UTF-8, whatever the locale; -> the former, None where it is not the system's own.

    A stream that was closed when the program began is one that cannot be read or written: left as it is, the next file
    that is opened would take its place, and libraries would print into that.
    """
    before = sys.stdin, sys.stdout, sys.stderr
    if sys.stdin is sys.__stdin__:
        sys.stdin = _input(sys.stdin)
    output = None
    if sys.stdout is sys.__stdout__:
        sys.stdout, output = _output(sys.stdout, _OUT)
    if sys.stderr is sys.__stderr__:
        sys.stderr, errors = _output(sys.stderr, _ERR)
        errors.lasting = True
    try:
        yield output
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, NmtError):  # a bug on its way has the word
                stream.flush()
        sys.stdin, sys.stdout, sys.stderr = before


def _input(stream: TextIO | None) -> TextIO:
    raw = _Input(_plugged(os.O_WRONLY) if stream is None else stream.fileno(), closefd=False)
    return io.TextIOWrapper(io.BufferedReader(raw), encoding="utf-8")


def _output(stream: TextIO | None, number: int) -> tuple[TextIO, _Output]:
    fd = number if stream is not None else _plugged(os.O_RDONLY if number == _OUT else os.O_WRONLY)
    raw = _Output(fd)
    at_once = isinstance(stream, io.TextIOWrapper) and (stream.line_buffering or stream.write_through)  # python -u
    lines = number == _ERR or at_once
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", errors=_ERRORS, line_buffering=lines), raw


def _plugged(flags: int) -> int:
    """The lowest free descriptor, which is that of a closed stream, for children too: what is done with it fails."""
    fd = os.open(os.devnull, flags)
    os.set_inheritable(fd, fd <= _ERR)
    return fd


def _as_bytes(error: UnicodeError) -> tuple[str | bytes, int]:
    """A name of a file that is not UTF-8 comes out as it was; other halves of surrogate pairs as \\ud800."""
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeError:
        return codecs.lookup_error("backslashreplace")(error)


codecs.register_error(_ERRORS, _as_bytes)
