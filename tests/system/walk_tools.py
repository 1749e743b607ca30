"""Of launch_walk.py: who walks, the faults that are met, and what lies on the disk."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nmt.config import launch_line
from nmt.config.launch import LaunchConfig
from tests.system.tiny_ec2 import Box, lost, refused
from tests.system.tiny_offers import PRICE

BEFORE = ("RequestLimitExceeded", "InternalError", "InsufficientInstanceCapacity", "UnauthorizedOperation", "cut")
AFTER = ("slow", "broken", "killed")  # AWS has acted
FOR_GOOD = ("RequestExpired", "dark", "killed")  # so it stays until the command has ended
FAULTS = (*BEFORE, *AFTER, "RequestExpired", "dark", "killed before")


class KilledError(BaseException):
    """The client's process is gone: nothing of it runs any more."""


@dataclass(frozen=True)
class Place:
    """A user at a folder, where a machine called `nmt` is on record, or not."""

    user: str
    folder: str

    @property
    def records(self) -> Path:
        return Path(self.folder) / "nmt"


PLACES = (Place("ann", "desk"), Place("ann", "laptop"), Place("ben", "ben"))


class Door:
    """Where a command meets a fault, after so many requests that were answered."""

    def __init__(self, killed: Callable[[], None], kind: str, answered: int) -> None:
        self.killed, self.kind, self.left = killed, kind, answered

    @property
    def kills(self) -> bool:
        return self.kind.startswith("killed")

    def __call__(self, action: str, act: Callable[[], Any]) -> Any:
        self.left -= 1
        kind = self.kind
        if self.left >= 0 or (self.left < -1 and not kind.startswith(FOR_GOOD)):
            return act()
        if kind in AFTER and self.left == -1:
            act()
        if self.kills:
            self.killed()
            raise KilledError
        if kind in ("cut", "slow", "dark"):
            raise lost(action)
        raise refused(action, "InternalError" if kind == "broken" else kind)


def files() -> dict[Path, bytes]:
    """All that the clients have written."""
    return {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}


def known_here(place: Place, box: Box) -> bool:
    """Whether a record, an unanswered request or an open bill of the place leads to the machine."""
    for name in ("machine.json", "starting.json"):
        path = place.records / name
        text = path.read_text() if path.exists() else ""
        if box.id in text or box.token in text:
            return True
    bill = place.records / "bill.jsonl"
    events = [json.loads(line) for line in bill.read_text().splitlines()] if bill.exists() else []
    return [one["what"] for one in events if one["id"] == box.id][-1:] not in ([], ["ended"])


def limit_on_record(place: Place) -> float:
    """After how many hours its machine powers itself off at the latest, as the place's own files have it."""
    terms = json.loads((place.records / "terms.json").read_text())
    told = {**terms["options"], **terms["limits"]}
    hours, usd = told.get("launch.max_hours", LaunchConfig.max_hours), told.get("launch.max_usd")
    return float(hours if usd is None else min(hours, usd / PRICE))


CACHE: dict[str, Any] = {}


def read_launch(words: Any, flags: Any = (), told: Any = None) -> Any:
    """Hydra takes longer than the command: the options follow from the words, and nobody changes them."""
    key = repr((list(words), list(flags), told))
    if key not in CACHE:
        CACHE[key] = launch_line.read_launch(words, flags, told)
    return CACHE[key]
