"""A walk of two users through the launcher: commands, faults at any request, time that passes, machines that are taken.

Everything that a walk does follows from its number. What must hold after each step is in `Walk.check`, and after the
end, when everybody gives `terminate` and `sweep-orphans` once more and no fault comes, in `Walk.finish`.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nmt.launch import commands, machine, remote_commands, terms
from nmt.launch.assignment import Assignment
from nmt.launch.aws import Aws
from nmt.launch.ssh import Ssh
from nmt.launch.ssh_faults import Fault, UnreachableError
from nmt.launch.training import Agent
from nmt.plumbing.files import write_text
from tests.hydra_answers import keep_answers
from tests.system.aws_unkind import UNKIND, Clock, Nature, Pace
from tests.system.tiny_ec2 import ACCOUNT, Box, TinyEc2, answered
from tests.system.tiny_offers import DISK_GB_MONTH, PRICE, REGION
from tests.system.walk_tools import (
    FAULTS,
    PLACES,
    Door,
    KilledError,
    Place,
    files,
    known_here,
    limit_on_record,
    read_launch,
)

DISK = 60 * DISK_GB_MONTH / 730
COSTS = {  # an hour
    "pending": PRICE + DISK, "running": PRICE + DISK, "stopping": DISK, "stopped": DISK, "shutting-down": 0.0,
    "terminated": 0.0,
}  # fmt: skip
SLACK_S = 80.0  # a minute, and what is lost by writing hours with two figures behind the point


class Walk:
    """`home` is the working directory, and empty."""

    def __init__(self, number: int, patch: pytest.MonkeyPatch, pace: Pace = UNKIND) -> None:
        self.number, self.dice = number, random.Random(number)
        self.clock = Clock()
        self.ec2 = TinyEc2(Nature(self.clock, pace))
        self.agreed: dict[str, float] = {}  # token of a request -> hours that its machine may run at most
        self.typed: dict[Place, float] = {}  # the same of the request that comes next
        self.ever: dict[Place, float] = {}  # the longest that was ever agreed there
        self.last: dict[str, Place] = {}  # where a user was
        self.loses = 0.0  # how often a connection does not last from the start of a training to its answer, each way
        self.story: list[str] = []
        self.install(patch)

    def install(self, patch: pytest.MonkeyPatch) -> None:
        self.clock.install(patch)
        keep_answers(patch)
        patch.setattr(Aws, "call", lambda aws, *words: self.ec2.call(*words))
        patch.setattr(Aws, "pages", lambda aws, *words: self.ec2.pages(*words))
        patch.setattr("nmt.launch.aws._session", lambda launch: None)
        patch.setattr("nmt.launch.access._make_pair", self.make_pair)
        patch.setattr("nmt.plumbing.files.os.fsync", lambda fd: None)
        patch.setattr(machine, "write_text", self.write)
        patch.setattr("builtins.input", lambda question: "n")
        patch.setattr(terms, "read_launch", read_launch)
        patch.setattr(remote_commands, "run", self.start_training)
        patch.setattr(Agent, "ask", lambda agent, verb, doing, given="": self.ask_agent(agent, verb, doing))
        patch.setattr(Ssh, "rsync", lambda ssh, words, doing: self.reach(ssh, doing) and None)

    # In the place of programs and of the machine.

    def make_pair(self, private: Path) -> None:
        private.parent.mkdir(parents=True, exist_ok=True)
        private.with_suffix(".pub").write_text(f"ssh-ed25519 {self.dice.getrandbits(200):x}")
        private.write_text("PRIVATE")

    def reach(self, ssh: Ssh, doing: str) -> Box:
        box = self.ec2.boxes[ssh.machine.instance_id]
        self.ec2.alive()
        if box.state != "running":
            failure = UnreachableError(ssh.place(doing), Fault.timed_out)
            ssh.check_it_runs(ssh.place(doing), failure)
            raise failure
        return box

    def start_training(
        self, ssh: Ssh, seconds: float, words: Any, records: Path, say: object, begin: Any, *_: object
    ) -> dict[str, Any]:
        """In the place of upload, installation and start; the machine's timer is set anew. The connection may be lost
        before that and after.
        """
        box, lost = self.reach(ssh, "start of training"), self.dice.random()
        known = {"state": "running", "deadline": 0.0, "now": 0.0}
        if box.trains:
            return {"started": False, "limits": box.limits, **known}
        machine = ssh.machine
        Assignment(list(words), "nmt-1", str(records / "runs"), "/home/x", machine.instance_id).save(
            records, machine.name
        )
        told = begin("nmt-1")
        if lost < self.loses:
            raise UnreachableError(ssh.place("start of training"), Fault.lost)
        box.rings, box.trains, box.limits = self.clock.now() + seconds, True, told["limits"]
        self.check_limit(box)
        if lost > 1 - self.loses:
            raise UnreachableError(ssh.place("start of training"), Fault.lost)
        return known

    def ask_agent(self, agent: Agent, verb: str, doing: str) -> dict[str, Any]:
        box = self.reach(agent.ssh, doing)
        box.trains = box.trains and verb != "stop"
        state = "running" if box.trains else "ended"
        end = {"reason": "asked", "exit_status": 143, "deadline": 0.0, "now": 0.0}
        return {"state": state, "socket": "nmt", "log_bytes": 0, **end}

    def write(self, path: Path, text: str, **how: Any) -> None:
        """A client may be killed between any two files that it writes, too."""
        door = self.ec2.door
        (door if isinstance(door, Door) and door.kills else answered)("write", lambda: write_text(path, text, **how))

    # A command, and the fault that it meets.

    def give(self, place: Place, command: str, *words: str, fault: tuple[str, int] | None = None) -> tuple[int, str]:
        """-> exit status and what was said; -9: it was killed."""
        self.ec2.arn, self.ec2.by = f"arn:aws:iam::{ACCOUNT}:user/{place.user}", place
        self.ec2.door = answered
        if fault is not None:
            self.ec2.door = Door(self.note_kill, *fault)
        argv = [command, f"launch.folder={place.folder}", f"launch.region={REGION}", "launch.address=192.0.2.9", *words]
        self.story.append(
            f"{self.clock.passed:9.0f} s  {place.user}@{place.folder}: {command} {' '.join(words)}  {fault or ''}"
        )
        printed = io.StringIO()
        self.killed_with: dict[Path, bytes] | None = None
        try:
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
                status = commands.run(argv)
        except KilledError:
            status = -9
            assert files() == self.killed_with, "a client that is killed writes nothing any more"
        self.ec2.door = answered
        said = printed.getvalue()
        self.story.append(f"           -> {status}: {said.strip()}")
        assert status in (0, 1, 2, -9), status
        assert status != 2 or said.strip(), "a refusal says why"
        self.check()
        if status == 0:
            self.check_bill(place, said)
        return status, said

    def note_kill(self) -> None:
        self.killed_with = self.killed_with or files()

    # What may be given.

    def step(self) -> None:
        used = [box.by for box in self.ec2.alive()]
        place = self.dice.choice(used if used and self.dice.random() < 0.5 else PLACES)  # where something can go wrong
        if self.last.setdefault(place.user, place) != place:
            self.last[place.user] = place
            self.sleep(20.0)  # who goes to another folder takes longer than AWS to show its tags
        choices = {
            self.up: 6, self.run: 4, self.stop: 2, self.relaunch: 2, self.terminate: 3, self.sweep: 2, self.look: 4,
            self.time_passes: 5, self.taken_away: 1,
        }  # fmt: skip
        self.dice.choices(list(choices), list(choices.values()))[0](place)

    def fault(self) -> tuple[str, int] | None:
        """Early ones more often: most commands ask AWS a few times only."""
        answered = self.dice.randrange(self.dice.choice([5, 10, 20]))
        return (self.dice.choice(FAULTS), answered) if self.dice.random() < 0.5 else None

    def up(self, place: Place) -> None:
        hours, usd = self.dice.choice([1, 2, 24]), self.dice.choice([None, None, 1])
        most = float(hours) if usd is None else min(hours, usd / PRICE)
        self.agree(place, most)
        limits = [f"launch.max_hours={hours}", *([f"launch.max_usd={usd}"] if usd else [])]
        status, _ = self.give(
            place, "up", "--yes", *limits, *self.dice.choice([[], ["launch.spot=true"]]), fault=self.fault()
        )
        if status == 0:
            assert len([box for box in self.ec2.alive() if box.by == place]) == 1, "what is said to run runs"

    def run(self, place: Place) -> None:
        hours, yes = self.dice.choice([None, None, 1, 48]), self.dice.random() < 0.5
        if hours is not None and yes:
            self.agree(place, float(hours))
            for box in self.ec2.alive():
                if box.by == place:
                    self.agreed[box.token] = max(self.agreed[box.token], float(hours))
        words = [*([f"launch.max_hours={hours}"] if hours else []), *["--yes"] * yes, "--", "seed=1"]
        self.give(place, "run", *words, fault=self.fault())

    def agree(self, place: Place, hours: float) -> None:
        self.typed[place], self.ever[place] = hours, max(hours, self.ever.get(place, 0.0))

    def stop(self, place: Place) -> None:
        self.give(place, "stop", fault=self.fault())

    def relaunch(self, place: Place) -> None:
        self.typed[place] = self.ever.get(place, 0.0)
        status, _ = self.give(place, "relaunch", "--yes", *self.dice.choice([[], ["--no-fetch"]]), fault=self.fault())
        if status == 0:
            assert len([box for box in self.ec2.alive() if box.by == place]) == 1, "what is said to run runs"

    def terminate(self, place: Place) -> None:
        others = [box.id for box in self.ec2.alive() if box.by.user != place.user]
        status, _ = self.give(place, "terminate", "--yes", "--no-fetch", fault=self.fault())
        alive = self.ec2.alive()
        assert status != 0 or not [box for box in alive if box.by == place], "what is said to be gone is gone"
        assert [box.id for box in alive if box.by.user != place.user] == others, "nobody else's"

    def sweep(self, place: Place) -> None:
        kept = [box.id for box in self.ec2.alive() if box.by.user != place.user or box.by == place]
        self.give(place, "sweep-orphans", "--yes", fault=self.fault())
        assert set(kept) <= {box.id for box in self.ec2.alive()}, "what is on record, or somebody else's, is kept"

    def look(self, place: Place) -> None:
        before = {box.id: box.state for box in self.ec2.alive()}
        command = self.dice.choice(["ps", "cost", "fetch", "refresh-access", "halt"])
        fault = self.fault()
        _, said = self.give(place, command, fault=fault)
        assert {box.id for box in self.ec2.alive()} <= set(before), "to look starts nothing"
        if command == "ps" and fault is None:
            for box_id, price in re.findall(r"(i-[0-9a-f]+) +\S+ +([\d.]+) ", said):
                costs = COSTS[self.ec2.boxes[box_id].state]
                least = costs - DISK if costs > DISK else costs  # AWS may not have told the price of the disk
                assert least - 1e-3 < float(price) < costs + 1e-3, f"ps says that {box_id} costs {price}"
                assert (float(price) > 0) == (costs > 0)

    def time_passes(self, place: Place) -> None:
        self.sleep(60 * self.dice.choice([0.1, 1, 15, 90, 600]))

    def sleep(self, seconds: float) -> None:
        self.clock.sleep(seconds)
        self.story.append(f"{self.clock.passed:9.0f} s  {seconds:.0f} s have passed")
        self.check()

    def taken_away(self, place: Place) -> None:
        for box in self.ec2.alive()[:1]:
            self.ec2.end(box, "Server.SpotInstanceTermination")
            self.story.append(f"{self.clock.passed:9.0f} s  {box.id} is taken away")

    # What must hold.

    def check(self) -> None:
        alive = self.ec2.alive()
        assert self.ec2.most <= 1, "never two machines of one name"
        for place in PLACES:
            if (place.records / "starting.json").exists():
                token = json.loads((place.records / "starting.json").read_text())["parameters"]["ClientToken"]
                self.agreed.setdefault(token, self.typed[place])
        for box in alive:
            assert known_here(box.by, box), f"{box.id} is forgotten"
            self.check_limit(box)

    def check_limit(self, box: Box) -> None:
        begun = self.ec2.nature.begun.get(box.id)
        if begun is not None:
            hours, agreed = (box.rings - begun) / 3600, self.agreed.setdefault(box.token, self.typed[box.by])
            assert hours <= agreed + 0.02, f"{box.id} may run {hours} h, agreed were {agreed}"
            kept = limit_on_record(box.by)
            assert hours <= kept + 0.02, f"{box.id} may run {hours} h, on record are {kept}"

    def check_bill(self, place: Place, said: str) -> None:
        """To the minute; AWS's clock is that of the walk. Where AWS has forgotten a machine, or another folder has
        stopped or ended it, which nobody can know here, at least what AWS charges.
        """
        for box_id, hours in re.findall(r"^(i-[0-9a-f]+) \((?:.*\n)??.*ran ([\d.]+) h", said, re.MULTILINE):
            box, charged = self.ec2.boxes[box_id], self.ec2.nature.seconds_charged(box_id)
            if box.by == place and self.ec2.nature.listed(box_id) and box.touched <= {place}:
                assert abs(3600 * float(hours) - charged) <= SLACK_S, f"{box_id}: {hours} h, AWS charges {charged} s"
            elif box.by == place:
                assert 3600 * float(hours) >= charged - SLACK_S, f"{box_id}: {hours} h, AWS charges {charged} s"

    def finish(self) -> None:
        """Everybody ends what is theirs; then nothing is left, and every bill is right."""
        self.sleep(60.0 * self.dice.choice([0.5, 5.0, 50.0]))
        for place in PLACES:
            self.sleep(20.0)
            status, said = self.give(place, "terminate", "--yes", "--no-fetch")
            assert status == 0 or "no machine of this name on record" in said, said
        self.sleep(60.0)
        for place in (PLACES[0], PLACES[2]):
            assert self.give(place, "sweep-orphans", "--yes")[0] == 0, "all is well again"
        assert [box.id for box in self.ec2.alive()] == [], "no machine is unknown"
        assert (self.ec2.groups, self.ec2.keys) == ({}, {}), "nothing is left"
        for place in PLACES:
            if (place.records / "bill.jsonl").exists():
                assert self.give(place, "cost")[0] == 0, "the bill can be read"


@contextlib.contextmanager
def walking(number: int, patch: pytest.MonkeyPatch, pace: Pace = UNKIND) -> Iterator[Walk]:
    """A walk of this number. What fails in it is an AssertionError with the whole story."""
    it = Walk(number, patch, pace)
    try:
        yield it
    except Exception as error:
        story = "\n".join(it.story)
        raise AssertionError(f"walk {number}: {error}\n{story}") from error


def walk(number: int, patch: pytest.MonkeyPatch, pace: Pace = UNKIND, steps: int = 12) -> None:
    with walking(number, patch, pace) as it:
        it.loses = 0.15
        for _ in range(steps):
            it.step()
        it.finish()
