"""What AWS offers: zones and regions that have a type, vCPUs that are left, and the image to start from."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from nmt.config.launch import Family, Launch
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


NAMES = {Family.g: "G and VT", Family.p: "P"}
CODES = {  # (family, spot) -> AWS's code of the quota
    (Family.g, False): "L-DB2E81BA",
    (Family.p, False): "L-417A185B",
    (Family.g, True): "L-3819A6DF",
    (Family.p, True): "L-7212CCBC",
}


@dataclass(frozen=True)
class Quota:
    family: Family
    spot: bool
    limit: float  # vCPUs
    used: int

    @property
    def code(self) -> str:
        return CODES[self.family, self.spot]

    @property
    def left(self) -> float:
        return self.limit - self.used

    def __str__(self) -> str:
        kind = "spot" if self.spot else "on demand"
        return f"{NAMES[self.family]}, {kind} ({self.code}): {self.left:g} of {self.limit:g} vCPUs left"


def quota(aws: Aws, family: Family, spot: bool) -> Quota:
    """AWS tells the limit alone; what is used is summed over the machines that run. Raises AwsError."""
    answer = aws.call("service-quotas", "GetServiceQuota", {"ServiceCode": "ec2", "QuotaCode": CODES[family, spot]})
    return Quota(family, spot, float(answer["Quota"]["Value"]), used_vcpus(aws, family, spot))


def used_vcpus(aws: Aws, family: Family, spot: bool) -> int:
    """Of all machines in the region that run or start, whoever started them. Raises AwsError."""
    states = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    reservations = aws.pages("ec2", "DescribeInstances", {"Filters": states}, "Reservations")
    types = [
        item["InstanceType"]
        for reservation in reservations
        for item in reservation["Instances"]
        if (item.get("InstanceLifecycle") == "spot") == spot and family_of(item["InstanceType"]) is family
    ]
    vcpus = vcpus_of(aws, set(types))
    return sum(vcpus[name] for name in types)


def vcpus_of(aws: Aws, types: Iterable[str]) -> dict[str, int]:
    """Raises AwsError."""
    wanted = sorted(types)
    if not wanted:
        return {}
    answer = aws.call("ec2", "DescribeInstanceTypes", {"InstanceTypes": wanted})
    return {item["InstanceType"]: int(item["VCpuInfo"]["DefaultVCpus"]) for item in answer["InstanceTypes"]}


def family_of(instance_type: str) -> Family | None:
    """g4dn.xlarge -> g, vt1.3xlarge -> g, p3.2xlarge -> p; None for what has a quota of another kind."""
    letters = "".join(letter for letter in instance_type.partition(".")[0] if not letter.isdigit())
    if letters.startswith(("g", "vt")):
        return Family.g
    return Family.p if letters.startswith("p") else None


@dataclass(frozen=True)
class Image:
    id: str
    name: str
    description: str
    root_device: str  # such as /dev/sda1
    size_gb: int  # that its disk must have at least; 0: not said


def find_image(aws: Aws, launch: Launch) -> Image:
    """Raises LaunchError where none is named, or AWS has none of that name."""
    machine = launch.machine
    image_id = machine.image
    if image_id is None:
        if machine.image_parameter is None:
            raise LaunchError(
                "machine.image", found="nothing", expected=f"an image whose driver knows a {machine.gpu}",
                next_step="name one of your own with machine.image=AMI",
            )  # fmt: skip
        answer = aws.call("ssm", "GetParameter", {"Name": machine.image_parameter})
        image_id = str(answer["Parameter"]["Value"])
    found = aws.call("ec2", "DescribeImages", {"ImageIds": [image_id]})["Images"]
    if not found:
        raise LaunchError(
            f"image {image_id}", found=f"nothing in {aws.region}", expected="an image that this account may use",
            next_step="correct machine.image, or leave it out",
        )  # fmt: skip
    item = found[0]
    root = item.get("RootDeviceName", "/dev/sda1")
    sizes = [
        disk["Ebs"]["VolumeSize"]
        for disk in item.get("BlockDeviceMappings", [])
        if disk.get("DeviceName") == root and "VolumeSize" in disk.get("Ebs", {})
    ]
    return Image(image_id, item.get("Name", ""), item.get("Description", ""), root, max(sizes, default=0))
