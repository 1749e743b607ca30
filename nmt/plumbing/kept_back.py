"""SIGTERM while a library has it for itself and keeps Python's lock: it is neither lost nor waited with for ever."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from nmt.plumbing.signals import OVERDUE_S, blocked, handled

# Until its own end of the pipe closes: see whether SIGTERM is kept back, and end the process where it is for too long.
_WATCH = """
import os, select, signal, sys, time
parent, after_s, since = int(sys.argv[1]), float(sys.argv[2]), None
while not select.select([0], [], [], 0.1)[0]:
    try:
        with open(f"/proc/{parent}/status") as status:
            kept_back = next(int(line.split()[1], 16) for line in status if line.startswith("ShdPnd:"))
    except OSError:  # it has just ended
        break
    since = (since or time.monotonic()) if kept_back >> (signal.SIGTERM - 1) & 1 else None
    if since is not None and time.monotonic() - since > after_s:
        os.kill(parent, signal.SIGINT)
        break
"""


@contextmanager
def sigterm_kept_back(at_most_s: float = OVERDUE_S) -> Iterator[None]:
    """Within this context SIGTERM is kept back, and delivered at its end. SIGINT ends the process at once.

    For a library that sets a handler of its own for SIGTERM, and keeps Python's lock while it waits. Where the context
    lasts `at_most_s` longer after SIGTERM has come, a process beside this one ends it, by SIGINT (on Linux). A thread
    that was there before and does not keep SIGTERM back itself may get it; those that begin within the context do,
    and so do processes that are started within it.
    """
    with ExitStack() as stack:
        stack.enter_context(blocked((signal.SIGTERM,)))  # for the watcher too: SIGTERM may be sent to all
        if sys.platform == "linux":
            command = [sys.executable, "-I", "-S", "-c", _WATCH, str(os.getpid()), str(at_most_s)]
            stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True))
        stack.enter_context(handled(signal.SIG_DFL))
        yield
