"""What AWS has of ours: machines, by tag or by id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nmt.launch.aws import NAME_TAG, Aws, ours, tag
from nmt.launch.refusals import AwsError

ALIVE = ("pending", "running", "stopping", "stopped", "shutting-down")
PAID = ("pending", "running")
GONE = ("shutting-down", "terminated")


@dataclass(frozen=True)
class Instance:
    """A machine as AWS describes it."""

    id: str
    name: str  # of ours: the tag
    type: str
    state: str
    address: str  # public; empty: none yet, or none any more
    zone: str
    spot: bool
    launched: datetime
    key_name: str
    groups: tuple[str, ...]
    image: str
    shutdown_reason: str


def instances(aws: Aws, name: str | None = None, states: Sequence[str] = ALIVE) -> list[Instance]:
    """Machines of ours, newest first; of one name or all. Raises AwsError."""
    filters = [*ours(aws, name), {"Name": "instance-state-name", "Values": list(states)}]
    found = _described(aws, {"Filters": filters})
    return sorted(found, key=lambda instance: instance.launched, reverse=True)


def instance(aws: Aws, instance_id: str) -> Instance | None:
    """One machine; None where AWS knows none of this id (any more). Raises AwsError."""
    try:
        found = _described(aws, {"InstanceIds": [instance_id]})
    except AwsError as refusal:
        if refusal.code == "InvalidInstanceID.NotFound":
            return None
        raise
    return found[0] if found else None


def _described(aws: Aws, parameters: dict[str, Any]) -> list[Instance]:
    reservations = aws.pages("ec2", "DescribeInstances", parameters, "Reservations")
    return [read_instance(item) for reservation in reservations for item in reservation["Instances"]]


def read_instance(item: dict[str, Any]) -> Instance:
    """An item of DescribeInstances or RunInstances."""
    return Instance(
        id=item["InstanceId"],
        name=tag(item, NAME_TAG),
        type=item["InstanceType"],
        state=item["State"]["Name"],
        address=item.get("PublicIpAddress", ""),
        zone=item["Placement"]["AvailabilityZone"],
        spot=item.get("InstanceLifecycle") == "spot",
        launched=item["LaunchTime"],
        key_name=item.get("KeyName", ""),
        groups=tuple(group["GroupId"] for group in item.get("SecurityGroups", [])),
        image=item["ImageId"],
        shutdown_reason=item.get("StateTransitionReason", ""),
    )
