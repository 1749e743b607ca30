"""How AWS is slow and forgetful. Beside each behaviour stands where AWS says so; docs below is docs.aws.amazon.com.

Times are those of the test's own clock, in seconds, and of the order that AWS shows; none of them is promised anywhere.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from moto.ec2.models.instances import InstanceState, StateReason

if TYPE_CHECKING:
    from tests.system.aws_requests import Answer, Call
    from tests.system.aws_server import AwsServer

TOO_MANY = {
    "ec2": "RequestLimitExceeded",
    "s3": "SlowDown",  # docs/AmazonS3/latest/API/ErrorResponses.html
}
CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
XML = "xmlns='http://ec2.amazonaws.com/doc/2016-11-15/'"
PAGED = {  # action -> the element that holds its items
    "DescribeInstances": "reservationSet",
    "DescribeSecurityGroups": "securityGroupInfo",
    "DescribeVolumes": "volumeSet",
    "DescribeInstanceTypes": "instanceTypeSet",
    "DescribeInstanceTypeOfferings": "instanceTypeOfferingSet",
    "DescribeSpotPriceHistory": "spotPriceHistorySet",
}


class Clock:
    """A clock that a test turns, in the place of that of nmt.launch."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.begin = float(int(time.time()))

    def now(self) -> float:
        return self.begin + self.passed

    def ticks(self) -> float:
        return self.passed

    def sleep(self, seconds: float) -> None:
        self.passed += max(seconds, 0.001)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("now", "ticks", "sleep"):
            monkeypatch.setattr(f"nmt.launch.clock.{name}", getattr(self, name))


class RealClock(Clock):
    """For clients in processes of their own."""

    def now(self) -> float:
        return time.time()


@dataclass(frozen=True)
class Pace:
    """How long things take; all 0 is an AWS that does everything at once."""

    # docs/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html: pending before running, stopping before stopped,
    # shutting-down before terminated.
    pending_s: float = 0.0
    stopping_s: float = 0.0
    shutting_down_s: float = 0.0
    # The same page on spot: a machine waits longer where capacity is found late.
    spot_pending_s: float = 0.0
    # docs/ec2/latest/devguide/eventual-consistency.html: InvalidInstanceID.NotFound after RunInstances "does not mean
    # the instance does not exist"; waits go from seconds up to five minutes.
    listed_after_s: float = 0.0
    # The same page: what was made is not visible to all commands at once; so with the tags of what was made.
    tagged_after_s: float = 0.0
    # docs/AWSEC2/latest/APIReference/API_GetConsoleOutput.html: the output is posted some time after the start.
    console_after_s: float = 0.0
    # docs/AWSEC2/latest/APIReference/API_DescribeInstances.html: a terminated machine is visible for about an hour.
    forgotten_after_s: float = 3600.0
    # docs/ec2/latest/devguide/ec2-api-throttling.html: RequestLimitExceeded; one of so many requests, 0: none.
    throttled_each: int = 0
    # docs/AWSEC2/latest/APIReference/Query-Requests.html#api-pagination: "it is possible to receive fewer results, even
    # no results, with a token".
    first_page_empty: bool = False


KIND = Pace()
UNKIND = Pace(
    pending_s=12.0, stopping_s=12.0, shutting_down_s=12.0, spot_pending_s=17.0, listed_after_s=8.0, tagged_after_s=11.0,
    console_after_s=25.0, throttled_each=7, first_page_empty=True,
)  # fmt: skip

# The same for clients in processes of their own, which wait in truth.
UNKIND_IN_HASTE = Pace(
    pending_s=2.0, stopping_s=2.0, shutting_down_s=2.0, spot_pending_s=3.0, listed_after_s=1.0, tagged_after_s=2.0,
    console_after_s=4.0, throttled_each=7, first_page_empty=True,
)  # fmt: skip


