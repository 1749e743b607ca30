"""`attach`, `logs`, `ps`, `cost`: looking at a machine and its training without touching them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from nmt.config.launch import Launch
from nmt.config.remote import RemoteConfig
from nmt.errors import LaunchError, NmtError
from nmt.launch import clock
from nmt.launch.agent.verbs import SESSION
from nmt.launch.assignment import load_assignment
from nmt.launch.aws import connect
from nmt.launch.bill import events_of, final_lines, open_lines, read_events
from nmt.launch.fetch import describe
from nmt.launch.life import GONE, PAID
from nmt.launch.machine import Machine, list_machines
from nmt.launch.messages import command, say
from nmt.launch.recorded import asked, folder_of, unanswered
from nmt.launch.ssh import Ssh
from nmt.launch.ssh_faults import RemoteCommandError, UnreachableError
from nmt.launch.start import load_request
from nmt.launch.states import ALLOWED, State, check
from nmt.launch.terms import of_machine
from nmt.launch.training import Agent, Say

TAIL_BYTES = 8_192
AGAIN_S = 1.0
Take = Callable[[bytes], None]


def attach(ssh: Ssh, agent: Agent) -> None:
    """The session on the machine in this terminal; Ctrl-b d leaves it. Raises LaunchError."""
    status = agent.status()
    if (State.training if status["state"] == "running" else State.saved) not in ALLOWED["attach"]:
        raise LaunchError(
            str(ssh.place("attaching")),
            found=f"no training that runs ({describe(status)})",
            expected="one",
            next_step=f"see its output with {ssh.place('').command('logs')}",
        )
    code = ssh.terminal(session_words(status), "attached")
    if code != 0:
        raise RemoteCommandError(ssh.place("attaching"), code, "")


def session_words(status: dict[str, Any]) -> list[str]:
    """What shows the session there."""
    return ["tmux", "-u", "-L", str(status["socket"]), "attach-session", "-t", SESSION]


def logs(
    ssh: Ssh, agent: Agent, follow: bool, take: Take, say: Say, sleep: Callable[[float], None] = clock.sleep
) -> None:
    """The end of the trainer's output; with `follow` what comes too, over lost connections, until training ends.

    Raises LaunchError.
    """
    offset = max(0, int(agent.status()["log_bytes"]) - TAIL_BYTES)
    end = clock.ticks() + ssh.config.wait_s

    def take_and_count(part: bytes) -> None:
        nonlocal offset, end
        offset, end = offset + len(part), clock.ticks() + ssh.config.wait_s
        take(part)

    while True:
        try:
            mode = "follow" if follow else "once"
            ssh.stream(agent.words("logs", str(offset), mode), "reading the log", take_and_count)
            return
        except UnreachableError as failure:
            ssh.check_it_runs(ssh.place("reading the log"), failure)
            if not failure.fault.passes or clock.ticks() > end:
                raise
            say(f"{failure.found}; training goes on, looking again")
        sleep(AGAIN_S)


def ps(config: Launch) -> list[tuple[str, ...]]:
    """A row for each machine on record: name, id, address, price an hour, what AWS says, what its training does.

    Nothing is raised.
    """
    folder = Path(config.launch.folder)
    known = list_machines(folder)
    rows = [_row(config, machine, folder) for machine in known]
    for path in sorted(folder.glob("*/")):
        request = load_request(path)
        if request is not None and path.name not in {machine.name for machine in known}:
            up = command("up", replace(config, launch=replace(config.launch, name=path.name)))
            rows.append((path.name, request.instance_id or "-", "-", "unknown", "asked for", f"{up} goes on with it"))
    return rows


def _row(config: Launch, machine: Machine, folder: Path) -> tuple[str, ...]:
    price = _price(machine.usd_per_hour)
    try:
        own = of_machine(config, machine.name)
        found = asked(connect(own.launch), own, machine.instance_id)
    except NmtError as failure:
        own, state = config, f"not asked ({failure.found})"
    else:
        state = found.state if found is not None else "terminated"
        if found is None or found.state in GONE:
            why = f"ended: {found.why}" if found is not None else "ended, an hour ago or more"
            return machine.name, machine.instance_id, "-", "0.000", state, why
        if found.state not in PAID:
            disk = events_of(folder / machine.name, machine.instance_id)
            price = _price(disk[-1].disk_usd_per_hour if disk else None)
            why = f"its disk costs: {command('up', own)} starts it again, terminate ends it"
            return machine.name, machine.instance_id, "-", price, state, why
    doing = _doing(machine, replace(own.remote, wait_s=0.0), folder)
    return machine.name, machine.instance_id, machine.address, price, state, doing


def _price(usd_per_hour: float | None) -> str:
    return "unknown" if usd_per_hour is None else f"{usd_per_hour:.3f}"


def _doing(machine: Machine, config: RemoteConfig, records: Path) -> str:
    try:
        assignment = load_assignment(records, machine.name, machine)
    except LaunchError as nothing:
        return str(nothing.found)
    try:
        return describe(Agent(Ssh(machine, config), assignment.remote).status())
    except LaunchError as failure:
        return str(failure.found)


def ended(config: Launch, machine: Machine) -> str | None:
    """What AWS says of a machine that does not run; None where it runs, or AWS cannot be asked."""
    try:
        found = asked(connect(config.launch), config, machine.instance_id)
    except LaunchError:
        return None
    if found is None:
        return "terminated, an hour ago or more"
    return None if found.state in PAID else f"{found.state}: {found.why}"


def cost(config: Launch, flags: frozenset[str]) -> int | None:
    """Print the bill of every machine that had this name. Raises LaunchError."""
    folder = folder_of(config.launch)
    if unanswered(config.launch):
        check("cost", State.asked, config)
    events = read_events(folder)
    if not events:
        raise LaunchError(
            f"launch.name={config.launch.name}", found=f"no machine that was started from {config.launch.folder}",
            expected="one", next_step="`python -m nmt.launch sweep-orphans` finds those of other folders",
        )  # fmt: skip
    for instance_id in dict.fromkeys(event.id for event in events):
        own, found = events_of(folder, instance_id), None
        if own[-1].what != "ended":
            regional = replace(config, launch=replace(config.launch, region=own[-1].region))
            found = asked(connect(regional.launch), regional, instance_id)
            own = events_of(folder, instance_id)
        if found is None or own[-1].what == "ended":
            lines = final_lines(own, clock.now(), [instance_id])
        else:
            lines = open_lines(config, own, found, clock.now())
        say("\n".join(lines))
    return None
