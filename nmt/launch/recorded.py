"""What is on record here of a machine, held against AWS: absence is what AWS says of an id, never of a filter."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from nmt.config.launch import Launch, LaunchConfig
from nmt.errors import LaunchError
from nmt.launch.aws import Aws
from nmt.launch.bill import Event, catch_up, events_of, iso, note, read_events
from nmt.launch.life import GONE, Instance, instances, look_up
from nmt.launch.machine import FILE as RECORD
from nmt.launch.machine import Machine, load_machine
from nmt.launch.prices import Prices, prices
from nmt.launch.start import load_request, look_for, resend
from nmt.launch.terms import as_told, load_terms


def folder_of(launch: LaunchConfig) -> Path:
    """Where the machine of this name is on record."""
    return Path(launch.folder) / launch.name


def on_record(launch: LaunchConfig) -> Machine | None:
    """The record of the machine of this name; None where there is none. Raises LaunchError for a broken one."""
    return load_machine(Path(launch.folder), launch.name) if (folder_of(launch) / RECORD).exists() else None


def at_home(config: Launch) -> Launch:
    """The same, in the region where the machine of this name is on record, or was asked for."""
    recorded, request = on_record(config.launch), load_request(folder_of(config.launch))
    region = recorded.region if recorded is not None else request.region if request is not None else None
    return config if region is None else replace(config, launch=replace(config.launch, region=region))


def may_run(launch: LaunchConfig) -> dict[str, float]:
    """The machines of this name that nobody has seen to end: id -> when it was asked for, seconds since 1970."""
    events = read_events(folder_of(launch))
    ended = {event.id for event in events if event.what == "ended"}
    found: dict[str, float] = {}
    for event in events:
        if event.id not in ended:
            found.setdefault(event.id, event.seconds)
    recorded = on_record(launch)
    if recorded is not None and recorded.instance_id not in ended:
        found.setdefault(recorded.instance_id, 0.0)
    return found


def check_account(aws: Aws, launch: LaunchConfig) -> bool:
    """Whether these are keys of the account in which the machine was started; False: that is not on record.

    Raises LaunchError where they are not: such keys see nothing, and the machine runs on.
    """
    terms = load_terms(folder_of(launch))
    if terms is None:  # started before this was kept
        return False
    begun = [*may_run(launch), *["a machine that was asked for"] * (load_request(folder_of(launch)) is not None)]
    if terms.account != aws.account and begun:
        raise LaunchError(
            f"launch.name={launch.name}",
            found=f"keys of account {aws.account}",
            expected=f"those of account {terms.account}, which started {begun[0]}",
            next_step="choose them with launch.profile=NAME; until then it may run and cost",
        )
    return True


def machines(aws: Aws, config: Launch) -> list[Instance]:
    """Every machine of this name that has not ended: those on record, those with our tags, and one whose start AWS has
    never confirmed. What has ended is noted on its bill.

    Raises LaunchError where AWS does not know a machine that may run.
    """
    known = []
    check_account(aws, config.launch)
    for instance_id in may_run(config.launch):
        found = asked(aws, config, instance_id)
        if found is not None and found.state != "terminated":
            known.append(found)
    tagged = [one for one in instances(aws, config.launch.name) if one.id not in {other.id for other in known}]
    if unanswered(config.launch):
        answered = _answer(aws, config, known + tagged)
        if answered is not None:
            others = [one for one in known + tagged if one.id != answered.id]
            return others + [answered] * (answered.state != "terminated")
    return known + tagged


def unanswered(launch: LaunchConfig) -> bool:
    """Whether a start was asked for of which no machine is on the bill yet."""
    request = load_request(folder_of(launch))
    return request is not None and not events_of(folder_of(launch), request.instance_id)


def _answer(aws: Aws, config: Launch, seen: list[Instance]) -> Instance | None:
    """The machine of the unanswered request, now on its bill: one of those seen, if AWS had told its id. Where others
    of the name live it is only looked for: to ask for it once more might start a second one.
    """
    folder = folder_of(config.launch)
    request = load_request(folder)
    assert request is not None
    found = next((one for one in seen if one.id == request.instance_id), None)
    if found is None:
        alive = any(one.state not in GONE for one in seen)
        found = look_for(aws, request, folder) if alive else resend(aws, config, request, folder)
    if found is not None:
        note(folder, started(aws, config, found, prices(aws, config)[0]))
        catch_up(config, folder, found.id, found)
    return found


def asked(aws: Aws, config: Launch, instance_id: str) -> Instance | None:
    """A machine on record as AWS knows it, with what became of it noted on its bill; None: forgotten, for it ended.

    Raises LaunchError where AWS does not know it and it may run.
    """
    same = check_account(aws, config.launch)
    found = look_up(aws, config, instance_id, may_run(config.launch).get(instance_id, 0.0), same)
    catch_up(as_told(config), folder_of(config.launch), instance_id, found)
    return found


def started(aws: Aws, config: Launch, found: Instance, known: Prices) -> Event:
    """The start of a machine, with the disk that it was given: on its bill already, or in the request for it."""
    folder, disk_gb = folder_of(config.launch), config.launch.disk_gb
    request = load_request(folder)
    if request is not None:
        disk_gb = request.disk_gb
    disk_gb = next((event.disk_gb for event in events_of(folder, found.id)), disk_gb)
    own = replace(config, launch=replace(config.launch, spot=found.spot, disk_gb=disk_gb))
    return Event(
        iso(found.launched.timestamp()), "started", found.id, found.type, aws.region, found.spot,
        known.machine(own, found.zone), disk_gb, known.disk_hour(own), found.image,
    )  # fmt: skip