@dataclass
class Nature:
    """The pace of a server and what it has begun and not finished."""

    clock: Clock
    pace: Pace = KIND
    due: dict[str, tuple[float, str]] = field(default_factory=dict)  # id -> when, which state
    born: dict[str, float] = field(default_factory=dict)  # of machines, disks, groups and key pairs
    begun: dict[str, float] = field(default_factory=dict)  # id -> when it last started to cost
    charged: dict[str, float] = field(default_factory=dict)  # id -> seconds that were paid for until the last stop
    gone: dict[str, float] = field(default_factory=dict)  # id -> when it was terminated
    asked: int = 0
    refused: set[tuple[str, ...]] = field(default_factory=set)

    # What happens to machines.

    def started(self, machine: Any) -> None:
        """RunInstances or StartInstances has been done."""
        self.begun[machine.id] = self.clock.now()
        machine.launch_time = datetime.fromtimestamp(self.clock.now(), UTC).replace(tzinfo=None)
        spot = getattr(machine, "lifecycle", None) == "spot"
        self._after(machine, "pending", self.pace.spot_pending_s if spot else self.pace.pending_s, "running")

    def stopped(self, machine: Any, before: str) -> None:
        self._charge(machine)
        self._say(machine, "User initiated", "Client.UserInitiatedShutdown")
        if before not in ("stopped", "stopping"):
            self._after(machine, "stopping", self.pace.stopping_s, "stopped")

    def terminated(self, machine: Any, before: str, code: str = "Client.UserInitiatedShutdown") -> None:
        """To end what is ending changes nothing: API_TerminateInstances.html, "each call succeeds"."""
        if machine.id not in self.gone:
            self._charge(machine)
            self._say(machine, "User initiated", code)
            self.gone[machine.id] = self.clock.now()
            self.due.pop(machine.id, None)
            self._after(machine, "shutting-down", self.pace.shutting_down_s, "terminated")
        elif machine.id in self.due:
            _set(machine, "shutting-down")

    def seconds_charged(self, machine_id: str) -> float:
        """From each start to the stop or end that followed, a minute at least: the time that AWS charges."""
        open_s = self.clock.now() - self.begun[machine_id] if machine_id in self.begun else 0.0
        return self.charged.get(machine_id, 0.0) + (max(open_s, 60.0) if machine_id in self.begun else 0.0)

    def tick(self, backend: Any) -> None:
        """What is due has happened by now; a timer that has run out has powered its machine off."""
        for machine_id, (when, state) in list(self.due.items()):
            if self.clock.now() >= when:
                machine = backend.get_instance_by_id(machine_id)
                if machine is not None:
                    _set(machine, state)
                    del self.due[machine_id]

    def _charge(self, machine: Any) -> None:
        if machine.id in self.begun:
            self.charged[machine.id] = self.seconds_charged(machine.id)
            del self.begun[machine.id]

    def _say(self, machine: Any, what: str, code: str) -> None:
        """API_StateReason.html, and the form of StateTransitionReason in API_Instance.html."""
        machine._reason = f"{what} ({datetime.fromtimestamp(self.clock.now(), UTC):%Y-%m-%d %H:%M:%S} GMT)"
        machine.state_reason = StateReason(f"{code}: {what}", code)

    def _after(self, machine: Any, state: str, seconds: float, then: str) -> None:
        if seconds:
            _set(machine, state)
            self.due[machine.id] = (self.clock.now() + seconds, then)
        else:
            _set(machine, then)

    # What is seen of it.

    def born_now(self, resource_id: str) -> None:
        self.born.setdefault(resource_id, self.clock.now())

    def listed(self, machine_id: str) -> bool:
        forgotten = self.gone.get(machine_id, float("inf")) + self.pace.forgotten_after_s
        return self._age(machine_id) >= self.pace.listed_after_s and self.clock.now() < forgotten

    def _age(self, resource_id: str) -> float:
        return self.clock.now() - self.born.get(resource_id, float("-inf"))

    @contextmanager
    def as_seen(self, backend: Any) -> Iterator[None]:
        """While AWS answers, what it does not list yet, or no more, and tags that come late, are out of sight."""
        reservations, tags = backend.reservations, backend.tags
        kept = {
            key: one for key, one in reservations.items() if all(self.listed(machine.id) for machine in one.instances)
        }
        hidden = [key for key in tags if self._age(key) < self.pace.tagged_after_s]
        apart = {key: tags.pop(key) for key in hidden}
        backend.reservations = type(reservations)(kept)
        try:
            yield
        finally:
            backend.reservations = reservations
            tags.update(apart)

    def refusal(self, server: AwsServer, call: Call) -> tuple[str, int] | None:
        """What AWS refuses of itself: its code, the status."""
        self.asked += 1
        request = (call.service, call.action, call.region, call.body)
        refused, self.refused = request in self.refused, self.refused - {request}
        if self.pace.throttled_each and self.asked % self.pace.throttled_each == 0 and not refused:
            self.refused |= {request}  # which passes when it is sent again, whatever other threads ask meanwhile
            return TOO_MANY.get(call.service, "ThrottlingException"), 503
        backend = server.backend(call.region, call.caller.account) if call.service == "ec2" else None
        if backend is None:
            return None
        ids = [value for key, value in call.fields.items() if re.fullmatch(r"InstanceId(\.\d+)?", key)]
        if any(not self.listed(one) for one in ids):
            return "InvalidInstanceID.NotFound", 400
        if call.action == "DeleteSecurityGroup":  # API_DeleteSecurityGroup.html: DependencyViolation while it is in use
            users = [one for one in backend.all_instances() if one.state != "terminated"]
            if any(group.id == call.fields["GroupId"] for one in users for group in one.security_groups):
                return "DependencyViolation", 400
        return None

    def empty_page(self, call: Call) -> Answer | None:
        element = PAGED.get(call.action)
        named = any(key.startswith(("InstanceId.", "InstanceType.")) for key in call.fields)
        if not self.pace.first_page_empty or element is None or named or "NextToken" in call.fields:
            return None
        text = f"<{call.action}Response {XML}><{element}/><nextToken>more</nextToken></{call.action}Response>"
        return 200, "text/xml", text.encode()


def _set(machine: Any, state: str) -> None:
    machine._state = InstanceState(state, CODES[state])
