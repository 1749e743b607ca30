"""`ledger.jsonl` of a sweep folder: one line when a trial starts, one when it ends, never changed afterwards.

    {"event": "start", "trial": ID, "group": ID, "number": 3, "overrides": [...], "folder": NAME, "where": "gpu 0", ...}
    {"event": "end", "trial": ID, "status": "finished", "exit_status": 0, "score": 0.71, "seconds": 14.2, ...}

A trial that has started and not ended was interrupted: its launcher was killed, or is at work now.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Any

from nmt.errors import SweepError, reason_of
from nmt.plumbing.locks import Lock, is_locked
from nmt.plumbing.records import checked, parsed

FILE = "ledger.jsonl"
_NAME = re.compile(r"(?!\.{1,2}$)[^/\0]{1,255}")  # of a folder inside the sweep's
_TYPES: Mapping[str, Mapping[str, Any]] = {
    "start": {
        "trial": str,
        "group": str,
        "number": int,
        "overrides": list[str],
        "folder": str,
        "where": str,
        "flags": list[str],  # not in a ledger of before they were kept
    },
    "end": {
        "trial": str,
        "status": str,
        "score": float | None,
        "exit_status": int | None,
        "seconds": float,
        "usd": float | None,
    },
}


class Status(Enum):
    """What became of a trial. Those that are done are not run again."""

    finished = "finished"
    pruned = "pruned"  # ended early, since it was behind the others
    failed = "failed"
    interrupted = "interrupted"

    @property
    def done(self) -> bool:
        return self is not Status.interrupted


@dataclass(frozen=True)
class Standing:
    """What the ledger knows of one trial, over all its attempts."""

    trial: str  # digest of its configuration
    group: str  # ... without its seed
    number: int
    overrides: tuple[str, ...]
    folder: str  # inside the sweep's
    where: str
    status: Status = Status.interrupted
    running: bool = True  # has started and not ended; true of a trial whose launcher was killed as well
    score: float | None = None  # best of the dev set, by the metric of its configuration
    exit_status: int | None = None
    seconds: float = 0.0  # on the clock of the launcher; an attempt whose launcher was killed is not in it
    usd: float | None = None
    attempts: int = 1
    flags: tuple[str, ...] = ()  # of its command line, before the overrides


class Ledger:
    """The only writer of a sweep's ledger: it holds a lock as long as it lives, which a kill -9 lets go as well.

    A last line that was torn by a kill is taken off before the first one is added; each line is on the disk when
    `write` returns. Raises SweepError where another launcher is at work in the folder, or it cannot be written.
    """

    def __init__(self, folder: Path, option: str = "hydra.sweep.dir=FOLDER") -> None:
        """`option` chooses another folder."""
        self.path, self.option = folder / FILE, option
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = Lock(self.path)
            self._file = self.path.open("a+b")
        except BlockingIOError as error:
            raise SweepError(
                str(folder),
                found="another launcher at work in it",
                expected="one at a time",
                next_step=f"wait for it or stop it, or choose another folder with {option}",
            ) from error
        except OSError as error:
            raise _not_writable(self.path, error, option) from error
        self._repair()

    def standings(self) -> dict[str, Standing]:
        return read_standings(self.path.parent)

    def write(self, event: str, trial: str, values: Mapping[str, object]) -> None:
        line = json.dumps({"event": event, "trial": trial, "time": round(time.time(), 3), **values}, ensure_ascii=False)
        try:
            self._file.write(line.encode("utf-8", "surrogateescape") + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise _not_writable(self.path, error, self.option) from error

    def _repair(self) -> None:
        self._file.seek(0)
        whole = self._file.read().rfind(b"\n") + 1
        self._file.truncate(whole)

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._lock.release()


def at_work(folder: Path) -> bool:
    """Whether a launcher holds the ledger of the folder."""
    return is_locked(folder / FILE)


def read_standings(folder: Path) -> dict[str, Standing]:
    """Trial -> what became of it, in the order of their first starts; nothing where there is no ledger.

    A last line without its end is left out. Raises SweepError, with its number, for a line that is no event.
    """
    path = folder / FILE
    try:
        lines = path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SweepError(
            str(path), found=reason_of(error), expected="a ledger that can be read", next_step="check it"
        ) from error
    return fold(_parse(line, f"{path}, line {number}") for number, line in enumerate(lines, start=1))


def fold(events: Iterable[Mapping[str, Any]]) -> dict[str, Standing]:
    """The events of a ledger, added up."""
    found: dict[str, Standing] = {}
    for event in events:
        trial = event["trial"]
        before = found.get(trial)
        if event["event"] == "start":
            found[trial] = Standing(
                trial,
                event["group"],
                event["number"],
                tuple(event["overrides"]),
                event["folder"],
                event["where"],
                seconds=before.seconds if before else 0.0,
                usd=before.usd if before else None,
                attempts=before.attempts + 1 if before else 1,
                flags=tuple(event.get("flags", ())),
            )
        elif before is not None:
            usd = event["usd"]
            found[trial] = replace(
                before,
                status=Status(event["status"]),
                running=False,
                score=event["score"],
                exit_status=event["exit_status"],
                seconds=before.seconds + event["seconds"],
                usd=before.usd if usd is None else (before.usd or 0.0) + usd,
            )
    return found


def _parse(line: bytes, place: str) -> dict[str, Any]:
    try:
        event: dict[str, Any] = parsed(line.decode("utf-8", "surrogateescape"))  # as it is written
        checked(event, {"event": str}, {"event"})
        wanted = _TYPES[event["event"]]
        checked(event, wanted, wanted.keys() - {"flags"})
        if event["event"] == "end":
            Status(event["status"])
        elif not _NAME.fullmatch(event["folder"]):
            raise ValueError("a folder elsewhere")
    except (ValueError, KeyError) as error:
        raise SweepError(
            place,
            found=repr(line[:40].decode("utf-8", "replace")),
            expected="a JSON object that tells how a trial started or ended",
            next_step="delete the line; its trial is then run again or resumed",
        ) from error
    return event


def _not_writable(path: Path, error: OSError, option: str) -> SweepError:
    return SweepError(
        str(path),
        found=reason_of(error),
        expected="a folder that can be written",
        next_step=f"choose another one with {option}",
    )
