"""The end of a machine: stopped, terminated, or found where nobody remembers it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from nmt.config.launch import Launch
from nmt.errors import LaunchError
from nmt.launch import access, leftovers
from nmt.launch.aws import Aws, connect
from nmt.launch.bill import iso, note, read_events
from nmt.launch.costs import final_lines
from nmt.launch.found import GONE, Instance, instances
from nmt.launch.machine import Machine, forget_machine
from nmt.launch.start import forget_request, load_request
from nmt.launch.talk import agreed, command, locked, say, told
from nmt.launch.up import KNOWN_HOSTS, NOT_DONE, on_record, wait_for

POLL_S = 5.0
LATE_TRIES = 4
Fetch = Callable[[Launch, Machine], object]  # brings home what a machine made; raises LaunchError


def at_home(config: Launch) -> Launch:
    """The same, in the region where the machine of this name is on record, or was asked for."""
    folder = Path(config.launch.folder) / config.launch.name
    recorded, request = on_record(config.launch), load_request(folder)
    region = recorded.region if recorded is not None else request.region if request is not None else None
    return config if region is None else replace(config, launch=replace(config.launch, region=region))


def stop(config: Launch, flags: frozenset[str]) -> int | None:
    """Stop the machine; its disk stays, and costs. Raises LaunchError."""
    config = at_home(config)
    folder = Path(config.launch.folder) / config.launch.name
    with locked(folder), _recorded(config):
        aws = connect(config.launch)
        found = _one(aws, config)
        if found.spot:
            raise LaunchError(
                found.id, found="a spot machine", expected="one on demand: one-time spot machines cannot be stopped",
                next_step=f"end it: {command('terminate', config)}",
            )  # fmt: skip
        aws.call("ec2", "StopInstances", {"InstanceIds": [found.id]})
        wait_for(aws, config, found.id, ("stopped",))
        _note(folder, found.id, "stopped")
        say(f"{found.id} is stopped; its disk stays and is paid for. {command('up', config)} starts it again")
    return None


def terminate(config: Launch, flags: frozenset[str], fetch: Fetch) -> int | None:
    """End the machine and all that was made for it; what it made is fetched first. Raises LaunchError."""
    config = at_home(config)
    folder = Path(config.launch.folder) / config.launch.name
    with locked(folder):
        with _recorded(config):
            aws = connect(config.launch)
            machines = _all(aws, config, folder)
        for found in machines:
            say(f"{found.id} in {aws.region} ({found.type}, {found.state}): the machine and all on its disk are lost")
        if machines and not agreed("End it?", flags):
            return NOT_DONE
        with told(config, [found.id for found in machines], aws.region):
            if machines and "--no-fetch" not in flags:
                _bring_home(config, machines, fetch)
            if machines:
                end_machines(aws, config, machines)
        for found in machines:
            _note(folder, found.id, "ended")
        removed = leftovers.remove(aws, config, leftovers.look(aws, config.launch.name))
        _forget(config, folder)
        say("\n".join([*removed, f"nothing of {config.launch.name} is left in {aws.region}"]))
        for line in final_lines(read_events(folder), time.time(), [found.id for found in machines]):
            say(line)
    return None


@contextlib.contextmanager
def _recorded(config: Launch) -> Iterator[None]:
    """Where AWS cannot be asked which machines there are, the one on record is told."""
    recorded = on_record(config.launch)
    with told(config, [] if recorded is None else [recorded.instance_id], config.launch.region):
        yield


def end_machines(aws: Aws, config: Launch, machines: list[Instance]) -> None:
    """Terminate, and wait until it has happened: a group cannot be deleted before. Raises LaunchError."""
    aws.call("ec2", "TerminateInstances", {"InstanceIds": [found.id for found in machines]})
    for found in machines:
        say(f"ending {found.id}")
        wait_for(aws, config, found.id, ("terminated",))


def refresh_access(config: Launch, flags: frozenset[str]) -> int | None:
    """Let in one's own present address, and only that. Raises LaunchError."""
    config = at_home(config)
    network = access.own_network(config.launch)
    aws = connect(config.launch)
    groups = access.groups(aws, config.launch.name)
    if not groups:
        raise LaunchError(
            f"launch.name={config.launch.name}", found=f"no security group in {aws.region}", expected="the machine's",
            next_step=f"start one with {command('up', config)}",
        )  # fmt: skip
    for group in groups:
        before = access.allow_only(aws, config.launch, group, network)
        say(f"{group['GroupId']}: port {config.launch.port} from {network} (before: {', '.join(before) or 'nobody'})")
    return None


def _all(aws: Aws, config: Launch, folder: Path) -> list[Instance]:
    """Every machine of this name, one included whose start was asked for and never answered."""
    found = [one for one in instances(aws, config.launch.name) if one.state not in GONE]
    tries = LATE_TRIES if load_request(folder) is not None else 0
    while not found and tries:  # a request whose answer was lost: AWS may list its machine some seconds late
        time.sleep(POLL_S)
        tries -= 1
        found = [one for one in instances(aws, config.launch.name) if one.state not in GONE]
    return found


def _one(aws: Aws, config: Launch) -> Instance:
    found = [one for one in instances(aws, config.launch.name) if one.state not in GONE]
    if len(found) != 1:
        raise LaunchError(
            f"launch.name={config.launch.name}",
            found=f"{len(found) or 'no'} machines of yours in {aws.region}",
            expected="one", next_step="`python -m nmt.launch sweep-orphans` lists them in every region",
        )  # fmt: skip
    return found[0]


def _bring_home(config: Launch, machines: list[Instance], fetch: Fetch) -> None:
    """Fetch from the machine on record, if it is one of these and runs."""
    recorded = on_record(config.launch)
    running = [found.id for found in machines if found.state == "running"]
    if recorded is None or recorded.instance_id not in running:
        say("nothing is fetched: no running machine is on record here")
        return
    try:
        fetch(config, recorded)
    except LaunchError as error:
        raise LaunchError(
            error.place, found=str(error.found), expected=f"{error.expected}, to fetch before the end",
            next_step=f"mend it ({error.next_step}), or lose what is there with --no-fetch",
        ) from error  # fmt: skip


def _note(folder: Path, instance_id: str, what: str) -> None:
    """The same event as the last of this machine, but for what happened, and when."""
    before = [event for event in read_events(folder) if event.id == instance_id]
    if before:
        note(folder, replace(before[-1], what=what, time=iso(time.time())))


def _forget(config: Launch, folder: Path) -> None:
    """Everything that only served the machine; what was fetched and the bill stay."""
    forget_machine(Path(config.launch.folder), config.launch.name)
    forget_request(folder)
    for name in (access.KEY, f"{access.KEY}.pub", KNOWN_HOSTS):
        (folder / name).unlink(missing_ok=True)
