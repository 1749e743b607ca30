"""What `up` was told, kept beside the machine's record: what every later command starts from."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any

from nmt.config.launch import Launch
from nmt.config.launch_line import differences, read_launch
from nmt.errors import LaunchError
from nmt.launch.machine import FILE as RECORD
from nmt.launch.machine import write_private
from nmt.launch.messages import agreed, say
from nmt.launch.start import FILE as REQUEST
from nmt.plumbing.records import parsed, record_of

FILE = "terms.json"
LIMITS = ("launch.max_hours", "launch.max_usd")
# What a machine was started with, and cannot get without being started anew.
FIXED = tuple(
    f"launch.{key}" for key in ("region", "zones", "subnet", "disk_gb", "spot", "shutdown", "usd_per_hour", "tags")
)


class Start(Enum):
    """What the options of a command start from."""

    defaults = "the defaults: the command is about no machine, or about all"
    record = "what `up` was told; what is fixed or a limit stays so, and that is said"
    limits = "the same, but other limits are shown, asked for, and hold from then on"
    renewal = "the same, but all that is other is shown and asked for: another machine is started"


class OverError(Exception):
    """No machine on record is left, and what its `up` was told is over: the command is to be read anew."""


@dataclass(frozen=True)
class Terms:
    """`options` are those of `up` that were not the default, "launch.max_usd" -> 1.0."""

    account: str  # whose keys started the machine
    options: Mapping[str, Any]
    limits: Mapping[str, Any] = field(default_factory=dict)  # other ones, since a `run` since the last boot; both

    @property
    def told(self) -> dict[str, Any]:
        """What later commands start from."""
        return {**self.options, **self.limits}

    def save(self, folder: Path) -> None:
        """Raises LaunchError."""
        write_private(folder / FILE, json.dumps(asdict(self), indent=2) + "\n")


def load_terms(folder: Path) -> Terms | None:
    """None where nothing was started from here. Raises LaunchError for a broken file."""
    path = folder / FILE
    try:
        return record_of(Terms, parsed(path.read_bytes()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise LaunchError(
            str(path), found="nothing that can be read", expected="what `up` was told, as it was written",
            next_step="`python -m nmt.launch sweep-orphans` finds the machine itself; then remove the file",
        ) from error  # fmt: skip


def read_command(words: Sequence[str], known: Sequence[str], start: Start) -> tuple[Launch, frozenset[str]] | None:
    """The options and flags of a command, from where it starts; None after a no to what it changes.

    Raises ConfigError, LaunchError.
    """
    config, flags = read_launch(words, known)
    folder = Path(config.launch.folder) / config.launch.name
    at_work = start is Start.renewal or any((folder / name).exists() for name in (RECORD, REQUEST))
    terms = load_terms(folder) if start is not Start.defaults and at_work else None
    if terms is None:
        return config, flags
    before, _ = read_launch([], told=terms.told)
    config, _ = read_launch(words, known, terms.told)
    asked = {Start.record: (), Start.limits: LIMITS, Start.renewal: (*LIMITS, *FIXED, "machine")}[start]
    changed: list[str] = []
    for key, value, other in _differing(before, config):
        if key.startswith(tuple(asked)):
            changed.append(f"{key}: {_shown(other)}; `up` was told {_shown(value)}")
        elif key in (*LIMITS, *FIXED):
            say(f"{key} stays {_shown(value)}, as `up` was told, not {_shown(other)}")
            config = _with(config, key, value)
    if changed:
        say("\n".join(changed))
        if not agreed("Change that?", flags):
            return None
    return config, flags


def of_machine(config: Launch, name: str) -> Launch:
    """The options of another machine of the same folder, as its `up` was told them. Raises ConfigError, LaunchError."""
    terms = load_terms(Path(config.launch.folder) / name)
    if terms is None:
        return replace(config, launch=replace(config.launch, name=name))
    found, _ = read_launch([], told=terms.told)
    return replace(found, launch=replace(found.launch, name=name, folder=config.launch.folder))


def as_told(config: Launch) -> Launch:
    """The same with the limits on record: no machine's timer rings later. Others may be typed, and do not hold yet."""
    terms = load_terms(Path(config.launch.folder) / config.launch.name)
    return config if terms is None else _limited(config, terms.told)


def at_boot(config: Launch) -> Launch:
    """The same with the limits that `up` was told, by which the machine sets its timer at each boot."""
    terms = load_terms(Path(config.launch.folder) / config.launch.name)
    return config if terms is None else _limited(config, terms.options)


def _limited(config: Launch, told: Mapping[str, Any]) -> Launch:
    known, _ = read_launch([], told={key: value for key, value in told.items() if key in LIMITS})
    hours, usd = known.launch.max_hours, known.launch.max_usd
    return replace(config, launch=replace(config.launch, max_hours=hours, max_usd=usd))


def limits_of(config: Launch) -> dict[str, Any]:
    return {key: _value(config, key) for key in LIMITS}


def remember_limits(config: Launch) -> None:
    """A machine's timer is set by them, or is about to be. Raises LaunchError."""
    folder = Path(config.launch.folder) / config.launch.name
    terms = load_terms(folder)
    if terms is not None:
        replace(terms, limits=limits_of(config)).save(folder)


def forget_limits(folder: Path) -> None:
    """The machine boots again, and sets its timer by those of `up`. Raises LaunchError."""
    terms = load_terms(folder)
    if terms is not None:
        replace(terms, limits={}).save(folder)


def _differing(before: Launch, now: Launch) -> list[tuple[str, Any, Any]]:
    """(key, before, now) of all that is not the same."""
    old, new = differences(before), differences(now)
    keys = [key for key in dict.fromkeys((*old, *new)) if old.get(key, _DEFAULT) != new.get(key, _DEFAULT)]
    return [(key, _value(before, key), _value(now, key)) for key in keys]


_DEFAULT = object()


def _value(config: Launch, key: str) -> Any:
    group, _, name = key.partition(".")
    return getattr(getattr(config, group), name)


def _with(config: Launch, key: str, value: Any) -> Launch:
    return replace(config, launch=replace(config.launch, **{key.partition(".")[2]: value}))


def _shown(value: Any) -> str:
    if isinstance(value, Enum):
        return str(value.value)
    return "none" if value is None else shlex.quote(str(value)) if isinstance(value, str) else str(value)
