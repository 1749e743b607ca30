"""The life of a rented machine as AWS tells it: looked up by id or tag, waited for, ended.

States and what follows on what: docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html. What was made
is not seen at once: docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nmt.config.launch import Launch
from nmt.errors import LaunchError
from nmt.launch import clock
from nmt.launch.aws import NAME_TAG, OWNER_TAG, Aws, ours, tag
from nmt.launch.messages import say
from nmt.launch.refusals import AwsError, next_step_after

ALIVE = ("pending", "running", "stopping", "stopped", "shutting-down")
PAID = ("pending", "running")
GONE = ("shutting-down", "terminated")  # from here no way leads back
POLL_S = 5.0
SETTLED_S = 600.0  # after so long AWS lists what it has started: its documentation speaks of up to five minutes
UNKNOWN_ID = "InvalidInstanceID.NotFound"


@dataclass(frozen=True)
class Instance:
    """A machine as AWS describes it."""

    id: str
    name: str  # of ours: the tag
    owner: str  # the same
    type: str
    state: str
    address: str  # public; empty: none yet, or none any more
    zone: str
    spot: bool
    launched: datetime
    key_name: str
    groups: tuple[str, ...]
    image: str
    shutdown_reason: str  # StateTransitionReason, with the time: "User initiated (2026-08-01 10:00:00 GMT)"
    state_reason: str  # StateReason: "Client.VolumeLimitExceeded: Volume limit exceeded"

    @property
    def why(self) -> str:
        """In AWS's words."""
        return ", ".join(filter(None, (self.state_reason, self.shutdown_reason))) or "AWS says no reason"


class EndedError(LaunchError):
    """A machine has ended, and costs nothing any more."""

    def __init__(self, found: Instance, expected: str, next_step: str) -> None:
        super().__init__(found.id, found=f"{found.state} ({found.why})", expected=expected, next_step=next_step)
        self.ended = found.id


def instances(aws: Aws, name: str | None = None, states: Sequence[str] = ALIVE) -> list[Instance]:
    """Machines of ours, newest first; of one name or all. Raises AwsError."""
    return described(aws, [*ours(aws, name), {"Name": "instance-state-name", "Values": list(states)}])


def described(aws: Aws, filters: list[dict[str, Any]]) -> list[Instance]:
    """Machines that the filters find, newest first. Raises AwsError."""
    return sorted(_described(aws, {"Filters": filters}), key=lambda instance: instance.launched, reverse=True)


def instance(aws: Aws, instance_id: str) -> Instance | None:
    """One machine; None where AWS knows none of this id (yet, any more, or with these keys). Raises AwsError."""
    try:
        found = _described(aws, {"InstanceIds": [instance_id]})
    except AwsError as refusal:
        if refusal.code == UNKNOWN_ID:
            return None
        raise
    return found[0] if found else None


def _described(aws: Aws, parameters: dict[str, Any]) -> list[Instance]:
    reservations = aws.pages("ec2", "DescribeInstances", parameters, "Reservations")
    return [read_instance(item) for reservation in reservations for item in reservation["Instances"]]


def read_instance(item: dict[str, Any]) -> Instance:
    """An item of DescribeInstances or RunInstances."""
    reason = item.get("StateReason", {})
    code, message = str(reason.get("Code", "")), str(reason.get("Message", ""))
    return Instance(
        id=item["InstanceId"],
        name=tag(item, NAME_TAG),
        owner=tag(item, OWNER_TAG),
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
        state_reason=message if message.startswith(code) else f"{code}: {message}".removesuffix(": "),
    )


def wait_for(aws: Aws, config: Launch, instance_id: str, states: tuple[str, ...]) -> Instance:
    """The machine once it is in one of `states`. Raises LaunchError where it ends instead, or takes too long."""
    ends = clock.ticks() + config.launch.wait_s
    state = "no sign of it"
    while clock.ticks() < ends:
        found = instance(aws, instance_id)  # AWS may list a machine some seconds after it has started it
        if found is not None:
            state = found.state
            if state in states and (found.address or "running" not in states or config.launch.host):
                return found
            if state in GONE and not set(states) & set(GONE):
                raise EndedError(found, " or ".join(states), next_step_after(found.state_reason))
        clock.sleep(POLL_S)
    if state in states:
        raise LaunchError(
            instance_id, found=f"no public address after {config.launch.wait_s:.0f} s", expected="one, to reach it",
            next_step="end it, and choose a subnet that gives addresses with launch.subnet=SUBNET",
        )  # fmt: skip
    raise LaunchError(
        instance_id, found=f"{state} after {config.launch.wait_s:.0f} s", expected=" or ".join(states),
        next_step="run the command again to go on waiting",
    )  # fmt: skip


def look_up(aws: Aws, config: Launch, instance_id: str, since: float, same_account: bool) -> Instance | None:
    """The machine of an id on record, which was asked for at `since`; None: AWS has forgotten it, as it does about an
    hour after its end.

    Raises LaunchError where AWS does not list it and that may mean anything else.
    """
    ends = clock.ticks() + config.launch.wait_s
    while True:
        found = instance(aws, instance_id)
        settled = clock.now() - since >= SETTLED_S
        if found is not None or (settled and same_account):
            return found
        if settled or clock.ticks() >= ends:
            break
        clock.sleep(POLL_S)
    raise LaunchError(
        f"{instance_id} in {aws.region}",
        found=f"no such machine, for {aws.owner} of account {aws.account}",
        expected="the machine on record",
        next_step="use the keys that started it (launch.profile=NAME), or wait and run the command again; where it "
        f"ended long ago, remove {config.launch.folder}/{config.launch.name}",
    )


def end_machines(aws: Aws, config: Launch, ids: Sequence[str]) -> list[Instance]:
    """Terminate, and wait until it has happened: a group cannot be deleted before; -> the machines as they ended.

    To end what is ending already is no error to AWS. Raises LaunchError.
    """
    ends = clock.ticks() + config.launch.wait_s
    while True:
        try:
            aws.call("ec2", "TerminateInstances", {"InstanceIds": list(ids)})
            break
        except AwsError as refusal:  # what has just started is not known everywhere yet
            if refusal.code != UNKNOWN_ID or clock.ticks() >= ends:
                raise
        clock.sleep(POLL_S)
    ended = []
    for instance_id in ids:
        say(f"ending {instance_id}")
        ended.append(wait_for(aws, config, instance_id, ("terminated",)))
    return ended
