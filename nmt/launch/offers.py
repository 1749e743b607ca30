"""What AWS offers: zones and regions that have a type, vCPUs that are left, and the image to start from."""

from __future__ import annotations

import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from nmt.config.launch import Family, Launch, MachineConfig
from nmt.config.launch_line import profiles
from nmt.errors import LaunchError
from nmt.launch.aws import Answer, Aws
from nmt.launch.life import PAID, described
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


@dataclass(frozen=True)
class Kind:
    """Types whose vCPUs AWS counts together: docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html."""

    family: Family
    name: str
    prefixes: str  # of types, as a pattern
    on_demand: str  # AWS's code of the quota
    spot: str


KINDS = (  # the first that fits
    Kind(Family.g, "G and VT", r"(g|vt)", "L-DB2E81BA", "L-3819A6DF"),
    Kind(Family.p, "P5", r"p5", "L-417A185B", "L-C4BD4855"),
    Kind(Family.p, "P", r"p\d", "L-417A185B", "L-7212CCBC"),
    Kind(Family.standard, "Standard", r"[acdhimrtz]\d", "L-1216C47A", "L-34B43A08"),
)
# What NVIDIA says of the GPUs that AWS has: developer.nvidia.com/cuda-gpus.
CAPABILITIES = {
    "K80": 3.7, "M60": 5.2, "V100": 7.0, "T4": 7.5, "T4g": 7.5, "A100": 8.0, "A10G": 8.6, "L4": 8.9, "L40S": 8.9,
    "H100": 9.0, "H200": 9.0, "B200": 10.0,
}  # fmt: skip


@dataclass(frozen=True)
class Quota:
    kind: Kind
    spot: bool
    limit: float  # vCPUs
    used: int

    @property
    def code(self) -> str:
        return self.kind.spot if self.spot else self.kind.on_demand

    @property
    def left(self) -> float:
        return self.limit - self.used

    def __str__(self) -> str:
        how = "spot" if self.spot else "on demand"
        return f"{self.kind.name}, {how} ({self.code}): {self.left:g} of {self.limit:g} vCPUs left"


def quota(aws: Aws, kind: Kind, spot: bool) -> Quota:
    """AWS tells the limit alone; what is used is summed over the machines that run. Raises AwsError."""
    code = kind.spot if spot else kind.on_demand
    answer = aws.call("service-quotas", "GetServiceQuota", {"ServiceCode": "ec2", "QuotaCode": code})
    return Quota(kind, spot, float(answer["Quota"]["Value"]), _used_vcpus(aws, kind, spot))


def _used_vcpus(aws: Aws, kind: Kind, spot: bool) -> int:
    """Of all machines in the region that run or start, whoever started them. Raises AwsError."""
    types = [
        one.type
        for one in described(aws, [{"Name": "instance-state-name", "Values": list(PAID)}])
        if one.spot == spot and kind_of(one.type) is kind
    ]
    vcpus = {item["InstanceType"]: int(item["VCpuInfo"]["DefaultVCpus"]) for item in _types(aws, set(types))}
    return sum(vcpus[name] for name in types)


def _types(aws: Aws, names: Iterable[str]) -> list[Answer]:
    wanted = sorted(names)
    return aws.pages("ec2", "DescribeInstanceTypes", {"InstanceTypes": wanted}, "InstanceTypes") if wanted else []


def kind_of(instance_type: str) -> Kind | None:
    """g4dn.xlarge and vt1.3xlarge are G and VT, p3.2xlarge is P; None for what has a quota of another kind."""
    return next((kind for kind in KINDS if re.match(kind.prefixes, instance_type)), None)


def as_offered(aws: Aws, config: Launch) -> Launch:
    """The machine with what AWS says of its type: vCPUs, GPUs, architecture; until then the profile's are supposed.

    Raises AwsError.
    """
    machine = config.machine
    (item,) = _types(aws, [machine.instance_type])
    gpus = item.get("GpuInfo", {}).get("Gpus", [])
    architectures = item["ProcessorInfo"]["SupportedArchitectures"]
    kept = machine.architecture in architectures
    told = replace(
        machine,
        vcpus=int(item["VCpuInfo"]["DefaultVCpus"]),
        family=getattr(kind_of(machine.instance_type), "family", machine.family),
        num_gpus=sum(int(gpu["Count"]) for gpu in gpus),
        architecture=machine.architecture if kept else architectures[0],
        **(_gpu(gpus[0], machine) if gpus else {"gpu": "no GPU"}),
    )
    return replace(config, machine=told)


def _gpu(gpu: Answer, machine: MachineConfig) -> dict[str, Any]:
    """Another GPU than the profile's, with what is known of it; its memory as it is sold, where a profile says that."""
    name = str(gpu["Name"])
    if name == machine.gpu:
        return {}
    sold = {profile.gpu: profile.gpu_memory_gb for profile in profiles().values()}
    memory_gb = sold.get(name, round(gpu["MemoryInfo"]["SizeInMiB"] / 1024))
    capability = CAPABILITIES.get(name, machine.compute_capability)
    return {"gpu": name, "gpu_memory_gb": memory_gb, "compute_capability": capability}


@dataclass(frozen=True)
class Image:
    id: str
    name: str
    description: str
    root_device: str  # such as /dev/sda1
    size_gb: int  # that its disk must have at least; 0: not said
    architecture: str = ""  # empty: not said


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
    return Image(
        image_id,
        item.get("Name", ""),
        item.get("Description", ""),
        root,
        max(sizes, default=0),
        item.get("Architecture", ""),
    )
