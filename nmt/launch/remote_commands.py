"""The commands of `python -m nmt.launch` that work with a machine which is there."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nmt.config.launch import Launch
from nmt.errors import LaunchError
from nmt.launch import clock, watch
from nmt.launch.assignment import Assignment, assigned, load_assignment
from nmt.launch.bill import read_events
from nmt.launch.fetch import describe, fetch, follow
from nmt.launch.machine import Machine, load_machine
from nmt.launch.messages import command, options, say, told
from nmt.launch.notices import NOTICE_S
from nmt.launch.recorded import at_home, folder_of, on_record, unanswered
from nmt.launch.s3 import push, signed, store_of
from nmt.launch.ssh import Ssh
from nmt.launch.ssh_faults import UnreachableError
from nmt.launch.start import load_request
from nmt.launch.states import State, check
from nmt.launch.terms import as_told, limits_of, remember_limits
from nmt.launch.training import Agent, limit_s, run
from nmt.launch.upload import plan_training, typed
from nmt.plumbing.tables import table
from nmt.tools import rehearsal

LEFT_UNFINISHED = 1  # exit status where training has ended without finishing


def run_training(config: Launch, flags: frozenset[str]) -> int | None:
    """run: from the upload to a training that needs nobody."""
    words = list(config.launch.command)
    if config.launch.data is not None:
        words.append(f"data.dir={typed(config.launch.data)}")
    run_words(config, words)
    return None


def run_words(config: Launch, words: Sequence[str]) -> None:
    """The same for given words of train.py. Raises ConfigError, LaunchError."""
    machine, folder = _machine(config, "run"), Path(config.launch.folder)
    ssh = _ssh(config, machine)
    with told(config, [machine.instance_id], machine.region):
        most, before = _limit_s(config, machine), as_told(config)
        seconds = most - (clock.now() - started(folder / machine.name, machine))

        def begin(run: str) -> dict[str, Any]:
            """Just before the start. From here on a later end may hold, whether or not the machine's answer comes."""
            store = store_of(config.launch, run)
            uploads = {} if store is None else signed(store, seconds)
            if _raised(most, before, machine):
                remember_limits(config)
            return {"uploads": uploads, "limits": limits_of(config)}

        def earlier_home(earlier: Assignment) -> None:
            say(f"first the earlier training comes home, to {earlier.folder}")
            fetch(ssh, earlier)

        status = run(ssh, seconds, words, folder, say, begin, config.machine.python, earlier_home)
        lost = status["state"] == "running" and status.get("limits") == limits_of(config)  # an earlier answer
        if status.get("started", True) or lost:
            remember_limits(config)
    say(f"{machine.name}: {describe(status)}")
    for name, meaning in (
        ("logs -f", "its output"),
        ("attach", "its session; Ctrl-b d leaves it"),
        ("fetch --every", f"the run comes home every {config.remote.every_s:g} s, until training ends"),
        ("terminate", "the end of the machine and its cost"),
    ):
        say(f"  {command(name, config)}  # {meaning}")


def _limit_s(config: Launch, machine: Machine) -> float:
    return limit_s(machine, config.launch.max_hours, config.launch.max_usd)


def _raised(most: float, before: Launch, machine: Machine) -> bool:
    """Whether the machine may run for longer than it was told before, as far as anybody knows."""
    try:
        return most > _limit_s(before, machine)
    except LaunchError:  # dollars, and no price: nobody knows how long that was
        return True


def started(folder: Path, machine: Machine) -> float:
    """When the machine was started last, which is when it began to cost; now, where that is not on record."""
    events = [event for event in read_events(folder) if event.id == machine.instance_id and event.what == "started"]
    return events[-1].seconds if events else clock.now()


def attach(config: Launch, flags: frozenset[str]) -> int | None:
    """attach: the session on the machine in this terminal."""
    ssh, assignment = _reach(config, "attach")
    if not sys.stdin.isatty():
        raise LaunchError(
            str(ssh.place("attaching")),
            found="no terminal",
            expected="a terminal for the session",
            next_step=f"use {command('logs -f', config)}",
        )
    watch.attach(ssh, Agent(ssh, assignment.remote))
    return None


