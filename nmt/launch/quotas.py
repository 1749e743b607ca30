"""How many vCPUs AWS lets this account run at a time. On demand and spot are counted apart, each family by itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from nmt.config.launch import Family
from nmt.launch.aws import Aws

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
