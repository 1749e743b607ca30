"""What a failed connection means to the user: one sentence, the machine's id, and the command that ends it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from nmt.errors import LaunchError
from nmt.launch.machine import Machine

SSH_FAILED = 255  # the client's own exit status; others are those of the remote command


class Fault(Enum):
    """Each value: what was found, what was expected, what to do next. {refresh} is a command."""

    refused = (
        "connection refused",
        "an SSH server that answers",
        "a machine that has just started needs a minute: try again",
    )
    timed_out = (
        "no answer",
        "an SSH server that answers",
        "if your own address has changed, {refresh}, then try again",
    )
    no_name = ("an address that cannot be resolved", "the machine's address", "check your own connection")
    host_key = (
        "another host key than the one on record, or none on record",
        "the machine that was started",
        "do not trust what answers at this address; end the machine and start another",
    )
    authentication = (
        "your key refused",
        "a machine that knows the key",
        "check machine.key_file, and that machine.user suits the image",
    )
    key_file = ("a private key that cannot be used", "a key file with mode 0400", "check machine.key_file")
    lost = ("the connection lost", "a connection until the end", "run the same command again: it goes on where it was")
    killed = (
        "the client killed",
        "a client that ends by itself",
        "run the same command again: it goes on where it was",
    )
    slow = ("no end in time", "an answer", "run the same command again: it goes on where it was")
    missing = ("no such program here", "OpenSSH's client and rsync", "install openssh-client and rsync")
    ended = (
        "that AWS has it no longer running",
        "a machine that runs",
        "{relaunch} goes on with its training elsewhere, {cost} prints its bill",
    )
    stopped = (
        "that AWS has it stopped",
        "a machine that runs",
        "{up} starts it again; until it is terminated its disk costs",
    )
    unknown = ("a failure of the client", "a connection", "read what it says")

    @property
    def passes(self) -> bool:
        """Whether another try soon may do better."""
        return self in (Fault.refused, Fault.timed_out, Fault.lost)


_SIGNS = (  # the first that matches; texts of OpenSSH's client, and of rsync, which speaks after it
    (Fault.host_key, r"HOST IDENTIFICATION HAS CHANGED|Host key verification failed|No \S+ host key is known"),
    (Fault.key_file, r"UNPROTECTED PRIVATE KEY|Load key|Identity file .* not accessible"),
    (Fault.authentication, r"Permission denied \(|Too many authentication failures"),
    (Fault.refused, r"Connection refused"),
    (Fault.timed_out, r"timed out|No route to host|Network is unreachable|Host is down"),
    (Fault.no_name, r"Could not resolve hostname"),
    (
        Fault.lost,
        r"Connection (to \S+ )?closed|[Cc]onnection reset|Broken pipe|kex_exchange|Timeout, server|unexpectedly",
    ),
)


_RSYNC_ECHOES = (  # what rsync adds to the words that tell
    "rsync error:",
    "rsync: connection unexpectedly",
    "(see the rsync man",
)


def classify(status: int, said: str) -> Fault:
    """What the client's exit status and its words on standard error mean."""
    if status < 0:
        return Fault.killed
    if status == SSH_FAILED and not said.strip():  # a connection that is cut after its session began may end so
        return Fault.lost
    return next((fault for fault, sign in _SIGNS if re.search(sign, said)), Fault.unknown)


@dataclass(frozen=True)
class Place:
    """A machine and what was being done with it, as the user would say it."""

    machine: Machine
    doing: str
    options: str = ""  # that lead a command to the machine; empty: its name

    def __str__(self) -> str:
        return f"{self.machine.name} ({self.machine.instance_id}, {self.machine.region}), {self.doing}"

    def command(self, name: str) -> str:
        """A command about this machine, to be typed as it stands."""
        return f"python -m nmt.launch {name} {self.options or f'launch.name={self.machine.name}'}"

    @property
    def still_runs(self) -> str:
        """The end of every sentence about a machine that may still cost."""
        return f"the machine may still run and cost: {self.command('terminate')} ends it"


class UnreachableError(LaunchError):
    """The machine could not be reached, or was lost; it may still run and cost."""

    def __init__(self, place: Place, fault: Fault, said: str = "") -> None:
        self.fault = fault
        found, expected, step = fault.value
        last = last_line(said)
        off = fault in (Fault.ended, Fault.stopped)
        self.ended = place.machine.instance_id if off else ""  # the machine that does not run
        commands = {name: place.command(name) for name in ("relaunch", "cost", "up")}
        step = step.format(refresh=place.command("refresh-access"), **commands)
        super().__init__(
            str(place),
            found=f"{found} ({last})" if last else found,
            expected=expected,
            next_step=step if off else f"{step}; {place.still_runs}",
        )


class RemoteCommandError(LaunchError):
    """The machine was reached, and what was asked of it failed there."""

    def __init__(self, place: Place, status: int, said: str, step: str = "mend that") -> None:
        self.status, self.said = status, said
        last = last_line(said) or "no message"
        super().__init__(
            str(place),
            found=f"exit status {status} ({last})",
            expected="exit status 0",
            next_step=f"{step} and run the same command again; {place.still_runs}",
        )


def last_line(said: str) -> str:
    """The last words of a program that are not its banner, short enough for a sentence."""
    lines = [line.strip().rstrip(".") for line in said.splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith(_RSYNC_ECHOES)] or lines
    return told[-1][:200] if told else ""


def remote_line(words: Sequence[str]) -> str:
    """What the remote shell is given: each word quoted, so that it stays one word and nothing more."""
    return shlex.join(words)
