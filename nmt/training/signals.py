"""SIGTERM and SIGINT ask a run to save and leave."""

from __future__ import annotations

import os
import signal
import time
from types import FrameType, TracebackType
from typing import Any

from nmt.config.stopping import SAME_SIGNAL_S


class StopRequest:
    """A context in which a signal sets `number` and changes nothing else; the loop looks at it after each step.

    A second signal, later than two seconds after the first, leaves at once with status 128 + number. Files stay
    whole all the same: they get their names only once they are written.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._since = 0.0
        self._before: dict[int, Any] = {}

    def made(self) -> bool:
        """Whether a signal has come."""
        return self.number is not None

    @property
    def exit_status(self) -> int:
        """130 after SIGINT, 143 after SIGTERM, 0 without a request."""
        return 128 + self.number if self.number is not None else 0

    def __enter__(self) -> StopRequest:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._request)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _request(self, number: int, frame: FrameType | None) -> None:
        if self.number is None:
            self.number, self._since = number, time.monotonic()
        elif time.monotonic() - self._since > SAME_SIGNAL_S:
            os._exit(128 + number)
