"""Random walks of one user through the launcher, with a fault at any request: never two machines, none forgotten.

Each walk gives commands, lets time pass, takes the machine away, rings its timer, changes the keys, and lets requests
fail, be lost after they were done, or kill the client. After each step: at most one machine lives; one that lives is on
record here; no timer is set beyond what was agreed; and the bill is what AWS charges, to the minute.
"""

from __future__ import annotations

import contextlib
import copy
import io
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tiny_ec2 import PRICE, REGION, KilledError, TinyEc2, lost, refused

from nmt.config import launching
from nmt.launch import relaunch as relaunching
from nmt.launch import remote_commands
from nmt.launch.assignment import Assignment
from nmt.launch.aws import Aws
from nmt.launch.bill import bill, read_events
from nmt.launch.commands import run
from nmt.launch.start import load_request
from nmt.launch.states import ALLOWED, NEXT, State
from tests.system.aws_unkind import KIND, UNKIND, Clock, Nature

OWN, OTHER = "123456789012", "210987654321"
NO_ANSWER = ("lost", "killed")  # after AWS has acted
REFUSED = (
    "UnauthorizedOperation",
    "RequestLimitExceeded",
    "RequestExpired",
    "InternalError",
    "InsufficientInstanceCapacity",
)
FAULTS = st.tuples(st.sampled_from([*NO_ANSWER, "cut", "dark", *REFUSED]), st.integers(0, 30))
FOLDER = Path("runs/launch/nmt")
DEFAULTS = launching._composed([])  # Hydra reads its files once, not for each command
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDxGkZwXxQ5wxJd1kQ0rN2nM3Yx0m0qgWnU4u0mB0rTe"


