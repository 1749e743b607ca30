"""Whether a launch can work, looked at before anything is paid: one row for each thing that can be wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from nmt.config.launch import SMALLEST_DISK_GB, Launch
from nmt.config.launch_line import profiles
from nmt.errors import LaunchError
from nmt.launch.access import EVERYBODY, own_network
from nmt.launch.aws import Aws
from nmt.launch.bill import after
from nmt.launch.messages import usd
from nmt.launch.offers import Image, Quota, kind_of, offered_regions, offered_zones, quota
from nmt.launch.prices import Prices, max_hours
from nmt.launch.refusals import MAY_NOT, TOO_MANY, AwsError
from nmt.launch.start import dry_run
from nmt.launch.wheels import fitting, misfits

SERVICE_QUOTAS = "https://{region}.console.aws.amazon.com/servicequotas/home/services/ec2/quotas/{code}"


class State(Enum):
    green = "ok"
    red = "NO"
    unknown = "?"


@dataclass(frozen=True)
class Row:
    """`mend` is what the user does about it; empty where there is nothing to do."""

    name: str
    state: State
    found: str
    mend: str = ""


def guarded(name: str, check: Callable[[], Row]) -> Row:
    """The row of a check, or of what kept it from being made. What one may not ask is unknown, not wrong."""
    try:
        return check()
    except LaunchError as error:
        return refused(name, error)


def refused(name: str, error: LaunchError) -> Row:
    """Unknown where AWS did not answer, or may not be asked; red otherwise."""
    silent = isinstance(error, AwsError) and (error.uncertain or error.code in MAY_NOT | TOO_MANY)
    return Row(name, State.unknown if silent else State.red, f"{error.place}: {error.found}", error.next_step)


def offered(aws: Aws, config: Launch) -> Row:
    """Whether the region has the type: its zones, or the regions that have it, or what comes nearest."""
    machine, region = config.machine, aws.region
    known = profiles()
    types = {machine.instance_type, *(profile.instance_type for profile in known.values())}
    zones = offered_zones(aws, types)
    here = zones[machine.instance_type]
    regions, silent = offered_regions(aws, machine.instance_type)
    asked = f" ({len(silent)} regions did not answer)" if silent else ""
    if here:
        wrong = [zone for zone in config.launch.zones if zone not in here]
        if wrong:
            return Row("type", State.red, f"{machine.instance_type} is not in {', '.join(wrong)}",
                       f"choose among launch.zones=[{','.join(here)}]")  # fmt: skip
        what = f"{machine.vcpus} vCPUs, {machine.num_gpus} x {machine.gpu}"
        found = (
            f"{machine.instance_type} ({what}) in {', '.join(here)}; in {len(regions)} regions: "
            f"{', '.join(regions)}{asked}"
        )
        return Row("type", State.green, found)
    gone = f": {machine.withdrawn}" if machine.withdrawn and not regions else ""
    there = f"only in {', '.join(regions)}{asked}" if regions else f"in no region that this account may use{asked}"
    found = f"{machine.instance_type} is not offered in {region}, {there}{gone}"
    near = sorted(
        (profile.gpu_memory_gb < machine.gpu_memory_gb, profile.gpu_memory_gb, profile.compute_capability, name)
        for name, profile in known.items()
        if zones[profile.instance_type]
    )
    steps = [f"launch.region={regions[0]}"] if regions else []
    if near:
        nearest = known[near[0][-1]]
        what = f"{nearest.instance_type}, {nearest.gpu}, {nearest.gpu_memory_gb} GB"
        steps.append(f"python -m nmt.launch preflight machine={nearest.name} launch.region={region} ({what})")
    return Row("type", State.red, found, ", or ".join(steps) or "choose another region with launch.region=REGION")


def vcpus_left(aws: Aws, config: Launch, spot: bool) -> Row:
    """The quota of the kind that is not asked for is told too, and never red."""
    name = "quota, spot" if spot else "quota, on demand"
    kind = kind_of(config.machine.instance_type)
    if kind is None:
        return Row(name, State.unknown, f"{config.machine.instance_type} counts against a quota that is not known here",
                   f"look among {SERVICE_QUOTAS.format(region=aws.region, code='')}")  # fmt: skip
    found = quota(aws, kind, spot)
    if found.left >= config.machine.vcpus:
        return Row(name, State.green, str(found))
    state = State.red if spot == config.launch.spot else State.unknown
    return Row(name, state, f"{found}, {config.machine.vcpus} are needed", _more(found, aws.region))


def _more(found: Quota, region: str) -> str:
    link = SERVICE_QUOTAS.format(region=region, code=found.code)
    used = f"end what uses {found.used} of them, or " if found.used else ""
    return f"{used}ask for more at {link}"


def network(aws: Aws, config: Launch) -> Row:
    if config.launch.subnet is not None:
        subnets = aws.call("ec2", "DescribeSubnets", {"SubnetIds": [config.launch.subnet]})["Subnets"]
        zone = subnets[0]["AvailabilityZone"]
        return Row("network", State.green, f"{config.launch.subnet} in {zone}")
    default = [{"Name": "is-default", "Values": ["true"]}]
    found = aws.call("ec2", "DescribeVpcs", {"Filters": default})["Vpcs"]
    if not found:
        return Row("network", State.red, f"no default network in {aws.region}",
                   "make one with `aws ec2 create-default-vpc`, or set launch.subnet=SUBNET")  # fmt: skip
    return Row("network", State.green, f"the default network, {found[0]['VpcId']}")


def image(found: Image, config: Launch) -> Row:
    if found.architecture not in ("", config.machine.architecture):
        wrong = (
            f"{found.id} is for {found.architecture}, a {config.machine.instance_type} is {config.machine.architecture}"
        )
        return Row("image", State.red, wrong, "name another one with machine.image=AMI")
    origin = "machine.image" if config.machine.image is not None else config.machine.image_parameter
    return Row("image", State.green, f"{found.id} {found.name} (from {origin})")


def fit(config: Launch, found: Image | None) -> Row:
    if config.machine.num_gpus == 0:
        state = State.red if config.remote.cuda else State.green
        return Row("driver and wheel", state, f"the {config.machine.instance_type} has no GPU", "set remote.cuda=false")
    wrong = misfits(config.machine, found)
    if not wrong:
        return Row("driver and wheel", State.green, fitting(config.machine))
    told = [text.partition(": ") for text in wrong]
    return Row("driver and wheel", State.red, "; ".join(part[0] for part in told), "; ".join(part[2] for part in told))


def disk(config: Launch, found: Image | None) -> Row:
    asked, needed = config.launch.disk_gb, found.size_gb if found is not None else 0
    grown = f", not {asked}, for the image needs that" if needed > asked else ""
    return Row("disk", State.green, f"{max(asked, needed)} GB gp3, encrypted (at least {SMALLEST_DISK_GB}){grown}")


def address(config: Launch) -> Row:
    found = own_network(config.launch)
    if found == EVERYBODY:
        return Row("own address", State.unknown, f"{found}: everybody may try to log in",
                   "leave out launch.allow_world=true")  # fmt: skip
    return Row("own address", State.green, f"port {config.launch.port} from {found} and nothing else")


def permission(aws: Aws, config: Launch, found: Image, zone: str) -> Row:
    try:
        dry_run(aws, config, found, zone)
    except AwsError as refusal:
        if refusal.code in MAY_NOT:
            return Row("permission", State.red, "ec2:RunInstances is not allowed", refusal.next_step)
        raise
    return Row("permission", State.green, "AWS would start it (DryRun, which starts nothing)")


def price(config: Launch, found: Prices, refusals: list[AwsError]) -> Row:
    spot = ", ".join(
        f"{usd(dollars)} in {zone}" for zone, dollars in sorted(found.spot.items(), key=lambda one: one[1])
    )
    store = f"its disk {usd(found.disk_hour(config))} an hour"
    said = f"on demand {usd(found.on_demand)} an hour; spot {spot or 'unknown'}; {store}"
    if found.machine(config) is not None:
        return Row("price", State.green, said)
    why = f" ({refusals[0].found})" if refusals else ""
    return Row("price", State.unknown, f"{said}{why}", "set launch.usd_per_hour=PRICE to have it counted")


def expected(config: Launch, found: Prices) -> Row:
    """What this run costs where its own timer ends it."""
    hourly = found.hourly(config)
    if hourly is None:
        state = State.red if config.launch.max_usd is not None else State.unknown
        return Row("cost of this run", state, "unknown without a price", "set launch.usd_per_hour=PRICE")
    hours = max_hours(config, hourly)
    apart = "" if found.disk_hour(config) is not None else ", its disk not counted"
    found_out = f"{usd(hourly * hours)} at most: its timer powers it off after {hours:.3g} h{apart}"
    return Row("cost of this run", State.green, found_out + after(config, found.disk_hour(config)))
