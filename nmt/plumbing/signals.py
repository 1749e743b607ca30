"""SIGINT and SIGTERM: they raise where nothing is to be saved, and are noted where something is."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

NUMBERS = (signal.SIGINT, signal.SIGTERM)
SAME_SIGNAL_S = 2.0  # process groups and wrappers deliver one request twice
OVERDUE_S = 3.0  # a worker ends within five seconds; what it does after these is quick
STATUSES = tuple(128 + number for number in NUMBERS)  # exit statuses of a program that was stopped


class Stopped(KeyboardInterrupt):
    """SIGINT or SIGTERM came. Like the exception that it is a kind of, it passes whatever catches errors."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_status = 128 + number


@contextmanager
def handled(handler: Callable[[int, FrameType | None], Any] | signal.Handlers) -> Iterator[None]:
    """Within this context both signals go to `handler`.

    In a thread other than the main one, where Python takes no signals, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in NUMBERS}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


@contextmanager
def signals_raise() -> Iterator[None]:
    """Within this context SIGINT and SIGTERM raise Stopped where the program is.

    A second one within two seconds is the same request; a later one leaves at once with 128 + number. A context inside
    another is part of it: what counts as the same request is counted over both.
    """
    if isinstance(signal.getsignal(signal.SIGTERM), _Raise):
        yield
        return
    with handled(_Raise()):
        yield


@contextmanager
def signals_end() -> Iterator[None]:
    """Within this context SIGINT and SIGTERM end the process at once.

    For libraries that wait where Python's own handlers would not be called, while nothing is to be saved.
    """
    with handled(signal.SIG_DFL):
        yield


@contextmanager
def deaf_threads() -> Iterator[None]:
    """Threads that begin within this context take no signals of NUMBERS. To be as short as can be: nobody does."""
    with blocked(NUMBERS):
        yield


@contextmanager
def blocked(numbers: Iterable[signal.Signals]) -> Iterator[None]:
    """Within this context this thread keeps signals back; what came is delivered at its end."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def overdue(act: Callable[[int], object], after_s: float = OVERDUE_S) -> Iterator[None]:
    """`act(number)`, in another thread, where a signal came and this context has not been left `after_s` later.

    For what keeps the main thread, the only one that takes signals, outside of Python, or does not let go at once. The
    handlers stay what they are. Of contexts inside one another the inner one counts. Nothing can act while a library
    waits without giving up Python's lock: there is `signals_end` for that.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    left = threading.Event()
    reader, writer = socket.socketpair()
    writer.setblocking(False)

    def watch() -> None:
        while came := reader.recv(1):
            if came[0] in NUMBERS:
                if not left.wait(after_s):
                    act(came[0])
                return

    thread = threading.Thread(target=watch, name="overdue signals", daemon=True)
    before: int | None = None
    try:
        with deaf_threads():  # nor does this one: what came raises at the end of this, when all can be undone
            before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
            thread.start()
        yield
    finally:
        if before is not None:
            signal.set_wakeup_fd(before)
        left.set()
        writer.close()
        if thread.ident is not None:
            thread.join()
        reader.close()


def leave(number: int) -> None:
    """End the process at once, with the exit status of the signal."""
    os._exit(128 + number)


class StopRequest:
    """A context in which a signal sets `number` and changes nothing else: whoever works looks at it now and then.

    What a second signal does, later than two seconds after the first, `again` says: it leaves at once with status
    128 + number. Files stay whole all the same: they get their names only once they are written.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._since = 0.0
        self._context = ExitStack()

    def made(self) -> bool:
        """Whether a signal has come."""
        return self.number is not None

    @property
    def exit_status(self) -> int:
        """130 after SIGINT, 143 after SIGTERM, 0 without a request."""
        return 128 + self.number if self.number is not None else 0

    def again(self, number: int) -> None:
        """Somebody insists."""
        leave(number)

    def __enter__(self) -> Self:
        self._context.enter_context(handled(self._note))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._context.close()

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.number is None:
            self.number, self._since = number, time.monotonic()
        elif time.monotonic() - self._since > SAME_SIGNAL_S:
            self.again(number)


class _Raise:
    """The handler of `signals_raise`."""

    def __init__(self) -> None:
        self.first: float | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.first is None:
            self.first = now
            raise Stopped(number)
        if now - self.first > SAME_SIGNAL_S:
            leave(number)
