"""Every mistake a user can make ends in one of these, told in one sentence.

    NmtError                     exit status 2, no traceback
      ConfigError                an option: unknown, of the wrong type, or impossible beside another
      DataError                  a corpus: missing, empty, uneven, not UTF-8, too small
      CheckpointError            a file of weights: missing, broken, or of another model
      MetricError                a score that cannot be computed from what was given
      DeviceError                a GPU that was asked for and is not there
      TrainingError              a run that cannot go on (a loss that is not finite)
        WorkerLostError          a machine that trained together with this one is gone
      LaunchError                a rented machine: refused, unreachable, too dear, or not ours
      StreamError                standard input or output that cannot be read or written
      SweepError                 a sweep: trials that failed, a folder in use, a ledger that cannot be read

Our own bugs are not among them: they keep their traceback.
"""

from __future__ import annotations

import os

LONGEST_PART = 1_000  # characters of a part of a sentence: paths are shorter


class NmtError(Exception):
    """place: found X, expected Y; next step."""

    exit_status = 2

    def __init__(self, place: str, *, found: object, expected: str, next_step: str) -> None:
        self.place = place
        self.found = found
        self.expected = expected
        self.next_step = next_step
        super().__init__(place, found, expected, next_step)

    def __str__(self) -> str:
        place, found, expected, step = map(_brief, (self.place, self.found, self.expected, self.next_step))
        return f"{place}: found {found}, expected {expected}; {step}."


def reason_of(error: OSError) -> str:
    """Why the system refused, as a sentence goes on after `found`: without the path, which stands before it."""
    if isinstance(error, IsADirectoryError):
        return "a folder"
    reason = error.strerror or (os.strerror(error.errno) if error.errno else str(error))
    return reason[:1].lower() + reason[1:]


def _brief(part: object) -> str:
    """One line that can be read: what was found may be a broken file's word of a megabyte."""
    text = " ".join(str(part).splitlines())
    return text if len(text) <= LONGEST_PART else f"{text[: LONGEST_PART // 2]} ... {text[-LONGEST_PART // 2 :]}"


class ConfigError(NmtError):
    """An option is unknown, of the wrong type, or impossible beside another."""


class DataError(NmtError):
    """A corpus is missing, empty, uneven, not UTF-8, or too small for what was asked."""


class CheckpointError(NmtError):
    """A file of weights is missing, broken, or belongs to another model."""


class MetricError(NmtError):
    """A score cannot be computed from what was given."""


class DeviceError(NmtError):
    """A GPU was asked for and is not there, or this TensorFlow has no code for it."""


class TrainingError(NmtError):
    """A run cannot go on, such as when its loss is not finite."""


class WorkerLostError(TrainingError):
    """A machine that trained together with this one is gone."""


class LaunchError(NmtError):
    """A machine cannot be rented, reached or ended as asked; one that may be left running is named in the sentence."""


class StreamError(NmtError):
    """Standard input or output cannot be read or written."""


class SweepError(NmtError):
    """Trials failed, another launcher is at work in the folder, or its ledger cannot be read or written."""
