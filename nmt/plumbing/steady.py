"""Files that stay open for long: what is read of one is what was there when it was opened, or there is an error.

They are read at places, and never mapped: a mapped file that another program cuts off kills whoever looks at it.
"""

from __future__ import annotations

import os
import stat
import time
import weakref
from collections.abc import Callable

from nmt.errors import NmtError

# Clocks of file systems stand still for so long: a file written to just before may be written to again unseen.
_TICK_S, _COARSE_TICK_S = 0.03, 2.0


class SteadyFile:
    """A file by its descriptor, which is closed with this object. From any thread.

    Whether it was written to shows in its size and the time of its last change. Where the time of its state alone has
    changed, as by another name or mode (or a clock put back), `is_same` says whether the content has not.
    """

    def __init__(self, name: str, descriptor: int, error: type[NmtError]) -> None:
        self.name, self.descriptor, self._error = name, descriptor, error
        self.is_same: Callable[[SteadyFile], bool] = lambda _: True
        weakref.finalize(self, os.close, descriptor)
        _wait_for_the_clock(descriptor)
        self._stamp = _stamp(descriptor)

    @property
    def size(self) -> int:
        return self._stamp[0]

    def read(self, place: int, size: int) -> bytes:
        """Raises the error where the file has fewer bytes there; `check` says whether it has changed."""
        parts = []
        while size > 0:
            part = os.pread(self.descriptor, size, place)  # Linux returns less than 2 GiB at once
            if not part:
                raise self.changed()
            parts.append(part)
            place, size = place + len(part), size - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def window(self, place: int, size: int) -> bytes:
        """At most `size` bytes, fewer near the end."""
        return os.pread(self.descriptor, size, place)

    def check(self) -> None:
        """Raises the error where the file has been written to since it was opened: what was read may be anything."""
        found = self.check_times()
        if found != self._stamp and not self.is_same(self):
            raise self.changed()
        self._stamp = found

    def check_times(self) -> tuple[int, int, int]:
        """As `check`, but for a changed state."""
        found = _stamp(self.descriptor)
        if found[:2] != self._stamp[:2]:
            raise self.changed()
        return found

    def changed(self) -> NmtError:
        return self._error(
            self.name,
            found="another content than when it was opened",
            expected="a file that nobody writes to while it is in use",
            next_step="start again, and put new content into a new file",
        )


def _stamp(descriptor: int) -> tuple[int, int, int]:
    about = os.fstat(descriptor)
    return about.st_size, about.st_mtime_ns, about.st_ctime_ns


def _wait_for_the_clock(descriptor: int) -> None:
    """Until another change of the file will have another time."""
    about = os.fstat(descriptor)
    if stat.S_ISREG(about.st_mode):
        tick_s = _TICK_S if about.st_mtime_ns % 10**9 else _COARSE_TICK_S
        age_s = time.time() - about.st_mtime_ns / 1e9
        if age_s < tick_s:
            time.sleep(min(tick_s, tick_s - age_s))
