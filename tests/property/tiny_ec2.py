"""An EC2 of a few dictionaries, behind the launcher's own door to AWS: for walks of thousands of commands.

It is as slow and forgetful as the one of tests/system, whose `Nature` it shares, and answers in microseconds. What it
knows is what the launcher asks for; that AWS's own descriptions allow those requests, the tests on moto show.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

pytest.importorskip("moto", reason="moto is not installed")  # whose classes Nature sets
from nmt.launch.refusals import answered, unanswered
from tests.system.aws_unkind import Clock, Nature

REGION = "eu-west-1"
ZONES = ("eu-west-1a", "eu-west-1b")
PRICE, DISK_GB_MONTH = 0.5, 0.073
KEYS = "-----BEGIN SSH HOST KEY KEYS-----\nssh-ed25519 " + "A" * 68 + " root@ip\n-----END SSH HOST KEY KEYS-----\n"


class KilledError(BaseException):
    """The client's process is gone: nothing of it runs any more."""


@dataclass
class Box:
    """A machine, with the attributes that Nature sets."""

    id: str
    type: str
    tags: dict[str, str]
    zone: str
    key: str
    group: str
    hours: float  # that its timer lets it run after each boot
    lifecycle: str | None
    launch_time: Any = None
    state_reason: Any = None
    _reason: str = ""
    _state: Any = None

    @property
    def state(self) -> str:
        return str(self._state.name)


