"""The commands of `python -m nmt.launch` that work with a machine which is there."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from nmt.config.launch import Launch
from nmt.errors import LaunchError
from nmt.launch import rehearsal, watch
from nmt.launch.assignment import Assignment, load_assignment
from nmt.launch.fetch import describe, fetch, follow
from nmt.launch.machine import Machine, list_machines, load_machine
from nmt.launch.notices import NOTICE_S
from nmt.launch.ssh import Ssh
from nmt.launch.ssh_faults import Place, still_runs
from nmt.launch.training import Agent, limit_s, run

LEFT_UNFINISHED = 1  # exit status where training has ended without finishing


def run_training(config: Launch, flags: frozenset[str]) -> int | None:
    """run: from the upload to a training that needs nobody."""
    machine = _machine(config)
    words = list(config.launch.command)
    if config.launch.data is not None:
        words.append(f"data.dir={config.launch.data}")
    with told_what_runs(machine):
        seconds = limit_s(machine, config.launch.max_hours, config.launch.max_usd)
        status = run(machine, config.remote, seconds, words, Path(config.launch.folder), _say)
    _say(f"{machine.name}: {describe(status)}")
    name = f"launch.name={machine.name}"
    for command, meaning in (
        (f"logs -f {name}", "its output"),
        (f"attach {name}", "its session; Ctrl-b d leaves it"),
        (f"fetch --every {name}", f"the run comes home each {config.remote.every_s:.0f} s, until training ends"),
        (f"terminate {name}", "the end of the machine and its cost"),
    ):
        print(f"  python -m nmt.launch {command:<40}{meaning}")
    return None


def attach(config: Launch, flags: frozenset[str]) -> int | None:
    """attach: the session on the machine in this terminal."""
    ssh, assignment = _reach(config)
    if not sys.stdin.isatty():
        raise LaunchError(
            str(Place(ssh.machine, "attaching")),
            found="no terminal",
            expected="a terminal for the session",
            next_step=f"use python -m nmt.launch logs -f launch.name={ssh.machine.name}",
        )
    watch.attach(ssh, Agent(ssh, assignment.remote))
    return None


def logs(config: Launch, flags: frozenset[str]) -> int | None:
    """logs: the end of the trainer's output; -f: and what comes."""
    ssh, assignment = _reach(config)

    def take(part: bytes) -> None:
        sys.stdout.buffer.write(part)
        sys.stdout.buffer.flush()

    watch.logs(ssh, Agent(ssh, assignment.remote), "-f" in flags, take, _say)
    return None


def ps(config: Launch, flags: frozenset[str]) -> int | None:
    """ps: a line for each machine that was started from here."""
    folder = Path(config.launch.folder)
    rows = watch.ps(list_machines(folder), config.remote, folder)
    if not rows:
        print(f"no machine in {folder}")
        return None
    rows = [("name", "id", "address", "$/h", "training"), *rows]
    widths = [max(len(row[place]) for row in rows) for place in range(4)]
    for row in rows:
        print("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4]]))
    return None


def fetch_run(config: Launch, flags: frozenset[str]) -> int | None:
    """fetch: the run comes home; --every: again and again until training ends."""
    ssh, assignment = _reach(config)
    if "--every" not in flags:
        fetch(ssh, assignment)
        _say(f"fetched to {assignment.folder}")
        return None
    with told_what_runs(ssh.machine):
        status = follow(ssh, assignment, config.remote.every_s, _say)
    return _ending(ssh.machine, status)


def halt(config: Launch, flags: frozenset[str]) -> int | None:
    """halt: training saves and leaves; the machine stays."""
    ssh, assignment = _reach(config)
    status = Agent(ssh, assignment.remote).ask("stop", "stopping the training")
    fetch(ssh, assignment)
    _say(f"{describe(status)}; fetched to {assignment.folder}")
    _say(still_runs(ssh.machine))
    return None


def rehearse_interruption(config: Launch, flags: frozenset[str]) -> int | None:
    """rehearse-interruption: a spot machine is taken away, here, for nothing."""
    with tempfile.TemporaryDirectory(prefix="nmt-rehearsal-") as folder:
        story = rehearsal.rehearse(config.launch.command, Path(folder), _say)
    print(rehearsal.table(story))
    print(f"saved {story.saved_s:.1f} s after a notice that leaves {NOTICE_S:.0f} s; {story.difference}")
    return None if story.same else LEFT_UNFINISHED


def bring_home(config: Launch, machine: Machine) -> Assignment | None:
    """What the machine was given, after it has been fetched; None where it was given nothing. Raises LaunchError."""
    folder = Path(config.launch.folder)
    try:
        assignment = load_assignment(folder, machine.name)
    except LaunchError:
        return None
    fetch(Ssh(machine, replace(config.remote, wait_s=0.0)), assignment)
    return assignment


@contextlib.contextmanager
def told_what_runs(machine: Machine) -> Iterator[None]:
    """Whoever interrupts a command is told which machine goes on, and what ends it."""
    try:
        yield
    except KeyboardInterrupt:
        print(f"interrupted; {machine.name} ({machine.instance_id}): {still_runs(machine)}.", file=sys.stderr)
        raise


def _ending(machine: Machine, status: dict[str, Any]) -> int | None:
    """Say what to do after training has ended."""
    name = f"launch.name={machine.name}"
    if status["state"] == "ended" and status["exit_status"] == 0:
        _say(f"done; python -m nmt.launch terminate {name} ends the machine")
        return None
    _say(
        f"training has not finished: python -m nmt.launch relaunch {name} goes on with it on another machine,\n"
        f"run with the same overrides on this one; python -m nmt.launch terminate {name} ends the machine"
    )
    return LEFT_UNFINISHED


def _machine(config: Launch) -> Machine:
    return load_machine(Path(config.launch.folder), config.launch.name)


def _reach(config: Launch) -> tuple[Ssh, Assignment]:
    machine = _machine(config)
    return Ssh(machine, config.remote), load_assignment(Path(config.launch.folder), machine.name)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
