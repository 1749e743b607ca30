"""What is known of a rented machine, kept in a folder of its own so that every command finds it again."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from nmt.errors import LaunchError, reason_of
from nmt.plumbing.files import write_text
from nmt.plumbing.records import parsed, record_of

FILE = "machine.json"


@dataclass(frozen=True)
class Machine:
    """A machine that runs, or is about to. It names files with keys and holds none."""

    name: str
    region: str
    instance_id: str
    address: str
    port: int
    user: str
    key_file: Path  # private key, mode 0400
    known_hosts: Path  # the machine's own key, learnt from its console
    lane: str
    usd_per_hour: float | None  # None: the price was not known
    spot: bool


def save_machine(folder: Path, machine: Machine) -> None:
    """Write `folder`/NAME/machine.json, whole or not at all, readable to its owner alone. Raises LaunchError."""
    values = {key: str(value) if isinstance(value, Path) else value for key, value in asdict(machine).items()}
    write_private(folder / machine.name / FILE, json.dumps(values, indent=2) + "\n")


def load_machine(folder: Path, name: str) -> Machine:
    """The machine that `save_machine` wrote. Raises LaunchError where there is none, or the file is broken."""
    path = folder / name / FILE
    try:
        return record_of(Machine, parsed(path.read_bytes()))
    except FileNotFoundError as error:
        known = ", ".join(machine.name for machine in list_machines(folder))
        raise LaunchError(
            f"launch.name={name}",
            found=f"no machine of this name in {folder}",
            expected=f"one of {known}" if known else "a machine that was started from here",
            next_step="name one of them" if known else "start one with `python -m nmt.launch up`",
        ) from error
    except OSError as error:
        raise LaunchError(
            str(path), found=reason_of(error), expected="a file that can be read",
            next_step="correct its permissions",
        ) from error  # fmt: skip
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise _broken(path, "text that is not JSON") from error
    except ValueError as error:
        raise _broken(path, str(error)) from error


def list_machines(folder: Path) -> list[Machine]:
    """Every machine in `folder`, by name. Raises LaunchError where a file is broken."""
    return [load_machine(folder, path.parent.name) for path in sorted(folder.glob(f"*/{FILE}"))]


def forget_machine(folder: Path, name: str) -> None:
    """Remove the record of a machine that is gone; what was fetched from it stays."""
    with contextlib.suppress(FileNotFoundError):
        (folder / name / FILE).unlink()


def write_private(path: Path, text: str, mode: int = 0o600) -> None:
    """A file of `mode`, whole or not at all, that never was readable to others. Raises LaunchError."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_text(path, text, sync=True, mode=mode)
    except OSError as error:
        raise LaunchError(
            str(path), found=reason_of(error), expected="a folder that can be written",
            next_step="choose another one with launch.folder=FOLDER",
        ) from error  # fmt: skip


def _broken(path: Path, found: str) -> LaunchError:
    return LaunchError(
        str(path),
        found=found,
        expected="the record of a machine as it was written",
        next_step="`python -m nmt.launch sweep-orphans` finds the machine itself; then remove the file",
    )
