"""`cost`: what a machine has cost so far, costs an hour, and will have cost at its end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from nmt.config.launch import Launch
from nmt.errors import LaunchError
from nmt.launch.aws import connect
from nmt.launch.bill import Event, bill, iso, note, read_events, when_stopped
from nmt.launch.found import GONE, PAID, Instance, instance
from nmt.launch.prices import HOURS_A_MONTH, max_hours
from nmt.launch.talk import say, usd


def cost(config: Launch, flags: frozenset[str]) -> int | None:
    """Print the bill of every machine that had this name. Raises LaunchError."""
    folder = Path(config.launch.folder) / config.launch.name
    events = read_events(folder)
    if not events:
        raise LaunchError(
            f"launch.name={config.launch.name}", found=f"no machine that was started from {config.launch.folder}",
            expected="one", next_step="`python -m nmt.launch sweep-orphans` finds those of other folders",
        )  # fmt: skip
    for instance_id in dict.fromkeys(event.id for event in events):
        own = [event for event in events if event.id == instance_id]
        if own[-1].what != "ended":
            regional = replace(config, launch=replace(config.launch, region=own[-1].region))
            found = instance(connect(regional.launch), instance_id)
            for event in _happened(own, found):
                note(folder, event)
            own = [event for event in read_events(folder) if event.id == instance_id]
            if own[-1].what != "ended" and found is not None:
                for line in _open_lines(config, own, found, time.time()):
                    say(line)
                continue
        for line in final_lines(own, time.time(), [instance_id]):
            say(line)
    return None


def _happened(own: Sequence[Event], found: Instance | None) -> list[Event]:
    """What became of the machine without us: its timer, an interruption, somebody in the console."""
    last, now = own[-1], iso(time.time())
    if found is None or found.state in GONE:
        at = when_stopped(found.shutdown_reason) if found is not None else None
        return [replace(last, what="ended", time=now if at is None else iso(at))]
    if found.state in ("stopping", "stopped") and last.what == "started":
        at = when_stopped(found.shutdown_reason)
        return [replace(last, what="stopped", time=now if at is None else iso(at))]
    if found.state in PAID and last.what == "stopped":
        return [replace(last, what="started", time=iso(found.launched.timestamp()))]
    return []


def _open_lines(config: Launch, own: Sequence[Event], found: Instance, now: float) -> list[str]:
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
        lines.append(f"  the end  {usd(final.usd)} at most, where its timer powers it off at {iso(ends)}")
    else:
        monthly = None if last.disk_usd_per_hour is None else last.disk_usd_per_hour * HOURS_A_MONTH
        lines.append(f"  stopped  its disk costs {usd(monthly)} a month until it is terminated")
    return lines


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
