"""One machine is started, once: the request is written down before it is sent, and sent again as it was.

AWS takes a request with a token that it knows for the same request, so that an answer which was lost, a client that
was killed and an impatient user cannot start a second machine.
"""

from __future__ import annotations

import contextlib
import json
import sys
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from nmt.config.launch import Launch
from nmt.errors import LaunchError
from nmt.launch import clock
from nmt.launch.aws import Aws, tags
from nmt.launch.life import POLL_S, Instance, described, read_instance
from nmt.launch.machine import write_private
from nmt.launch.messages import command
from nmt.launch.offers import Image
from nmt.launch.refusals import AT_THE_DOOR, CAPACITY, AwsError
from nmt.plumbing.records import checked, parsed, record_of

FILE = "starting.json"
LATE_S = 30.0  # that a machine is looked for, whose start AWS did not confirm
TIMER = "/var/lib/cloud/scripts/per-boot/nmt-timer"


@dataclass(frozen=True)
class Request:
    """What was asked of AWS, and not yet answered by a machine that runs."""

    region: str
    zone: str  # empty: that of launch.subnet
    parameters: dict[str, Any]  # of RunInstances, token included
    instance_id: str = ""  # of AWS's answer; empty: none has come yet

    @property
    def type(self) -> str:
        return str(self.parameters["InstanceType"])

    @property
    def disk_gb(self) -> int:
        return int(self.parameters["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"])


def load_request(folder: Path) -> Request | None:
    """The request that an earlier `up` left behind. Raises LaunchError for a broken file."""
    path = folder / FILE
    try:
        request = record_of(Request, parsed(path.read_bytes()))
        checked(request.parameters, {"InstanceType": str}, {"InstanceType"})
        if request.disk_gb < 1:
            raise ValueError("no disk")
        return request
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError, OverflowError) as error:
        raise LaunchError(
            str(path), found="no request that can be read", expected="one as it was written",
            next_step="`python -m nmt.launch sweep-orphans` finds what it may have started; then remove the file",
        ) from error  # fmt: skip