class Walk(RuleBasedStateMachine):
    """A user with one machine, called nmt."""

    def __init__(self) -> None:
        super().__init__()
        self.patch, self.before = pytest.MonkeyPatch(), os.getcwd()
        self.home = tempfile.mkdtemp()
        os.chdir(self.home)
        for name, text in (("key", "PRIVATE"), ("key.pub", KEY)):
            Path(name).write_text(text)
        self.clock = Clock()
        self.clock.install(self.patch)
        self.ec2 = TinyEc2(Nature(self.clock, UNKIND))
        self.agreed: dict[str, float] = {}  # machine -> hours that its timer may let it run
        self.armed: dict[str, float] = {}  # machine -> seconds since 1970 when its timer rings
        self.patch.setattr(Aws, "call", lambda aws, *words: self.ec2.call(*words))
        self.patch.setattr(Aws, "pages", lambda aws, *words: self.ec2.pages(*words))
        self.patch.setattr("nmt.launch.aws._session", lambda launch: None)
        self.patch.setattr("nmt.config.launching._composed", lambda choices: copy.deepcopy(DEFAULTS))
        self.patch.setattr("nmt.plumbing.files.os.fsync", lambda fd: None, raising=False)
        self.patch.setattr(remote_commands, "run", self.trained)
        self.patch.setattr(relaunching, "_saved", lambda *_: False)

    def teardown(self) -> None:
        self.ec2.fault = None
        self.ec2.account = OWN
        self.clock.sleep(3600.0)
        self.ring()
        try:
            status, said = self.give("terminate", "--yes", "--no-fetch")
            assert status == 0 or "no machine of this name on record" in said, said
            assert self.ec2.alive() == [], "after the end nothing lives"
            assert not self.ec2.groups, "nor is a group left"
            assert not self.ec2.keys
            self.bills_are_right()
        finally:
            self.patch.undo()
            os.chdir(self.before)
            shutil.rmtree(self.home)

    # What the user does.

    def give(self, command: str, *words: str) -> tuple[int, str]:
        """A command line; -> exit status and what was said. A killed client says nothing any more."""
        own = [
            "launch.public_key=key.pub",
            "launch.key_file=key",
            "launch.address=192.0.2.9",
            f"launch.region={REGION}",
        ]
        before = {box.id for box in self.ec2.alive()}
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
                status = run([command, *own, *words])
        except KilledError:
            status = -9
        event(f"{command}: {status}")
        for box in self.ec2.boxes.values():  # its own timer, from its user data, at each boot
            if box.id not in before and box.id not in self.armed:
                self.agreed[box.id] = box.hours
                self.armed[box.id] = self.ec2.nature.begun.get(box.id, self.clock.now()) + 3600 * box.hours
        assert status in (0, 2, -9), printed.getvalue()
        assert status != 2 or printed.getvalue().strip(), "a refusal says why"
        assert "Traceback" not in printed.getvalue()
        return status, printed.getvalue()

    def trained(self, ssh: Any, seconds: float, *_: object) -> dict[str, Any]:
        """In the place of the upload and the training: the machine's timer is set anew."""
        box = self.ec2.boxes[ssh.machine.instance_id]
        if box.state == "running":
            self.armed[box.id] = self.clock.now() + seconds
        return {"state": "running", "deadline": 0.0, "now": 0.0}

    def inject(self, fault: tuple[str, int] | None) -> None:
        """The fault meets the n-th request from now on."""
        if fault is None:
            self.ec2.fault = None
            return
        kind, left = fault
        seen = [0]

        def meet(action: str, act: Any) -> Any:
            seen[0] += 1
            if kind == "dark" and seen[0] > left + 1:
                raise lost(action)
            if seen[0] != left + 1:
                return act()
            if kind in (*NO_ANSWER, "dark"):
                with contextlib.suppress(Exception):
                    act()
                raise KilledError if kind == "killed" else lost(action)
            raise lost(action) if kind == "cut" else refused(action, kind)

        self.ec2.fault = meet

    @rule(
        fault=st.none() | FAULTS, spot=st.booleans(), hours=st.sampled_from([1, 2, 12]), usd=st.sampled_from([None, 1])
    )
    def up(self, fault: Any, spot: bool, hours: int, usd: int | None) -> None:
        self.inject(fault)
        limits = [f"launch.max_hours={hours}", *([f"launch.max_usd={usd}"] if usd else [])]
        status, _ = self.give("up", "--yes", f"launch.spot={spot}", *limits)
        self.ec2.fault = None
        if status == 0:
            assert len(self.ec2.alive()) == 1

    @rule(fault=st.none() | FAULTS)
    def terminate(self, fault: Any) -> None:
        self.inject(fault)
        status, said = self.give("terminate", "--yes", "--no-fetch")
        self.ec2.fault = None
        if status == 0:
            assert "nothing of nmt is left" in said
            assert self.ec2.alive() == [], "what is said to be gone is gone"
            self.bills_are_right()

    @rule(fault=st.none() | FAULTS)
    def stop(self, fault: Any) -> None:
        self.inject(fault)
        self.give("stop")
        self.ec2.fault = None

    @rule(hours=st.sampled_from([None, 1, 24]), yes=st.booleans())
    def run(self, hours: int | None, yes: bool) -> None:
        """A limit is raised by a yes, and then that holds."""
        changed = [] if hours is None else [f"launch.max_hours={hours}"]
        box = next(iter(self.ec2.alive()), None)
        status, _ = self.give("run", *changed, *["--yes"] * yes, "--", "seed=1")
        if status == 0 and hours is not None and yes and box is not None:
            self.agreed[box.id] = max(self.agreed[box.id], float(hours))

    @rule(fault=st.none() | FAULTS)
    def relaunch(self, fault: Any) -> None:
        if not (FOLDER / "terms.json").exists():
            return
        Assignment(["seed=2"], "nmt-1", "runs/nmt-1", "/home/x").save(FOLDER.parent, "nmt")
        self.inject(fault)
        status, _ = self.give("relaunch", "--yes", "--no-fetch")
        self.ec2.fault = None
        if status == 0:
            assert len(self.ec2.alive()) == 1

    @rule(command=st.sampled_from(["cost", "ps", "refresh-access"]), fault=st.none() | FAULTS)
    def look(self, command: str, fault: Any) -> None:
        before = {box.id for box in self.ec2.alive()}
        self.inject(fault)
        self.give(command)
        self.ec2.fault = None
        assert {box.id for box in self.ec2.alive()} <= before

    @rule(every=st.booleans())
    def sweep(self, every: bool) -> None:
        before = self.ec2.alive()
        status, _ = self.give("sweep-orphans", "--yes", *["--all"] * every)
        if status == 0 and every:
            shown = self.clock.now() - 60.0
            old = [box for box in before if self.ec2.nature.born[box.id] < shown]
            assert not [box for box in self.ec2.alive() if box in old]

    @rule()
    def other_keys(self) -> None:
        """Keys of another account see nothing, and therefore may conclude nothing."""
        before = [box.id for box in self.ec2.alive()]
        kept = (FOLDER / "bill.jsonl").read_text() if (FOLDER / "bill.jsonl").exists() else ""
        record = (FOLDER / "machine.json").exists()
        self.ec2.account = OTHER
        known = bool(before) and (record or load_request(FOLDER) is not None)
        for command, *words in (("terminate", "--yes", "--no-fetch"), ("cost",), *([("up", "--yes")] if known else [])):
            self.give(command, *words)
        self.ec2.account = OWN
        assert [box.id for box in self.ec2.alive()] == before
        assert (FOLDER / "machine.json").exists() == record
        if known:
            assert (FOLDER / "bill.jsonl").read_text() == kept if kept else True

    @rule()
    def another_session_of_the_role(self) -> None:
        self.ec2.arn = f"arn:aws:sts::{OWN}:assumed-role/ann/botocore-session"

    # What happens by itself.

    @rule(minutes=st.sampled_from([0.1, 1, 15, 90, 600]))
    def time_passes(self, minutes: float) -> None:
        self.clock.sleep(60 * minutes)
        self.ring()

    def ring(self) -> None:
        """Timers that have run out power their machines off, which ends them."""
        for box in self.ec2.alive():
            if box.state == "running" and self.clock.now() >= self.armed.get(box.id, float("inf")):
                self.clock.passed, now = self.armed[box.id] - self.clock.begin, self.clock.passed
                self.ec2.end(box, "Client.InstanceInitiatedShutdown")
                self.clock.passed = max(now, self.clock.passed)

    @precondition(lambda self: self.ec2.alive())
    @rule(code=st.sampled_from(["Server.SpotInstanceTermination", "Client.UserInitiatedShutdown"]))
    def taken_away(self, code: str) -> None:
        self.ec2.end(self.ec2.alive()[0], code)

    # What must hold.

    @invariant()
    def never_two_machines(self) -> None:
        assert self.ec2.most <= 1

    @invariant()
    def never_one_that_is_forgotten(self) -> None:
        """The bill, the record or the request here leads to it."""
        request = load_request(FOLDER)
        led = {self.ec2.tokens.get(request.parameters["ClientToken"])} if request is not None else set()
        events = read_events(FOLDER)
        led |= {one.id for one in events} - {one.id for one in events if one.what == "ended"}
        assert {box.id for box in self.ec2.alive()} <= led

    @invariant()
    def no_limit_is_raised_silently(self) -> None:
        for box_id, rings in self.armed.items():
            begun = self.ec2.nature.begun.get(box_id)
            if begun is not None:
                assert rings - begun <= 3600 * self.agreed[box_id] + 90.0

    def bills_are_right(self) -> None:
        """Of every machine that has ended, to the minute; AWS's clock is that of this walk."""
        events = read_events(FOLDER)
        for box_id in {one.id for one in events if one.what == "ended"}:
            found = bill([one for one in events if one.id == box_id], until=self.clock.now())
            charged = self.ec2.nature.seconds_charged(box_id)
            assert abs(found.running_s - charged) <= 60.0, (box_id, events)
            assert found.machine_usd == pytest.approx(PRICE * found.running_s / 3600)


