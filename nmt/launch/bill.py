"""What a machine has cost: its hours while it ran, and its disk while it was there. One line of JSON for each event."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from nmt.config.launch import Launch, Shutdown
from nmt.errors import LaunchError, reason_of
from nmt.launch import clock
from nmt.launch.life import GONE, PAID, Instance
from nmt.launch.messages import usd
from nmt.launch.prices import HOURS_A_MONTH, max_hours
from nmt.plumbing.records import parsed, record_of

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
    before = events_of(folder, event.id)
    if before and before[-1].what == event.what:
        return
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(folder / FILE, "a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(event)) + "\n")
    except OSError as error:
        raise LaunchError(
            str(folder / FILE), found=reason_of(error), expected="a file that can be written",
            next_step="choose another folder with launch.folder=FOLDER",
        ) from error  # fmt: skip


def read_events(folder: Path) -> list[Event]:
    """Raises LaunchError for a line that is broken; a last one that was cut short is left out."""
    try:
        lines = (folder / FILE).read_bytes().splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise LaunchError(
            str(folder / FILE), found=reason_of(error), expected="a file that can be read",
            next_step="correct its permissions",
        ) from error  # fmt: skip
    events = []
    for number, line in enumerate(lines, 1):
        try:
            event = record_of(Event, parsed(line))
            if event.seconds < 0:
                raise ValueError("a time before there were machines")
            events.append(event)
        except (ValueError, OverflowError) as error:
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


def catch_up(config: Launch, folder: Path, instance_id: str, found: Instance | None) -> None:
    """Note what became of a machine without us: its timer, an interruption, somebody in the console.

    `found` is what AWS says; None: it has forgotten the machine, as it does about an hour after the end. Raises
    LaunchError.
    """
    own = events_of(folder, instance_id)
    if not own:
        return
    last = own[-1]
    if last.what == "ended":
        return
    if found is not None and last.what == "stopped" and found.launched.timestamp() > last.seconds:
        last = replace(last, what="started", time=iso(found.launched.timestamp()))  # again, and nobody noted it
        note(folder, last)
    if found is None:  # its own timer has ended it at the latest
        timer = last.seconds + 3600 * max_hours(config, last.hourly) if last.what == "started" else clock.now()
        note(folder, replace(last, what="ended", time=iso(min(clock.now(), timer))))
    elif found.state == "terminated":
        note(folder, replace(last, what="ended", time=iso(when_stopped(found.shutdown_reason) or clock.now())))
    elif found.state in ("stopping", "stopped", "shutting-down") and last.what == "started":
        note(folder, replace(last, what="stopped", time=iso(when_stopped(found.shutdown_reason) or clock.now())))
    elif found.state in PAID and last.what == "stopped":
        note(folder, replace(last, what="started", time=iso(found.launched.timestamp())))


def events_of(folder: Path, instance_id: str) -> list[Event]:
    """One machine's. Raises LaunchError."""
    return [event for event in read_events(folder) if event.id == instance_id]


def open_lines(config: Launch, own: Sequence[Event], found: Instance, now: float) -> list[str]:
    so_far, last = bill(own, now), own[-1]
    lines = [
        f"{last.id} ({last.type}{', spot' if last.spot else ''}) in {last.region}, {found.state}",
        f"  so far   {usd(so_far.usd)}: ran {so_far.running_s / 3600:.2f} h ({usd(so_far.machine_usd)}), "
        f"disk of {last.disk_gb} GB for {so_far.present_s / 3600:.2f} h ({usd(so_far.disk_usd)})",
    ]
    if found.state in PAID:
        ends = last.seconds + 3600 * max_hours(config, last.hourly)
        final = bill(own, max(ends, now))
        lines.append(f"  an hour  {usd(last.hourly)}")
        rings = f"where its timer powers it off at {iso(ends)}{after(config, last.disk_usd_per_hour)}"
        lines.append(f"  the end  {usd(final.usd)} at most, {rings}")
    elif found.state in GONE:
        lines.append("  the end  AWS ends it: it costs no more")
    else:
        disk = last.disk_usd_per_hour
        lines.append(f"  an hour  {usd(disk)}: its disk, {monthly(disk)} until it is terminated")
    return lines


def after(config: Launch, disk_usd_per_hour: float | None) -> str:
    """What goes on costing once the machine has powered itself off."""
    stays = config.launch.shutdown is Shutdown.stop
    return f"; from then on its disk costs {monthly(disk_usd_per_hour)} until it is terminated" if stays else ""


def monthly(usd_per_hour: float | None) -> str:
    return f"{usd(None if usd_per_hour is None else usd_per_hour * HOURS_A_MONTH)} a month"


def final_lines(events: Sequence[Event], now: float, ids: Sequence[str]) -> list[str]:
    """The bill of machines that have ended."""
    lines = []
    for instance_id in ids:
        own = [event for event in events if event.id == instance_id]
        if own:
            total = bill(own, now)
            lines.append(
                f"{instance_id} ({own[0].type}{', spot' if own[0].spot else ''}) in {own[0].region} has ended: "
                f"{usd(total.usd)}, of it {usd(total.disk_usd)} for its disk; it ran {total.running_s / 3600:.2f} h"
            )
    return lines