def forget_request(folder: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        (folder / FILE).unlink()


def start(
    aws: Aws, launch: Launch, parameters: dict[str, Any], zones: Sequence[str], folder: Path, say: Callable[[str], None]
) -> Instance:
    """A machine in the first zone that has one. Raises LaunchError; then none was started, or the sentence says so."""
    refusals: list[tuple[str, AwsError]] = []
    for zone in zones:
        placed = parameters if launch.launch.subnet else {**parameters, "Placement": {"AvailabilityZone": zone}}
        request = Request(aws.region, zone, {**placed, "ClientToken": str(uuid.uuid4())})
        try:
            return send(aws, launch, request, folder)
        except AwsError as refusal:
            if refusal.code not in CAPACITY:
                raise
            refusals.append((zone, refusal))
            say(f"{zone or launch.launch.subnet}: {refusal.found}")
    zone, last = refusals[-1]
    tried = ", ".join(zone for zone, _ in refusals) or "the subnet's zone"
    raise AwsError(last.place, f"{last.found} (tried {tried})", last.expected, last.next_step, last.code, False)


def send(aws: Aws, launch: Launch, request: Request, folder: Path) -> Instance:
    """Write the request down, send it; -> the machine. The file stays until the machine is on record."""
    first = load_request(folder) != request
    _save(folder, request)
    try:
        found = read_instance(aws.call("ec2", "RunInstances", request.parameters)["Instances"][0])
        _save(folder, replace(request, instance_id=found.id))
        return found
    except KeyboardInterrupt:
        end = command("terminate", launch)
        print(f"interrupted; a machine may have been started: `up` goes on with it, {end} ends it.", file=sys.stderr)
        raise
    except AwsError as refusal:
        # A refusal at the door says nothing of an earlier try, which may have started a machine.
        if not refusal.uncertain and (refusal.code not in AT_THE_DOOR or (first and not refusal.again)):
            forget_request(folder)
            raise
        found_late = look_for(aws, request, folder, LATE_S)
        if found_late is not None:
            return found_late
        raise _unknown(launch, refusal) from refusal


def resend(aws: Aws, launch: Launch, request: Request, folder: Path) -> Instance | None:
    """The machine of a request that was sent and not answered, or not sent; None where AWS never knew it.

    To send it again is the one way to learn which: AWS takes a token that it knows for the same request.
    """
    found = look_for(aws, request, folder)
    if found is not None:
        return found
    try:
        return send(aws, launch, request, folder)
    except AwsError:
        if load_request(folder) is None:  # refused for good: such a machine never was
            return None
        raise


def look_for(aws: Aws, request: Request, folder: Path, wait_s: float = 0.0) -> Instance | None:
    """The machine of a request whose answer was lost, where AWS lists it within so many seconds."""
    found = _looked_for(aws, request, wait_s)
    if found is not None:
        _save(folder, replace(request, instance_id=found.id))
    return found


def _looked_for(aws: Aws, request: Request, wait_s: float) -> Instance | None:
    token = {"Name": "client-token", "Values": [request.parameters["ClientToken"]]}
    ends = clock.ticks() + wait_s
    while True:
        try:
            found = described(aws, [token])
        except AwsError:
            return None
        if found or clock.ticks() >= ends:
            return found[0] if found else None
        clock.sleep(POLL_S)


def _save(folder: Path, request: Request) -> None:
    write_private(folder / FILE, json.dumps(asdict(request), indent=2) + "\n")


def _unknown(launch: Launch, refusal: AwsError) -> AwsError:
    return AwsError(
        refusal.place,
        f"{refusal.found}, so that a machine may have been started",
        "its id",
        f"run `up` again, which goes on with this request and never starts a second machine, or end it: "
        f"{command('terminate', launch)}",
        refusal.code,
        uncertain=True,
    )


def request_parameters(
    aws: Aws, launch: Launch, image: Image, key_name: str, group_id: str, hours: float
) -> dict[str, Any]:
    """What RunInstances is asked for. Nothing in it is secret; user data is a timer that powers the machine off."""
    options, marks = launch.launch, tags(aws, launch.launch)
    disk = {"VolumeSize": max(options.disk_gb, image.size_gb), "VolumeType": "gp3"}
    parameters: dict[str, Any] = {
        "ImageId": image.id,
        "InstanceType": launch.machine.instance_type,
        "MinCount": 1,
        "MaxCount": 1,
        "KeyName": key_name,
        "UserData": user_data(hours),
        "InstanceInitiatedShutdownBehavior": options.shutdown.value,
        "BlockDeviceMappings": [
            {"DeviceName": image.root_device, "Ebs": {**disk, "Encrypted": True, "DeleteOnTermination": True}}
        ],
        "MetadataOptions": {
            "HttpTokens": "required",
            "HttpEndpoint": "enabled",
            "HttpPutResponseHopLimit": 1,
            "InstanceMetadataTags": "disabled",
        },
        "TagSpecifications": [{"ResourceType": kind, "Tags": marks} for kind in ("instance", "volume")],
    }
    if options.subnet is None:
        parameters["SecurityGroupIds"] = [group_id]
    else:
        parameters["NetworkInterfaces"] = [
            {
                "DeviceIndex": 0,
                "SubnetId": options.subnet,
                "Groups": [group_id],
                "AssociatePublicIpAddress": True,
                "DeleteOnTermination": True,
            }
        ]
    if options.spot:
        parameters["InstanceMarketOptions"] = {
            "MarketType": "spot",
            "SpotOptions": {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"},
        }
    return parameters


def user_data(hours: float) -> str:
    """For cloud-init: each boot sets a timer, so that the machine ends itself even if nobody ever reaches it."""
    script = f"#!/bin/sh\nexec shutdown -P +{max(1, round(hours * 60))}\n"
    return "#cloud-config\n" + json.dumps({"write_files": [{"path": TIMER, "permissions": "0755", "content": script}]})


def dry_run(aws: Aws, launch: Launch, image: Image, zone: str) -> None:
    """Ask AWS whether it would start this machine. Raises AwsError with its reason where it would not."""
    parameters = request_parameters(aws, launch, image, "", "", 1.0)
    kept = {key: value for key, value in parameters.items() if key not in ("KeyName", "SecurityGroupIds")}
    if launch.launch.subnet is None:
        kept["Placement"] = {"AvailabilityZone": zone}
    else:
        kept["NetworkInterfaces"] = [{**kept["NetworkInterfaces"][0], "Groups": []}]
    try:
        aws.call("ec2", "RunInstances", {**kept, "DryRun": True})
    except AwsError as refusal:
        if refusal.code != "DryRunOperation":
            raise


def resized(launch: Launch, image: Image) -> Launch:
    """The same with a disk that the image fits on."""
    disk_gb = max(launch.launch.disk_gb, image.size_gb)
    return replace(launch, launch=replace(launch.launch, disk_gb=disk_gb))