COMMON = {"deadline": None, "stateful_step_count": 12, "suppress_health_check": list(HealthCheck)}
TestWalks = Walk.TestCase
TestWalks.settings = settings(max_examples=50, **COMMON)


class LongWalk(Walk):
    """The same, 2,000 times."""


Test2000Walks = pytest.mark.long(LongWalk.TestCase)
Test2000Walks.settings = settings(max_examples=2000, **COMMON)


def test_every_command_has_its_row_of_states():
    from nmt.launch.commands import COMMANDS

    assert set(ALLOWED) == set(COMMANDS) - {"rehearse-interruption"}
    assert set(NEXT) == set(State)


def test_every_state_leads_to_the_end():
    ends = {State.gone}
    while grown := {state for state, following in NEXT.items() if following & ends} - ends:
        ends |= grown
    assert ends == set(State) - {State.unknown}, "which becomes another one with the right keys"


def test_the_kind_pace_is_no_pace():
    assert KIND.pending_s == KIND.shutting_down_s == KIND.listed_after_s == 0.0


def test_the_documentation_shows_both_tables():
    text = (Path(__file__).resolve().parents[2] / "docs" / "launch.md").read_text(encoding="utf-8")
    for state in State:
        assert f"| {state.name} | {state.value} |\n" in text
    for command, states in ALLOWED.items():
        names = ", ".join(state.name for state in State if state in states)
        assert f"| `{command}` | {'every state' if states == set(State) else names} |\n" in text
