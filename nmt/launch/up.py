"""`up`: a machine that runs, can be reached by nobody else, and ends by itself. Twice the same is once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nmt.config.launch import Launch
from nmt.config.launch_line import differences
from nmt.errors import LaunchError
from nmt.launch import access, clock
from nmt.launch.aws import Aws, connect
from nmt.launch.bill import after, catch_up, iso, note
from nmt.launch.hostkeys import host_keys
from nmt.launch.life import GONE, PAID, Instance, wait_for
from nmt.launch.machine import Machine, forget_machine, save_machine
from nmt.launch.messages import agreed, command, locked, say, told, usd
from nmt.launch.offers import as_offered, find_image, zones_with
from nmt.launch.prices import Prices, max_hours, prices
from nmt.launch.recorded import folder_of, machines, may_run, on_record, started, unanswered
from nmt.launch.refusals import AwsError
from nmt.launch.start import forget_request, load_request, request_parameters, resized, start
from nmt.launch.terms import OverError, Terms, at_boot, forget_limits
from nmt.launch.upload import check_checkout
from nmt.plumbing.tables import table

NOT_DONE = 2  # exit status after a no
KNOWN_HOSTS = "known_hosts"


@dataclass(frozen=True)
class Plan:
    """What is about to be paid for."""

    launch: Launch  # with what AWS says of the type
    told: Mapping[str, Any]  # what `up` was told
    prices: Prices
    network: str
    key_file: Path
    public: bytes
    folder: Path


def up(config: Launch, flags: frozenset[str], from_record: bool = False) -> int | None:
    """Start the machine, or go on with one that an earlier `up` started. Raises LaunchError.

    With options that start `from_record`, OverError says that no machine of it is left: they are to be read anew.
    """
    folder = folder_of(config.launch)
    with locked(folder):
        aws = connect(config.launch)
        begun = on_record(config.launch) is not None or load_request(folder) is not None  # asking may forget a request
        found = existing(aws, config, folder)
        if found is None and from_record and begun:
            say("no machine of an earlier `up` is left; for another one only what is typed now holds")
            raise OverError
        if found is not None and found.type != config.machine.instance_type:
            raise LaunchError(
                f"launch.name={config.launch.name}", found=f"a {found.type}, {found.id}, that may run and cost",
                expected=f"a {config.machine.instance_type}, or another name",
                next_step=f"choose its profile with machine=NAME, or end it: {command('terminate', config)}",
            )  # fmt: skip
        if found is not None and found.state not in ("stopping", "stopped"):
            say(f"{found.id} in {aws.region} runs already ({found.state}); nothing more is started")
        plan = _plan(aws, config if found is not None else _offered(aws, config), config, folder)
        if found is not None:
            _check_key(plan, found)
        if found is None:
            found = _new(aws, plan, flags)
        elif found.state in ("stopping", "stopped"):
            found = _again(aws, plan, found, flags)
        if found is None:
            return NOT_DONE
        with told(config, [found.id], aws.region):
            if found.state in PAID:
                note(folder, started(aws, plan.launch, found, plan.prices))
            _ready(aws, plan, found)
    return None


def existing(aws: Aws, config: Launch, folder: Path) -> Instance | None:
    """The machine of this name, from its record, an unfinished start, or its tags; None where there is none."""
    recorded, request, open_ids = on_record(config.launch), load_request(folder), may_run(config.launch)
    if recorded is not None and recorded.instance_id in open_ids and recorded.region != aws.region:
        raise LaunchError(
            f"launch.name={config.launch.name}", found=f"a machine in {recorded.region}",
            expected=f"another name in {aws.region}", next_step="choose one with launch.name=NAME",
        )  # fmt: skip
    asked = request is not None and (request.instance_id in open_ids or unanswered(config.launch))
    if request is not None and asked and (request.region, request.type) != (aws.region, config.machine.instance_type):
        raise LaunchError(
            f"launch.name={config.launch.name}", found=f"an unfinished start of {request.type} in {request.region}",
            expected="the same type and region again", next_step=f"end it first: {command('terminate', config)}",
        )  # fmt: skip
    found = machines(aws, config)
    alive = [one for one in found if one.state not in GONE]
    if len(alive) > 1:
        raise LaunchError(
            f"launch.name={config.launch.name}", found=f"{len(alive)} machines: {', '.join(one.id for one in alive)}",
            expected="one", next_step=f"end them: {command('terminate', config)}",
        )  # fmt: skip
    if alive and unanswered(config.launch):
        raise LaunchError(
            f"launch.name={config.launch.name}", found=f"{alive[0].id}, and an unfinished start of another one",
            expected="one machine", next_step=f"end both: {command('terminate', config)}",
        )  # fmt: skip
    for one in [one for one in found if one.state in GONE] if not alive else []:
        say(f"{one.id} in {aws.region} is {one.state} ({one.why}); another one is started once it has ended")
        catch_up(config, folder, one.id, wait_for(aws, config, one.id, ("terminated",)))
    return alive[0] if alive else None


def _offered(aws: Aws, config: Launch) -> Launch:
    try:
        return as_offered(aws, config)
    except AwsError as refusal:
        say(f"taking what the profile says of a {config.machine.instance_type}: {refusal}")
        return config


def _plan(aws: Aws, config: Launch, asked: Launch, folder: Path) -> Plan:
    found, refusals = prices(aws, config)
    for refusal in refusals:
        say(f"price unknown: {refusal}")
    key_file, public = access.key_pair(config.launch, folder)
    return Plan(config, differences(asked), found, access.own_network(config.launch), key_file, public, folder)


def _new(aws: Aws, plan: Plan, flags: frozenset[str]) -> Instance | None:
    check_checkout()
    zones = zones_with(aws, plan.launch, plan.prices)
    image = find_image(aws, plan.launch)
    launch = resized(plan.launch, image)
    # The machine's timer is the same wherever it starts: the dearest zone keeps the limit in dollars in all.
    dearest = max(zones, key=lambda zone: plan.prices.hourly(launch, zone) or 0.0)
    price = plan.prices.hourly(launch, dearest)
    hours = max_hours(launch, price)
    if launch.launch.max_usd is not None and price is None:
        raise LaunchError(
            "launch.max_usd", found="a limit without a price", expected="the price of an hour",
            next_step="set launch.usd_per_hour=PRICE, or launch.max_hours instead",
        )  # fmt: skip
    _show(plan, launch, image.id, image.name, zones, dearest, hours)
    if not agreed("Start it?", flags):
        return None
    options = {**plan.told, "launch.region": aws.region, "launch.owner": aws.owner}
    Terms(aws.account, options).save(plan.folder)
    key_name, group_name = access.names(launch.launch, plan.public)
    access.put_key(aws, launch.launch, key_name, plan.public)
    group_id = access.put_group(aws, launch.launch, group_name, plan.network)
    parameters = request_parameters(aws, launch, image, key_name, group_id, hours)
    forget_machine(Path(launch.launch.folder), launch.launch.name)  # of one that has ended
    return start(aws, launch, parameters, zones, plan.folder, say)


def _show(
    plan: Plan, launch: Launch, image: str, image_name: str, zones: list[str], dearest: str, hours: float
) -> None:
    options, machine = launch.launch, launch.machine
    hourly, disk = plan.prices.machine(launch, zones[0]), plan.prices.disk_hour(launch)
    both = plan.prices.hourly(launch, dearest)
    most = usd(None if both is None else both * hours)
    other = plan.prices.machine(launch, dearest)
    to = f" to {usd(other)} in {dearest}" if other != hourly else ""
    kind = "spot" if options.spot else "on demand"
    gpu = f"{machine.num_gpus} x {machine.gpu}, {machine.gpu_memory_gb} GB"
    say(f"{options.name}: {machine.instance_type} ({gpu}), {kind}")
    rows = [
        ("where", f"{options.region}, {options.subnet or ' then '.join(zones)}"),
        ("image", f"{image} {image_name}".strip()),
        ("disk", f"{options.disk_gb} GB gp3, encrypted, deleted with the machine"),
        ("network", f"port {options.port} from {plan.network} and nothing else"),
        ("price", f"{usd(hourly)}{to} an hour, its disk {usd(disk)} an hour"),
        ("ends", f"by itself after {hours:.3g} h ({options.shutdown.value}), {most} at most{after(launch, disk)}"),
    ]
    say(table(rows, right=(), indent="  "))
    if plan.network == access.EVERYBODY:
        say("  Everybody may try to log in: launch.allow_world=true.")


def _again(aws: Aws, plan: Plan, found: Instance, flags: frozenset[str]) -> Instance | None:
    """A machine that was stopped."""
    hours = max_hours(at_boot(plan.launch), plan.prices.hourly(plan.launch, found.zone))
    costs = f"{usd(plan.prices.machine(plan.launch, found.zone))} an hour"
    say(f"{found.id} in {aws.region} is {found.state}; running it costs {costs}, for {hours:.3g} h at most")
    if not agreed("Start it again?", flags):
        return None
    with told(plan.launch, [found.id], aws.region):
        if found.state == "stopping":
            found = wait_for(aws, plan.launch, found.id, ("stopped",))
        catch_up(plan.launch, plan.folder, found.id, found)
        forget_limits(plan.folder)
        event = started(aws, plan.launch, found, plan.prices)
        note(plan.folder, replace(event, time=iso(clock.now())))  # before it is asked for: who is cut off now pays too
        aws.call("ec2", "StartInstances", {"InstanceIds": [found.id]})
    return found


def _check_key(plan: Plan, found: Instance) -> None:
    """Before anything is started or noted: a machine of another folder is nobody's here."""
    if found.key_name != access.names(plan.launch.launch, plan.public)[0]:
        raise LaunchError(
            f"the key of {found.id}", found="another one than in this folder", expected="the folder that started it",
            next_step=f"name it with launch.folder=FOLDER, or end the machine: {command('terminate', plan.launch)}",
        )  # fmt: skip


