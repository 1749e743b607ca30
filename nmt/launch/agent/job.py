"""The files of the job on the machine, and whether its processes live."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class AgentError(Exception):
    """found, expected, next step: the launcher adds the place and tells the user."""


class Job:
    """The files of one machine's job."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.project = folder, folder / "project"
        self.own = folder / "job"
        self.output = self.own / "train.out"
        self.socket = "nmt-" + hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:10]  # of tmux

    def read(self, name: str) -> dict[str, Any]:
        try:
            content = json.loads((self.own / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def write(self, name: str, content: dict[str, Any]) -> None:
        """Whole or not at all, and for nobody else to read."""
        beside = self.own / f".{name}.{os.getpid()}"
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(content, file)
        beside.replace(self.own / name)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        with open(self.own / "lock", "a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def birth(pid: int) -> str:
    """When the process of this number began, in ticks since boot; "" where there is none. Numbers are used again."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def alive(process: list[Any]) -> bool:
    """Whether [number, birth], as `status.json` keeps them, still runs."""
    return len(process) == 2 and birth(int(process[0])) == process[1] != ""


def is_running(status: dict[str, Any]) -> bool:
    return alive(status.get("supervisor", [])) or alive(status.get("trainer", []))


def call(words: list[str], cwd: Path | None = None) -> tuple[int, str]:
    """-> exit status, and the last line that was said."""
    try:
        done = subprocess.run(words, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    except OSError as error:
        return 127, f"{words[0]}: {error.strerror}"
    lines = done.stdout.decode("utf-8", "replace").strip().splitlines()
    return done.returncode, lines[-1] if lines else "no message"
