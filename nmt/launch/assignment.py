"""What a machine was given to do, kept on this side beside the machine's own record."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from nmt.config.launch import Launch, LaunchConfig
from nmt.errors import LaunchError
from nmt.launch.machine import Machine, write_private
from nmt.launch.messages import command
from nmt.plumbing.records import parsed, record_of

FILE = "job.json"


@dataclass(frozen=True)
class Assignment:
    """The training command as the user gave it, and where its run lies on both sides."""

    words: list[str]
    run: str  # name of the folder on the machine
    folder: str  # where it comes home to
    remote: str  # the launcher's folder on the machine, absolute
    machine: str = ""  # id of the one it was given to; empty: written before this was kept

    def save(self, folder: Path, name: str) -> None:
        """As `folder`/NAME/job.json, beside the machine's record. Raises LaunchError."""
        write_private(folder / name / FILE, json.dumps(asdict(self), indent=2) + "\n")

    def is_of(self, machine: Machine) -> bool:
        return self.machine in ("", machine.instance_id)


def assigned(folder: Path, name: str) -> Assignment | None:
    """What the machine that had this name last was given; None: nothing. Raises LaunchError for a broken file."""
    try:
        return record_of(Assignment, parsed((folder / name / FILE).read_bytes()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _nothing(folder, name, f"a broken {FILE}") from error


def load_assignment(folder: Path, name: str, machine: Machine | None = None) -> Assignment:
    """What the machine was given; without one: what whichever had this name last was given. Raises LaunchError where
    that is nothing: what an earlier machine was given says nothing of what this one does.
    """
    last = assigned(folder, name)
    if last is None:
        raise _nothing(folder, name, "no training yet")
    if machine is not None and not last.is_of(machine):
        found = f"none on {machine.instance_id}; the one in {last.folder} was on {last.machine}"
        raise _nothing(folder, name, found, f", resume={last.folder} goes on with that one")
    return last


def _nothing(folder: Path, name: str, found: str, more: str = "") -> LaunchError:
    run = command("run", Launch(launch=LaunchConfig(name=name, folder=str(folder))))
    return LaunchError(
        f"launch.name={name}", found=found, expected="a training that was started from here",
        next_step=f"start one with {run} -- OVERRIDES{more}",
    )  # fmt: skip
