"""An EC2 of a few dictionaries behind the launcher's own door to AWS, for walks of thousands of commands.

It is as slow and forgetful as the one of aws_server.py, whose `Nature` it shares, and answers in microseconds. That
AWS's own descriptions allow what the launcher asks for, the tests on moto show.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

from nmt.launch import refusals
from nmt.launch.refusals import AwsError
from tests.system.aws_unkind import Clock, Nature
from tests.system.tiny_offers import REGION, Asked, TinyOffers

ACCOUNT = "123456789012"
KEYS = "-----BEGIN SSH HOST KEY KEYS-----\nssh-ed25519 " + "A" * 68 + " root@ip\n-----END SSH HOST KEY KEYS-----\n"


@dataclass
class Box:
    """A machine, with the attributes that Nature sets."""

    id: str
    asked: Asked  # of RunInstances
    by: Any  # whoever asked
    rings: float = float("inf")  # when its timer powers it off
    trains: bool = False
    limits: Any = None  # that its timer was set by, as its agent remembers them
    touched: set[object] = field(default_factory=set)  # by whom it was started, stopped or ended
    launch_time: Any = None
    state_reason: Any = None
    _reason: str = ""
    _state: Any = None

    @property
    def state(self) -> str:
        return str(self._state.name)

    @property
    def token(self) -> str:
        return str(self.asked["ClientToken"])

    @property
    def tags(self) -> dict[str, str]:
        return _tags(self.asked)

    @property
    def lifecycle(self) -> str | None:
        return "spot" if "InstanceMarketOptions" in self.asked else None

    @property
    def hours(self) -> float:
        """That the timer in its user data lets it run after each boot."""
        return int(self.asked["UserData"].partition("-P +")[2].partition("\\n")[0]) / 60


def answered(action: str, act: Callable[[], Any]) -> Any:
    """A request that meets no fault."""
    return act()


@dataclass
class TinyEc2(TinyOffers):
    """`call` and `pages` stand in the place of those of nmt.launch.aws.Aws."""

    nature: Nature
    arn: str = ""
    account: str = ACCOUNT  # whose keys are used
    by: object = None
    boxes: dict[str, Box] = field(default_factory=dict)
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    keys: dict[str, dict[str, Any]] = field(default_factory=dict)
    door: Callable[[str, Callable[[], Any]], Any] = answered  # where faults are met
    most: int = 0  # machines of one owner and name that lived at a time
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    @property
    def clock(self) -> Clock:
        return self.nature.clock

    def get_instance_by_id(self, box_id: str) -> Box | None:
        return self.boxes.get(box_id)

    def alive(self) -> list[Box]:
        """After timers have rung, each at its time."""
        self.nature.tick(self)
        for box in self.boxes.values():
            if box.state == "running" and self.clock.now() >= box.rings:
                passed, self.clock.passed = self.clock.passed, box.rings - self.clock.begin
                self.end(box, "Client.InstanceInitiatedShutdown")
                self.clock.passed = passed
        self.nature.tick(self)
        return [box for box in self.boxes.values() if box.state not in ("shutting-down", "terminated")]

    def end(self, box: Box, code: str) -> None:
        self.nature.terminated(box, box.state, code)

    # The door.

    def call(self, service: str, action: str, asked: Asked) -> Any:
        return self.door(action, lambda: self.act(action, asked))

    def pages(self, service: str, action: str, asked: Asked, key: str) -> list[Any]:
        found: list[Any] = self.call(service, action, asked)[key]
        return found

    def act(self, action: str, asked: Asked) -> Any:
        self.clock.sleep(0.2)  # an answer takes its time
        self.alive()
        if self.account != ACCOUNT and not action.startswith("Get"):
            return self.to_strangers(action, asked)
        answer = getattr(self, re.sub(r"(?<!^)(?=[A-Z])", "_", action).lower())(asked)
        marks = [tuple(sorted(box.tags.items())) for box in self.alive()]
        self.most = max(self.most, *map(marks.count, marks), 0)
        return answer

    def to_strangers(self, action: str, asked: Asked) -> Any:
        """Keys of another account see nothing, and must make nothing."""
        assert action.startswith("Describe"), f"{action} with the keys of another account"
        if asked.get("InstanceIds"):
            raise refused(action, "InvalidInstanceID.NotFound")
        regions = self.describe_regions(asked)
        return {"Reservations": [], "SecurityGroups": [], "Volumes": [], "KeyPairs": [], **regions}

    # Machines.

    def run_instances(self, asked: Asked) -> Any:
        """A token that is known is the request that is known."""
        known = [box for box in self.boxes.values() if box.token == asked["ClientToken"]]
        if not known:
            known = [Box(f"i-{next(self.numbers):017x}", asked, self.by)]
            self.boxes[known[0].id] = known[0]
            self.nature.born_now(known[0].id)
            self._boots(known[0])
        assert known[0].asked == asked, "another request with the same token"
        return {"Instances": [self.item(known[0])]}

    def _boots(self, box: Box) -> None:
        self.nature.started(box)
        box.touched.add(self.by)
        box.rings, box.trains = self.clock.now() + 3600 * box.hours, False

    def describe_instances(self, asked: Asked) -> Any:
        seen = {box.id: box for box in self.boxes.values() if self.nature.listed(box.id)}
        if "InstanceIds" in asked:
            seen = {box.id: box for box in self._those("DescribeInstances", asked)}
        found = [box for box in seen.values() if all(self.passes(box, one) for one in asked.get("Filters", []))]
        return {"Reservations": [{"Instances": [self.item(box)]} for box in found]}

    def passes(self, box: Box, one: dict[str, Any]) -> bool:
        name, values = one["Name"], one["Values"]
        tags = self.shown(box.id, box.tags)
        if name == "instance-state-name":
            return box.state in values
        if name == "client-token":
            return box.token in values
        return bool(set(values) & set(tags)) if name == "tag-key" else tags.get(name.removeprefix("tag:")) in values

    def shown(self, ident: str, tags: dict[str, str]) -> dict[str, str]:
        late = self.nature.clock.now() - self.nature.born[ident] < self.nature.pace.tagged_after_s
        return {} if late else tags

    def item(self, box: Box) -> dict[str, Any]:
        reason = {"Code": box.state_reason.code} if box.state_reason is not None else {}
        return {
            "InstanceId": box.id,
            "InstanceType": box.asked["InstanceType"],
            "State": {"Name": box.state},
            "PublicIpAddress": "192.0.2.1" if box.state == "running" else "",
            "Placement": box.asked["Placement"],
            "LaunchTime": box.launch_time.replace(tzinfo=UTC),
            "KeyName": box.asked["KeyName"],
            "ImageId": box.asked["ImageId"],
            "SecurityGroups": [{"GroupId": ident} for ident in box.asked["SecurityGroupIds"]],
            "StateTransitionReason": box._reason,
            "StateReason": reason,
            "Tags": _listed(self.shown(box.id, box.tags)),
            **({"InstanceLifecycle": "spot"} if box.lifecycle else {}),
        }

    def _those(self, action: str, asked: Asked) -> list[Box]:
        if not all(one in self.boxes and self.nature.listed(one) for one in asked["InstanceIds"]):
            raise refused(action, "InvalidInstanceID.NotFound")
        return [self.boxes[one] for one in asked["InstanceIds"]]

    def start_instances(self, asked: Asked) -> None:
        for box in self._those("StartInstances", asked):
            if box.state != "stopped":
                raise refused("StartInstances", "IncorrectInstanceState")
            box._reason, box.state_reason = "", None
            self._boots(box)

    def stop_instances(self, asked: Asked) -> None:
        for box in self._those("StopInstances", asked):
            if box.state in ("pending", "shutting-down", "terminated"):
                raise refused("StopInstances", "IncorrectInstanceState")
            self.nature.stopped(box, box.state)
            box.touched.add(self.by)

    def terminate_instances(self, asked: Asked) -> None:
        for box in self._those("TerminateInstances", asked):
            self.nature.terminated(box, box.state)
            box.touched.add(self.by)

    def get_console_output(self, asked: Asked) -> Any:
        late = self.clock.now() - self.nature.begun.get(asked["InstanceId"], 0.0) < self.nature.pace.console_after_s
        return {} if late else {"Output": KEYS}

    def get_caller_identity(self, asked: Asked) -> Any:
        return {"Account": self.account, "Arn": self.arn}

    # Groups and keys.

    def import_key_pair(self, asked: Asked) -> None:
        self._make(self.keys, asked["KeyName"], asked, "KeyName", "InvalidKeyPair.Duplicate")

    def create_security_group(self, asked: Asked) -> Any:
        ident = f"sg-{next(self.numbers):08x}"
        self._make(self.groups, ident, {**asked, "GroupId": ident}, "GroupName", "InvalidGroup.Duplicate")
        return {"GroupId": ident}

    def _make(self, held: dict[str, Any], ident: str, asked: Asked, name: str, code: str) -> None:
        if any(item[name] == asked[name] for item in held.values()):
            raise refused("making", code)
        held[ident] = {name: asked[name], "GroupId": ident, "IpPermissions": [], "tags": _tags(asked)}
        self.nature.born[ident] = self.clock.now()  # anew, where a name is taken again

    def authorize_security_group_ingress(self, asked: Asked) -> None:
        self.groups[asked["GroupId"]]["IpPermissions"] += asked["IpPermissions"]

    def revoke_security_group_ingress(self, asked: Asked) -> None:
        self.groups[asked["GroupId"]]["IpPermissions"] = []

    def describe_security_groups(self, asked: Asked) -> Any:
        return {"SecurityGroups": self._found(self.groups, asked, "GroupName", "group-name")}

    def describe_key_pairs(self, asked: Asked) -> Any:
        return {"KeyPairs": self._found(self.keys, asked, "KeyName", "key-name")}

    def _found(self, held: dict[str, Any], asked: Asked, key: str, name: str) -> list[Any]:
        def passes(item: dict[str, Any], tags: dict[str, str], one: dict[str, Any]) -> bool:
            if one["Name"] == name:
                return item[key] in one["Values"]
            if one["Name"] == "tag-key":
                return one["Values"][0] in tags
            return tags.get(one["Name"].removeprefix("tag:")) in one["Values"]

        tagged = [(item, self.shown(ident, item["tags"])) for ident, item in held.items()]
        return [{**item, "Tags": _listed(tags)} for item, tags in tagged
                if all(passes(item, tags, one) for one in asked["Filters"])]  # fmt: skip

    def delete_security_group(self, asked: Asked) -> None:
        ident = asked["GroupId"]
        if any(ident in box.asked["SecurityGroupIds"] and box.state != "terminated" for box in self.boxes.values()):
            raise refused("DeleteSecurityGroup", "DependencyViolation")
        if self.groups.pop(ident, None) is None:
            raise refused("DeleteSecurityGroup", "InvalidGroup.NotFound")

    def delete_key_pair(self, asked: Asked) -> None:
        self.keys.pop(asked["KeyName"], None)


def refused(action: str, code: str) -> AwsError:
    return refusals.answered(f"AWS, ec2:{action} in {REGION}", {"Error": {"Code": code, "Message": "as AWS has it"}})


def lost(action: str) -> AwsError:
    """No answer has come, whatever was done."""
    return refusals.unanswered(f"AWS, ec2:{action} in {REGION}", type("ConnectionClosedError", (Exception,), {})("cut"))


def _tags(asked: Asked) -> dict[str, str]:
    return {one["Key"]: one["Value"] for one in asked["TagSpecifications"][0]["Tags"]}


def _listed(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