@dataclass
class TinyEc2:
    """`call` and `pages` stand in the place of those of nmt.launch.aws.Aws."""

    nature: Nature
    boxes: dict[str, Box] = field(default_factory=dict)
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    keys: dict[str, dict[str, Any]] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    account: str = "123456789012"
    arn: str = "arn:aws:iam::123456789012:user/ann"
    fault: Callable[[str, Callable[[], Any]], Any] | None = None
    most: int = 0  # machines that were alive at a time
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    @property
    def clock(self) -> Clock:
        return self.nature.clock

    # What Nature asks of a backend.

    def get_instance_by_id(self, box_id: str) -> Box | None:
        return self.boxes.get(box_id)

    def alive(self) -> list[Box]:
        self.nature.tick(self)
        return [box for box in self.boxes.values() if box.state not in ("shutting-down", "terminated")]

    def end(self, box: Box, code: str) -> None:
        self.nature.terminated(box, box.state, code)

    # The door.

    def call(self, service: str, action: str, parameters: dict[str, Any]) -> Any:
        if self.fault is not None:
            return self.fault(action, lambda: self.act(action, parameters))
        return self.act(action, parameters)

    def pages(self, service: str, action: str, parameters: dict[str, Any], key: str) -> list[Any]:
        found: list[Any] = self.call(service, action, parameters)[key]
        return found

    def act(self, action: str, parameters: dict[str, Any]) -> Any:
        self.clock.sleep(0.2)  # an answer takes its time
        self.nature.tick(self)
        if self.account != "123456789012" and action not in ("GetCallerIdentity", "DescribeRegions"):
            return self.of_nobody(action, parameters)
        answer = getattr(self, re.sub(r"(?<!^)(?=[A-Z])", "_", action).lower())(parameters)
        self.most = max(self.most, len(self.alive()))
        return answer

    def of_nobody(self, action: str, parameters: dict[str, Any]) -> Any:
        """What another account sees: nothing of ours; it must not be asked to make anything."""
        if parameters.get("InstanceIds"):
            raise refused(action, "InvalidInstanceID.NotFound")
        assert action.startswith("Describe"), f"{action} with the keys of another account"
        return {"Reservations": [], "SecurityGroups": [], "Volumes": [], "KeyPairs": []}

    # Machines.

    def run_instances(self, asked: dict[str, Any]) -> Any:
        token = asked["ClientToken"]
        if token not in self.tokens:
            number = next(self.numbers)
            minutes = int(asked["UserData"].partition("-P +")[2].partition("\\n")[0])
            box = Box(
                f"i-{number:017x}", asked["InstanceType"], _tags(asked), asked["Placement"]["AvailabilityZone"],
                asked["KeyName"], asked["SecurityGroupIds"][0], minutes / 60,
                "spot" if "InstanceMarketOptions" in asked else None,
            )  # fmt: skip
            self.boxes[box.id] = box
            self.tokens[token] = box.id
            self.nature.born_now(box.id)
            self.nature.started(box)
        return {"Instances": [self.item(self.boxes[self.tokens[token]])]}

    def describe_instances(self, asked: dict[str, Any]) -> Any:
        seen = {box.id: box for box in self.boxes.values() if self.nature.listed(box.id)}
        for box_id in asked.get("InstanceIds", []):
            if box_id not in seen:
                raise refused("DescribeInstances", "InvalidInstanceID.NotFound")
            seen = {box_id: seen[box_id]}
        boxes = [box for box in seen.values() if all(self.passes(box, one) for one in asked.get("Filters", []))]
        return {"Reservations": [{"Instances": [self.item(box)]} for box in boxes]}

    def passes(self, box: Box, one: dict[str, Any]) -> bool:
        name, values = one["Name"], one["Values"]
        tags = self.shown(box.id, box.tags)
        if name == "instance-state-name":
            return box.state in values
        if name == "client-token":
            return self.tokens.get(values[0]) == box.id
        return set(values) <= set(tags) if name == "tag-key" else tags.get(name.removeprefix("tag:")) in values

    def shown(self, ident: str, tags: dict[str, str]) -> dict[str, str]:
        late = self.nature.clock.now() - self.nature.born.get(ident, 0.0) < self.nature.pace.tagged_after_s
        return {} if late else tags

    def item(self, box: Box) -> dict[str, Any]:
        return {
            "InstanceId": box.id,
            "InstanceType": box.type,
            "State": {"Name": box.state},
            "PublicIpAddress": "192.0.2.1" if box.state == "running" else "",
            "Placement": {"AvailabilityZone": box.zone},
            "LaunchTime": box.launch_time.replace(tzinfo=UTC),
            "KeyName": box.key,
            "ImageId": "ami-00000001",
            "SecurityGroups": [{"GroupId": box.group}],
            "StateTransitionReason": box._reason,
            "StateReason": {"Code": box.state_reason.code} if box.state_reason is not None else {},
            "Tags": [{"Key": key, "Value": value} for key, value in self.shown(box.id, box.tags).items()],
            **({"InstanceLifecycle": "spot"} if box.lifecycle else {}),
        }

    def _those(self, action: str, asked: dict[str, Any]) -> list[Box]:
        if not all(one in self.boxes and self.nature.listed(one) for one in asked["InstanceIds"]):
            raise refused(action, "InvalidInstanceID.NotFound")
        return [self.boxes[one] for one in asked["InstanceIds"]]

    def start_instances(self, asked: dict[str, Any]) -> Any:
        for box in self._those("StartInstances", asked):
            if box.state != "stopped":
                raise refused("StartInstances", "IncorrectInstanceState")
            box._reason = ""
            self.nature.started(box)

    def stop_instances(self, asked: dict[str, Any]) -> Any:
        for box in self._those("StopInstances", asked):
            if box.state in ("pending", "shutting-down", "terminated"):
                raise refused("StopInstances", "IncorrectInstanceState")
            self.nature.stopped(box, box.state)

    def terminate_instances(self, asked: dict[str, Any]) -> Any:
        for box in self._those("TerminateInstances", asked):
            self.nature.terminated(box, box.state)

    def get_console_output(self, asked: dict[str, Any]) -> Any:
        late = self.clock.now() - self.nature.begun.get(asked["InstanceId"], 0.0) < self.nature.pace.console_after_s
        return {} if late else {"Output": KEYS}

    # Groups and keys.

    def import_key_pair(self, asked: dict[str, Any]) -> Any:
        if asked["KeyName"] in self.keys:
            raise refused("ImportKeyPair", "InvalidKeyPair.Duplicate")
        self.keys[asked["KeyName"]] = {"KeyName": asked["KeyName"], "tags": _tags(asked)}
        self.nature.born_now(asked["KeyName"])

    def create_security_group(self, asked: dict[str, Any]) -> Any:
        if any(group["GroupName"] == asked["GroupName"] for group in self.groups.values()):
            raise refused("CreateSecurityGroup", "InvalidGroup.Duplicate")
        ident = f"sg-{next(self.numbers):08x}"
        self.groups[ident] = {
            "GroupId": ident, "GroupName": asked["GroupName"], "IpPermissions": [], "tags": _tags(asked)
        }  # fmt: skip
        self.nature.born_now(ident)
        return {"GroupId": ident}

    def authorize_security_group_ingress(self, asked: dict[str, Any]) -> Any:
        self.groups[asked["GroupId"]]["IpPermissions"] += asked["IpPermissions"]

    def describe_security_groups(self, asked: dict[str, Any]) -> Any:
        return {"SecurityGroups": self._found(self.groups, asked, "group-name", "GroupName", "GroupId")}

    def describe_key_pairs(self, asked: dict[str, Any]) -> Any:
        return {"KeyPairs": self._found(self.keys, asked, "key-name", "KeyName", "KeyName")}

    def _found(self, held: dict[str, Any], asked: dict[str, Any], by: str, name: str, ident: str) -> list[Any]:
        def passes(item: dict[str, Any], one: dict[str, Any]) -> bool:
            if one["Name"] == by:
                return item[name] in one["Values"]
            tags = self.shown(item[ident], item["tags"])
            key = one["Name"].removeprefix("tag:")
            return one["Values"][0] in tags if key == "tag-key" else tags.get(key) in one["Values"]

        found = [item for item in held.values() if all(passes(item, one) for one in asked["Filters"])]
        return [{**item, "Tags": _listed(self.shown(item[ident], item["tags"]))} for item in found]

    def delete_security_group(self, asked: dict[str, Any]) -> Any:
        if any(box.group == asked["GroupId"] and box.state != "terminated" for box in self.boxes.values()):
            raise refused("DeleteSecurityGroup", "DependencyViolation")
        if self.groups.pop(asked["GroupId"], None) is None:
            raise refused("DeleteSecurityGroup", "InvalidGroup.NotFound")

    def delete_key_pair(self, asked: dict[str, Any]) -> Any:
        self.keys.pop(asked["KeyName"], None)

    # What is looked up.

    def get_caller_identity(self, asked: dict[str, Any]) -> Any:
        return {"Account": self.account, "Arn": f"{self.arn}-{next(self.numbers)}" if "role" in self.arn else self.arn}

    def describe_volumes(self, asked: dict[str, Any]) -> Any:
        return {"Volumes": []}

    def describe_regions(self, asked: dict[str, Any]) -> Any:
        return {"Regions": [{"RegionName": REGION}]}

    def describe_instance_types(self, asked: dict[str, Any]) -> Any:
        gpu = {"Name": "T4", "Count": 1, "MemoryInfo": {"SizeInMiB": 16384}}
        known = {"VCpuInfo": {"DefaultVCpus": 4}, "ProcessorInfo": {"SupportedArchitectures": ["x86_64"]}}
        return {"InstanceTypes": [known | {"InstanceType": one, "GpuInfo": {"Gpus": [gpu]}}
                                  for one in asked["InstanceTypes"]]}  # fmt: skip

    def describe_instance_type_offerings(self, asked: dict[str, Any]) -> Any:
        types = asked["Filters"][0]["Values"]
        return {"InstanceTypeOfferings": [{"InstanceType": one, "Location": zone} for one in types for zone in ZONES]}

    def get_parameter(self, asked: dict[str, Any]) -> Any:
        return {"Parameter": {"Value": "ami-00000001"}}

    def describe_images(self, asked: dict[str, Any]) -> Any:
        return {"Images": [{"Name": "an image"}]}

    def describe_spot_price_history(self, asked: dict[str, Any]) -> Any:
        day = datetime(2026, 1, 1, tzinfo=UTC)
        return {"SpotPriceHistory": [
            {"AvailabilityZone": zone, "SpotPrice": str(PRICE), "Timestamp": day} for zone in ZONES
        ]}  # fmt: skip

    def get_products(self, asked: dict[str, Any]) -> Any:
        price = DISK_GB_MONTH if any(one["Field"] == "volumeApiName" for one in asked["Filters"]) else PRICE
        terms = f'{{"a": {{"priceDimensions": {{"b": {{"pricePerUnit": {{"USD": "{price}"}}}}}}}}}}'
        return {"PriceList": [f'{{"terms": {{"OnDemand": {terms}}}}}']}


def refused(action: str, code: str) -> Exception:
    return answered(f"AWS, ec2:{action} in {REGION}", {"Error": {"Code": code, "Message": "as AWS has it"}})


def lost(action: str) -> Exception:
    """No answer has come, whatever was done."""
    return unanswered(f"AWS, ec2:{action} in {REGION}", type("ConnectionClosedError", (Exception,), {})("cut"))


def _tags(asked: dict[str, Any]) -> dict[str, str]:
    return {one["Key"]: one["Value"] for one in asked["TagSpecifications"][0]["Tags"]}


def _listed(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
