"""What a machine was given to do, kept on this side beside the machine's own record."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from nmt.errors import LaunchError
from nmt.launch.machine import write_private
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


def load_assignment(folder: Path, name: str) -> Assignment:
    """Raises LaunchError where the machine was given nothing."""
    try:
        return record_of(Assignment, parsed((folder / name / FILE).read_bytes()))
    except (OSError, ValueError) as error:
        raise LaunchError(
            f"launch.name={name}",
            found="no training yet" if isinstance(error, FileNotFoundError) else f"a broken {FILE}",
            expected="a training that was started from here",
            next_step=f"start one with python -m nmt.launch run launch.name={name} -- OVERRIDES",
        ) from error
