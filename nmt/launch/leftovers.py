"""What AWS holds of ours besides machines: disks, security groups, key pairs."""

from __future__ import annotations

import time
from dataclasses import dataclass

from nmt.config.launch import Launch
from nmt.errors import LaunchError
from nmt.launch.access import groups
from nmt.launch.aws import NAME_TAG, Aws, ours, tag
from nmt.launch.refusals import AwsError
from nmt.launch.talk import command

POLL_S = 5.0


@dataclass(frozen=True)
class Leftover:
    kind: str  # disk, security group or key pair
    id: str  # of a key pair: its name
    name: str  # of ours
    costs: bool


def look(aws: Aws, name: str | None = None) -> list[Leftover]:
    """Of one name or all; only disks that no machine holds. Raises AwsError."""
    filters = [*ours(aws, name), {"Name": "status", "Values": ["available", "error"]}]
    found = [
        Leftover("disk", item["VolumeId"], tag(item, NAME_TAG), True)
        for item in aws.pages("ec2", "DescribeVolumes", {"Filters": filters}, "Volumes")
    ]
    found += [Leftover("security group", item["GroupId"], tag(item, NAME_TAG), False) for item in groups(aws, name)]
    pairs = aws.call("ec2", "DescribeKeyPairs", {"Filters": ours(aws, name)})["KeyPairs"]
    return found + [Leftover("key pair", item["KeyName"], tag(item, NAME_TAG), False) for item in pairs]


def remove(aws: Aws, config: Launch, found: list[Leftover]) -> list[str]:
    """Delete them; -> a line for each. Raises LaunchError that names what could not be deleted."""
    lines, refusals = [], []
    for one in found:
        try:
            _remove(aws, one, config.launch.wait_s)
            lines.append(f"deleted {one.kind} {one.id}")
        except AwsError as refusal:
            refusals.append((one, refusal))
    if refusals:
        left = ", ".join(f"{one.kind} {one.id}" for one, _ in refusals)
        paid = "which costs" if any(one.costs for one, _ in refusals) else "which costs nothing"
        raise LaunchError(
            refusals[0][1].place, found=f"{refusals[0][1].found}, so that there is left {left}, {paid}",
            expected="nothing left", next_step=f"run it again: {command('terminate', config)}",
        ) from refusals[0][1]  # fmt: skip
    return lines


def _remove(aws: Aws, one: Leftover, wait_s: float) -> None:
    if one.kind == "disk":
        aws.call("ec2", "DeleteVolume", {"VolumeId": one.id})
    elif one.kind == "key pair":
        aws.call("ec2", "DeleteKeyPair", {"KeyName": one.id})
    else:
        ends = time.monotonic() + wait_s
        while True:  # AWS lets go of a group some seconds after the machine has ended
            try:
                aws.call("ec2", "DeleteSecurityGroup", {"GroupId": one.id})
                return
            except AwsError as refusal:
                if refusal.code != "DependencyViolation" or time.monotonic() >= ends:
                    raise
            time.sleep(POLL_S)
