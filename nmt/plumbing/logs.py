"""The log of a run beside the screen."""

from __future__ import annotations

import logging
import sys

from nmt.errors import NmtError, reason_of


class LogFile(logging.FileHandler):
    """Where it cannot be written, as on a full disk, that is said once on standard error; the run goes on."""

    told = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (its name is logging's)
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            self._tell(error)
        else:
            super().handleError(record)

    def close(self) -> None:
        try:
            super().close()
        except OSError as error:
            self._tell(error)

    def _tell(self, error: OSError) -> None:
        if not self.told:
            self.told = True
            mistake = NmtError(
                self.baseFilename,
                found=reason_of(error),
                expected="a log that can be written",
                next_step="free some space; until then the lines of the log are on the screen alone",
            )
            print(mistake, file=sys.stderr)
