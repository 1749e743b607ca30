"""Where a type of machine is offered: regions and zones."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from nmt.config.launch import Launch
from nmt.errors import LaunchError
from nmt.launch.aws import Aws
from nmt.launch.prices import Prices
from nmt.launch.refusals import AwsError

AT_ONCE = 8  # regions asked at a time


def offered_zones(aws: Aws, instance_types: Iterable[str]) -> dict[str, list[str]]:
    """The zones of the region that have each type. Raises AwsError."""
    wanted = list(instance_types)
    parameters = {
        "LocationType": "availability-zone",
        "Filters": [{"Name": "instance-type", "Values": wanted}],
    }
    found: dict[str, list[str]] = {name: [] for name in wanted}
    for item in aws.pages("ec2", "DescribeInstanceTypeOfferings", parameters, "InstanceTypeOfferings"):
        found[item["InstanceType"]].append(item["Location"])
    return {name: sorted(zones) for name, zones in found.items()}


def enabled_regions(aws: Aws) -> list[str]:
    """The regions that this account may use. Raises AwsError."""
    return sorted(item["RegionName"] for item in aws.call("ec2", "DescribeRegions", {})["Regions"])


def offered_regions(aws: Aws, instance_type: str) -> tuple[list[str], list[str]]:
    """The enabled regions that have the type, and those that did not answer. Raises AwsError where none is named."""
    views = [aws.elsewhere(region) for region in enabled_regions(aws)]
    for view in views:
        view.client("ec2")  # a session may not be shared among threads; a client may

    def ask(view: Aws) -> bool | None:
        try:
            return bool(offered_zones(view, [instance_type])[instance_type])
        except AwsError:
            return None

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(ask, views))
    has = [view.region for view, answer in zip(views, answers, strict=True) if answer]
    silent = [view.region for view, answer in zip(views, answers, strict=True) if answer is None]
    return has, silent


def zones_with(aws: Aws, launch: Launch, prices: Prices) -> list[str]:
    """The zones to try, best first: those asked for, else all that have the type, the cheapest first for spot.

    One's own subnet lies in a zone already: [""]. Raises LaunchError where no zone has the type.
    """
    if launch.launch.subnet is not None:
        return [""]
    name = launch.machine.instance_type
    offered = offered_zones(aws, [name])[name]
    wanted = launch.launch.zones or offered
    zones = [zone for zone in wanted if zone in offered]
    if not zones:
        raise LaunchError(
            f"{name} in {launch.launch.region}",
            found=f"none in {', '.join(launch.launch.zones)}" if offered else "a type that is not offered here",
            expected=f"one of {', '.join(offered)}" if offered else "a region that offers it",
            next_step="leave out launch.zones" if offered else "`python -m nmt.launch preflight` says where it is",
        )
    if launch.launch.spot and not launch.launch.zones:
        zones.sort(key=lambda zone: prices.spot.get(zone, float("inf")))
    return zones