def _ready(aws: Aws, plan: Plan, found: Instance) -> None:
    """Running, reachable from here alone, its keys known; then it is on record."""
    options = plan.launch.launch
    running = wait_for(aws, plan.launch, found.id, ("running",))
    event = started(aws, plan.launch, running, plan.prices)
    note(plan.folder, event)
    _, group_name = access.names(options, plan.public)
    access.put_group(aws, options, group_name, plan.network)
    host = options.host or running.address
    known_hosts = plan.folder / KNOWN_HOSTS
    recorded = on_record(options)
    same = recorded if recorded is not None and recorded.instance_id == running.id else None
    keys = access.read_keys(known_hosts) if same is not None else []
    price = same.usd_per_hour if event.hourly is None and same is not None else event.hourly  # AWS may not say it again
    access.write_known_hosts(known_hosts, host, options.port, keys or host_keys(aws, running.id, options.wait_s, say))
    machine = Machine(
        options.name, aws.region, running.id, host, options.port, options.user, plan.key_file.absolute(),
        known_hosts.absolute(), plan.launch.machine.lane.value, price, running.spot,
    )  # fmt: skip
    save_machine(Path(options.folder), machine)
    forget_request(plan.folder)
    say(f"{options.name} is up: {running.id} in {running.zone}, {options.user}@{host}, {usd(price)} an hour")
    say(f"  {command('run', plan.launch)} -- OVERRIDES")
    say(f"  {command('terminate', plan.launch)}")