def logs(config: Launch, flags: frozenset[str]) -> int | None:
    """logs: the end of the trainer's output; -f: and what comes."""
    ssh, assignment = _reach(config, "logs")

    def take(part: bytes) -> None:
        sys.stdout.buffer.write(part)
        sys.stdout.buffer.flush()

    def aside(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    try:
        watch.logs(ssh, Agent(ssh, assignment.remote), "-f" in flags, take, aside)
    except KeyboardInterrupt:
        aside(f"training goes on; {ssh.place('').still_runs}")
        raise
    return None


def ps(config: Launch, flags: frozenset[str]) -> int | None:
    """ps: a line for each machine that was started from here."""
    folder = Path(config.launch.folder)
    rows = watch.ps(config)
    if not rows:
        print(f"no machine in {folder}")
        return None
    rows = [("name", "id", "address", "$/h", "AWS says", "training"), *rows]
    print(table(rows, right=()))
    return None


def fetch_run(config: Launch, flags: frozenset[str]) -> int | None:
    """fetch: the run comes home; --every: again and again until training ends."""
    ssh, assignment = _reach(config, "fetch")
    store, sent = store_of(config.launch, assignment.run), dict[str, tuple[int, int]]()

    def after() -> None:
        if store is not None:
            sent.update(push(store, Path(assignment.folder), sent))

    if "--every" not in flags:
        fetch(ssh, assignment)
        after()
        say(f"fetched to {assignment.folder}; {ssh.place('').still_runs}")
        return None
    with told(config, [ssh.machine.instance_id], ssh.machine.region):
        try:
            status = follow(ssh, assignment, config.remote.every_s, say, after)
        except UnreachableError:
            say(f"{command('relaunch', config)} goes on elsewhere, from what is at home, if the machine is gone")
            raise
        except KeyboardInterrupt:
            say("training goes on")
            raise
    return _ending(config, status)


def halt(config: Launch, flags: frozenset[str]) -> int | None:
    """halt: training saves and leaves; the machine stays."""
    ssh, assignment = _reach(config, "halt")
    status = Agent(ssh, assignment.remote).ask("stop", "stopping the training")
    fetch(ssh, assignment)
    say(f"{describe(status)}; fetched to {assignment.folder}")
    say(ssh.place("").still_runs)
    return None


def rehearse_interruption(config: Launch, flags: frozenset[str]) -> int | None:
    """rehearse-interruption: a spot machine is taken away, here, for nothing."""
    plan_training(config.launch.command, "rehearsal")  # a mistake is told at once
    folder = Path(tempfile.mkdtemp(prefix="nmt-rehearsal-"))
    story = rehearsal.rehearse(config.launch.command, folder, say)
    shutil.rmtree(folder)  # after a failure it stays, to be looked into
    print(rehearsal.table(story))
    print(f"saved {story.saved_s:.1f} s after a notice that leaves {NOTICE_S:.0f} s; {story.difference}")
    return None if story.same else LEFT_UNFINISHED


def bring_home(config: Launch, machine: Machine) -> Assignment | None:
    """What the machine was given, after it has been fetched; None where it was given nothing. Raises LaunchError."""
    assignment = assigned(Path(config.launch.folder), machine.name)
    if assignment is None or not assignment.is_of(machine):
        say(f"nothing is fetched: {machine.instance_id} was given no training from here")
        return None
    fetch(Ssh(machine, replace(config.remote, wait_s=0.0), options(config)), assignment)
    return assignment


def _ending(config: Launch, status: dict[str, Any]) -> int | None:
    """Say what to do after training has ended."""
    if status["state"] == "ended" and status["exit_status"] == 0:
        say(f"done; {command('terminate', config)} ends the machine")
        return None
    say("training has not finished")
    say(f"  {command('relaunch', config)}  # goes on with it on another machine")
    say(f"  {command('run', config)}  # the same, on this one: with the same overrides after --")
    say(f"  {command('terminate', config)}  # ends the machine")
    return LEFT_UNFINISHED


def _machine(config: Launch, name: str) -> Machine:
    """The machine on record, for the command `name`. Raises LaunchError where none can be reached yet, or any more."""
    if on_record(config.launch) is None and load_request(folder_of(config.launch)) is not None:
        check(name, State.asked if unanswered(config.launch) else State.pending, config)
    return load_machine(Path(config.launch.folder), config.launch.name)


def _reach(config: Launch, name: str) -> tuple[Ssh, Assignment]:
    machine = _machine(config, name)
    return _ssh(config, machine), load_assignment(Path(config.launch.folder), machine.name, machine)


def _ssh(config: Launch, machine: Machine) -> Ssh:
    return Ssh(machine, config.remote, options(config), ended=lambda: watch.ended(at_home(config), machine))
