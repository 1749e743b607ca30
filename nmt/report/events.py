"""What happened in a run, line by line: `metrics.jsonl`, mirrored to TensorBoard."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from nmt.config.metrics import FIGURES
from nmt.errors import DataError, reason_of
from nmt.plumbing.files import write_text
from nmt.plumbing.records import checked, parsed
from nmt.report.tensorboard import EventFile, forget_after

EVENTS = ("train", "validate", "test", "save", "average", "end")
_REQUIRED = ("event", "step", "epoch", "seconds")
_TYPES: dict[str, Any] = {"event": str, "step": int, "epoch": float, "seconds": float}
_MAYBE: Any = float | None
_TYPES |= dict.fromkeys((*FIGURES, "perplexity", "usd"), _MAYBE)
_MOST = 1e100  # of losses, scores, seconds and dollars
_NOT_DRAWN = ("step", "seconds")  # TensorBoard has axes for both


class EventLog:
    """Appends to `metrics.jsonl` and `tensorboard/` of a run folder. Each line is flushed: a kill loses at most one.

    A float that is not finite is written as null, since JSON has no name for it; TensorBoard is given it as it is.

    Raises DataError where the folder cannot be written. A line that could not be written is not lost: the next one
    that can is written after it.
    """

    def __init__(self, folder: Path) -> None:
        self._path, self._board_folder = folder / "metrics.jsonl", folder / "tensorboard"
        with _writable(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("ab", buffering=0)
            self._board = EventFile(self._board_folder)
        self._pending = b""  # what the disk did not take yet

    def write(self, event: Mapping[str, object]) -> None:
        """One event: `event` (one of EVENTS), `step`, `epoch`, `seconds` and what else it has to say.

        Its numbers become TensorBoard scalars called `event/key`.
        """
        missing = [key for key in _REQUIRED if key not in event]
        assert not missing, f"an event without {missing}"
        assert event["event"] in EVENTS, f"an event called {event['event']!r}"
        plain = {key: _plain(value) for key, value in event.items()}
        self._pending += json.dumps(plain, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        with _writable(self._path):
            while self._pending:
                self._pending = self._pending[self._file.write(self._pending) :]
            if event["event"] != "save":  # nothing in it to draw
                self._scalars(event)

    def text(self, tag: str, markdown: str, step: int) -> None:
        """Text for TensorBoard, such as sample translations."""
        with _writable(self._board_folder):
            self._board.text(tag, markdown, step)

    def image(self, tag: str, png: bytes, step: int) -> None:
        """A picture for TensorBoard, given as the bytes of a PNG file."""
        with _writable(self._board_folder):
            self._board.image(tag, png, step)

    def hparams(self, settings: Mapping[str, bool | int | float | str]) -> None:
        """The run's settings for TensorBoard's HParams page; the run is named after its folder."""
        with _writable(self._board_folder):
            self._board.hparams(settings, self._path.parent.resolve().name)

    def cut_back(self, step: int, lines: int | None) -> None:
        """Before a run is resumed from its checkpoint at `step`: forget what was logged after that was saved.

        Keeps the first `lines` lines, and of those the ones of steps up to `step`. Without that number: the lines up to
        and including the save event at `step`; where there is none, those of steps up to `step`. TensorBoard keeps
        steps up to `step`. Each file is replaced in one go.

        Raises DataError for a line that is not an event, or where the folder cannot be written.
        """
        events = read_events(self._path) if lines != 0 else []
        saves = [i for i, event in enumerate(events) if event["event"] == "save" and event["step"] == step]
        end = lines if lines is not None else saves[-1] + 1 if saves else None
        kept = [event for event in events[:end] if event["step"] <= step]
        with _writable(self._path):
            self.close()
            write_text(self._path, "".join(json.dumps(e, ensure_ascii=False) + "\n" for e in kept))
            forget_after(self._board_folder, step)
            self._file = self._path.open("ab", buffering=0)
            self._board = EventFile(self._board_folder)

    def close(self) -> None:
        self._file.close()
        with _writable(self._board_folder):
            self._board.close()

    def __enter__(self) -> EventLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _scalars(self, event: Mapping[str, object]) -> None:
        step = event["step"]
        assert isinstance(step, int), f"a step is an int, not {step!r}"
        for key, value in event.items():
            if key not in _NOT_DRAWN and isinstance(value, int | float | np.number) and not isinstance(value, bool):
                self._board.scalar(f"{event['event']}/{key}", float(value), step)


def read_events(path: Path) -> list[dict[str, Any]]:
    """The events of a `metrics.jsonl`. A last line without its end was being written when the run was killed: left out.

    Raises DataError for a missing file, or with the number of a line that is not an event.
    """
    try:
        lines = path.read_bytes().split(b"\n")[:-1]
    except OSError as error:
        raise DataError(
            str(path),
            found="no file that can be read",
            expected="the metrics.jsonl of a run",
            next_step="name a run folder",
        ) from error
    return [_parse(line, f"{path}, line {number}") for number, line in enumerate(lines, start=1)]


def _parse(line: bytes, place: str) -> dict[str, Any]:
    try:
        event: dict[str, Any] = parsed(line)
        checked(event, _TYPES, {*_REQUIRED})
        if any(abs(event.get(key) or 0) > _MOST for key in _TYPES if key not in ("event", "perplexity")):
            raise ValueError("a number that no run has, and that has no mean")
        if event["event"] == "test":
            checked(event, {"data": str}, {"data"})
    except ValueError as error:
        raise DataError(
            place,
            found=repr(line[:40].decode(errors="replace")),
            expected=f"a JSON object with {', '.join(_REQUIRED)}",
            next_step="delete the line, or the file: it is a log, and nothing is resumed from it",
        ) from error
    return event


def _plain(value: object) -> object:
    """What JSON can hold: NumPy's numbers become Python's, floats that are not finite null, tuples lists."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    return value


@contextmanager
def _writable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(
            str(path),
            found=reason_of(error),
            expected="a place that can be written",
            next_step="choose another folder with hydra.run.dir, or free some space",
        ) from error
