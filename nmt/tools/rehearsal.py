"""`rehearse-interruption`: a spot machine is taken away in the middle of a training, on one's own machine, for nothing.

One run is left in peace. Another is trained under the agent that works on rented machines, given the notice by a
metadata service of our own, saves, leaves, and goes on under a second agent. Both must end at the same weights.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nmt.errors import LaunchError
from nmt.launch.notices import NOTICE_S, MetadataServer
from nmt.launch.ssh_faults import last_line
from nmt.launch.training import Say
from nmt.launch.upload import PROJECT

# Seconds on two cores, and long enough for a notice to come in the middle.
SMALL = (
    *("debug=quick", "train.max_steps=300", "train.validate_every=100", "train.save_every=50", "train.log_every=5"),
    *("data.train_pairs=600", "data.dev_pairs=20", "data.test_pairs=20", "train.early_stopping.patience=0"),
)
NOTICE_AT_STEP = 60
POLL_S = 0.2
LONGEST_S = 600.0


@dataclass(frozen=True)
class Event:
    """What happened, and how many seconds after the beginning."""

    seconds: float
    what: str


@dataclass(frozen=True)
class Rehearsal:
    """What came of it."""

    events: list[Event]
    saved_s: float  # from the notice to the end of the trainer
    same: bool  # the weights, as those of the run in peace
    difference: str  # what the comparison said


def rehearse(words: Sequence[str], folder: Path, say: Say) -> Rehearsal:
    """All of it in `folder`, with `words` for train.py besides SMALL. Raises LaunchError where a step fails."""
    story = Story(say)
    story.tell("a run in peace begins")
    _train([*SMALL, *words, f"hydra.run.dir={folder / 'peace'}"], folder / "peace.out")
    story.tell("it has ended")
    saved_s, run = _interrupted(words, folder, story)
    (folder / "second" / "runs").mkdir(parents=True)
    moved = run.rename(folder / "second" / "runs" / run.name)
    story.tell(f"saved at step {_step(moved)}, {saved_s:.1f} s after the notice; the machine is gone, another goes on")
    with supervised(folder / "second", words, metadata=None) as agent:
        status = _ended(agent, folder / "second")
    if status["exit_status"] != 0:
        raise _failed("the run that goes on", f"exit status {status['exit_status']}", folder / "second")
    story.tell("the run has ended there")
    same, difference = compare(folder / "peace", moved)
    story.tell(f"weights of both runs: {difference}")
    return Rehearsal(sorted(story.events, key=lambda event: event.seconds), saved_s, same, difference)


def _interrupted(words: Sequence[str], folder: Path, story: Story) -> tuple[float, Path]:
    """The run that is given notice; -> seconds from the notice to the end of the trainer, and its run folder."""
    home = folder / "first"
    run = home / "runs" / "rehearsal"
    with MetadataServer() as service, supervised(home, words, service.address) as agent:
        story.tell("the same run begins under the agent")
        _until(lambda: _step(run) >= NOTICE_AT_STEP, agent, home)
        noticed = time.time()
        service.notice()
        story.tell(f"at step {_step(run)} the metadata service gives notice: {NOTICE_S:.0f} s are left")
        status = _ended(agent, home)
    for event in status["events"]:
        story.at(event["time"], f"agent: {event['what']}")
    if (status["exit_status"], status["reason"]) != (143, "interrupted"):
        raise _failed("the interrupted run", f"{status['reason']}, exit status {status['exit_status']}", home)
    return status["ended"] - noticed, run


class Story:
    """What happened, in order, told as it happens."""

    def __init__(self, say: Say) -> None:
        self.begin, self.events, self.say = time.time(), list[Event](), say

    def at(self, when: float, what: str) -> None:
        self.events.append(Event(when - self.begin, what))

    def tell(self, what: str) -> None:
        self.at(time.time(), what)
        self.say(what)


def compare(one: Path, other: Path) -> tuple[bool, str]:
    """Whether the last checkpoints of two runs hold the same parameters, to the last bit; -> that, and how many."""
    files = [str(folder / "checkpoints" / "last.h5") for folder in (one, other)]
    words = [sys.executable, "-m", "nmt.checkpoint", "diff", "--json", *files]
    done = subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LaunchError(
            "comparison of weights",
            found=done.stderr.strip(),
            expected="two checkpoints",
            next_step="look at the two run folders",
        )
    found = json.loads(done.stdout)
    others = sum(len(found[key]) for key in ("changed", "only_first", "only_second", "mismatched"))
    return others == 0, f"{found['num_equal']} parameters equal to the last bit, {others} not"


def table(rehearsal: Rehearsal) -> str:
    """What happened and when."""
    return "\n".join(f"{event.seconds:7.1f} s  {event.what}" for event in rehearsal.events)


def _train(words: Sequence[str], output: Path) -> None:
    with open(output, "wb") as file:
        command = [sys.executable, "-u", "train.py", *words]
        status = subprocess.run(command, cwd=PROJECT, stdout=file, stderr=subprocess.STDOUT, check=False).returncode
    if status != 0:
        raise _failed("the run in peace", f"exit status {status} ({_tail(output)})", output)


@contextlib.contextmanager
def supervised(home: Path, words: Sequence[str], metadata: str | None) -> Iterator[subprocess.Popen[bytes]]:
    """The agent's own loop, as tmux runs it on a rented machine, with this project and this Python.

    At the end of the context it has ended, and the trainer with it.
    """
    (home / "job").mkdir(parents=True)
    (home / "project").symlink_to(PROJECT)
    run = home / "runs" / "rehearsal"
    command = [sys.executable, "-u", "train.py"]
    spec = {
        "job": "rehearsal",
        "run": "runs/rehearsal",
        "command": [*command, *SMALL, *words, f"hydra.run.dir={run}"],
        "resume_command": [*command, f"resume={run}"],
        "save_before_s": 0.0,
        "linger_s": 0.0,
        "power_off": [],
        "metadata": metadata,
        "poll_s": POLL_S,
        "stop_on_rebalance": False,
        "uploads": {},
    }
    (home / "job" / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
    status = {"job": "rehearsal", "state": "starting", "deadline": time.time() + LONGEST_S, "events": []}
    (home / "job" / "status.json").write_text(json.dumps(status), encoding="utf-8")
    with open(home / "agent.out", "wb") as output:
        words = [sys.executable, "-m", "nmt.launch.agent", "supervise", str(home)]
        agent = subprocess.Popen(words, cwd=PROJECT, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield agent
    finally:
        agent.terminate()
        agent.wait()


def _until(happened: Callable[[], bool], agent: subprocess.Popen[bytes], home: Path) -> None:
    while not happened():
        if agent.poll() is not None:
            raise _failed("the run", f"an end before step {NOTICE_AT_STEP} ({_tail(home / 'job' / 'train.out')})", home)
        time.sleep(POLL_S / 2)


def _ended(agent: subprocess.Popen[bytes], home: Path) -> dict[str, Any]:
    """The agent's record after its end."""
    agent.wait()
    status: dict[str, Any] = json.loads((home / "job" / "status.json").read_text(encoding="utf-8"))
    return status


def _step(run: Path) -> int:
    """The last step that the run's log tells of, 0 where there is none."""
    try:
        lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        return int(json.loads(lines[-1])["step"])
    except (OSError, ValueError, IndexError, KeyError):
        return 0


def _tail(output: Path) -> str:
    return last_line(output.read_text(encoding="utf-8", errors="replace"))


def _failed(who: str, found: str, place: Path) -> LaunchError:
    return LaunchError(
        f"rehearsal, {who}", found=found, expected="a training that ends well", next_step=f"look into {place}"
    )
