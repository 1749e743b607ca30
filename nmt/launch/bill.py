"""What a machine has cost: its hours while it ran, and its disk while it was there. One line of JSON for each event."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from nmt.errors import LaunchError

FILE = "bill.jsonl"
SHORTEST_S = 60.0  # each start is charged at least a minute


@dataclass(frozen=True)
class Event:
    """`what` is started, stopped or ended. Prices are those of an hour, None where AWS did not say."""

    time: str  # ISO 8601, UTC
    what: str
    id: str
    type: str
    region: str
    spot: bool
    usd_per_hour: float | None  # of the machine alone
    disk_gb: int
    disk_usd_per_hour: float | None
    image: str = ""  # that the machine started from

    @property
    def hourly(self) -> float | None:
        """Of machine and disk."""
        return None if self.usd_per_hour is None else self.usd_per_hour + (self.disk_usd_per_hour or 0.0)

    @property
    def seconds(self) -> float:
        return datetime.fromisoformat(self.time).timestamp()


@dataclass(frozen=True)
class Bill:
    """Of one machine, until `until` (seconds since 1970)."""

    running_s: float
    present_s: float
    machine_usd: float | None
    disk_usd: float | None

    @property
    def usd(self) -> float | None:
        if self.machine_usd is None or self.disk_usd is None:
            return None
        return self.machine_usd + self.disk_usd


def note(folder: Path, event: Event) -> None:
    """Append an event, unless it is the last one already. Raises LaunchError."""
    before = [one for one in read_events(folder) if one.id == event.id]
    if before and before[-1].what == event.what:
        return
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(folder / FILE, "a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(event)) + "\n")
    except OSError as error:
        raise LaunchError(
            str(folder / FILE), found=(error.strerror or str(error)).lower(), expected="a file that can be written",
            next_step="choose another folder with launch.folder=FOLDER",
        ) from error  # fmt: skip


def read_events(folder: Path) -> list[Event]:
    """Raises LaunchError for a line that is broken; a last one that was cut short is left out."""
    try:
        lines = (folder / FILE).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    events = []
    for number, line in enumerate(lines, 1):
        try:
            events.append(Event(**json.loads(line)))
        except (ValueError, TypeError) as error:
            if number == len(lines):
                break
            raise LaunchError(
                f"{folder / FILE}, line {number}", found="no event", expected="one as it was written",
                next_step="remove the line",
            ) from error  # fmt: skip
    return events


def bill(events: Sequence[Event], until: float) -> Bill:
    """Of one machine's events, in order. An open interval ends at `until`."""
    running, machine_usd, since = 0.0, 0.0, None
    known = True
    for event in events:
        if event.what == "started":
            since, price = event.seconds, event.usd_per_hour
            continue
        if since is not None:
            spent = max(event.seconds - since, SHORTEST_S)
            running, since = running + spent, None
            known, machine_usd = _add(known, machine_usd, price, spent)
    if since is not None:
        spent = max(until - since, SHORTEST_S)
        running += spent
        known, machine_usd = _add(known, machine_usd, price, spent)
    ended = next((event.seconds for event in events if event.what == "ended"), until)
    present = max(ended - events[0].seconds, 0.0) if events else 0.0
    disk_price = events[0].disk_usd_per_hour if events else None
    disk_usd = None if disk_price is None else present / 3600 * disk_price
    return Bill(running, present, machine_usd if known else None, disk_usd)


def _add(known: bool, total: float, price: float | None, seconds: float) -> tuple[bool, float]:
    return (False, total) if price is None else (known, total + seconds / 3600 * price)


def when_stopped(reason: str) -> float | None:
    """AWS's StateTransitionReason: "User initiated (2026-08-01 10:00:00 GMT)" -> seconds since 1970."""
    found = re.search(r"\((\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?:GMT|UTC)\)", reason)
    if found is None:
        return None
    return datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp()


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
