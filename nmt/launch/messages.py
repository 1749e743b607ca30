"""How the launcher speaks: what it says, what it asks, and which machine it must not keep quiet about."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from nmt.config.launch import Launch, LaunchConfig, MachineConfig
from nmt.errors import LaunchError, reason_of
from nmt.plumbing.locks import Lock

GREEN, RED, YELLOW, PLAIN = "\x1b[32m", "\x1b[31m", "\x1b[33m", "\x1b[0m"


def say(text: str) -> None:
    """At once, also where the output is a file or a pipe."""
    print(text, flush=True)


def agreed(question: str, flags: frozenset[str]) -> bool:
    """Whether the user says yes; `--yes` says it beforehand, and silence is a no."""
    if "--yes" in flags:
        return True
    try:
        answer = input(f"{question} [y/N] ")
    except EOFError:
        answer = ""
        print()
    if answer.strip().lower() in ("y", "yes"):
        return True
    say("nothing was done" + ("" if sys.stdin.isatty() else "; --yes answers beforehand"))
    return False


def options(config: Launch) -> str:
    """What leads a command to this machine, as it is typed: its name, and what is not the default."""
    defaults = LaunchConfig()
    keys = ("name", "region", "folder", "profile", "endpoint_url")
    words = [
        f"launch.{key}={getattr(config.launch, key)}"
        for key in keys
        if key == "name" or getattr(config.launch, key) != getattr(defaults, key)
    ]
    return shlex.join(words)


def command(name: str, config: Launch) -> str:
    """A command about this machine, to be typed as it stands; options that are not the default are in it."""
    machine = f"machine={config.machine.name} " if name == "up" and config.machine.name != MachineConfig().name else ""
    return f"python -m nmt.launch {name} {machine}{options(config)}"


@contextlib.contextmanager
def told(config: Launch, instance_ids: Sequence[str], region: str) -> Iterator[None]:
    """Whatever breaks in here, a keystroke included, the user is told which machines cost money and what ends them."""
    try:
        yield
    except BaseException as error:
        end = command("terminate", config)
        for instance_id in instance_ids:
            own = instance_id in str(error) and "may still run and cost" in str(error)  # its sentence says so itself
            if own or getattr(error, "ended", None) == instance_id:  # of life.EndedError, ssh_faults.UnreachableError
                continue
            print(f"{instance_id} in {region} may still run and cost: {end} ends it.", file=sys.stderr, flush=True)
        raise


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One command at a time changes a machine. Raises LaunchError where another one is at work."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = Lock(folder / ".lock", mode=0o600)
    except BlockingIOError as error:
        raise LaunchError(
            str(folder), found="another command at work on this machine", expected="one at a time",
            next_step="wait for it to end, or choose another launch.name",
        ) from error  # fmt: skip
    except OSError as error:
        raise LaunchError(
            str(folder), found=reason_of(error), expected="a folder that can be written",
            next_step="choose another one with launch.folder=FOLDER",
        ) from error  # fmt: skip
    with lock:
        yield


def usd(amount: float | None) -> str:
    """An amount as people write it; small ones keep their figures."""
    if amount is None:
        return "unknown"
    return f"${amount:.2f}" if amount >= 1 else f"${amount:.4f}".rstrip("0").ljust(5, "0")


def coloured(text: str, colour: str) -> str:
    """In colour where a person looks."""
    return f"{colour}{text}{PLAIN}" if sys.stdout.isatty() and "NO_COLOR" not in os.environ else text
