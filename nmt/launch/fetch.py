"""`fetch`: runs come home, once or again and again while they train.

rsync gives a file its name when all of it has arrived and its checksum agrees, so what lies here is whole whatever
happens to the connection. Checkpoints come before the log: a log may be longer than its checkpoint, never shorter.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nmt.config.metrics import FIGURES
from nmt.launch.assignment import Assignment
from nmt.launch.ssh import Ssh
from nmt.launch.training import Agent, Say

LOOK_S = 10.0  # between two looks at the machine: a spot machine gives two minutes
UNFINISHED = ("--exclude=*.tmp", "--exclude=.config.yaml.*")


def fetch(ssh: Ssh, assignment: Assignment) -> None:
    """Bring the run home. Raises LaunchError."""
    home, away = Path(assignment.folder), f"{assignment.remote}/runs/{assignment.run}"
    (home / "checkpoints").mkdir(parents=True, exist_ok=True)
    (home / "machine").mkdir(exist_ok=True)
    tree = ["--include=/checkpoints/***", "--exclude=*"]
    ssh.rsync([*UNFINISHED, *tree, "--", ssh.path(f"{away}/"), f"{home}/"], "fetching checkpoints")
    rest = ["--exclude=/checkpoints", "--exclude=/machine"]
    ssh.rsync([*UNFINISHED, *rest, "--", ssh.path(f"{away}/"), f"{home}/"], "fetching the run")
    logs = ["--include=/train.out", "--include=/status.json", "--exclude=*"]
    ssh.rsync([*logs, "--", ssh.path(f"{assignment.remote}/job/"), f"{home}/machine/"], "fetching the machine's log")


def follow(
    ssh: Ssh,
    assignment: Assignment,
    every_s: float,
    say: Say,
    after: Callable[[], None] = lambda: None,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """Fetch every `every_s` seconds until training has ended, and once more; -> its last status.

    `after` is called after each round. Raises LaunchError: UnreachableError where the machine is gone.
    """
    agent, due = Agent(ssh, assignment.remote), time.monotonic()
    while True:
        status = agent.status()
        over = status["state"] != "running"
        if over or time.monotonic() >= due:
            fetch(ssh, assignment)
            after()
            due = time.monotonic() + every_s
            say(f"{time.strftime('%H:%M:%S')} {describe(status)}; fetched to {assignment.folder}")
        if over:
            return status
        sleep(min(LOOK_S, max(0.0, due - time.monotonic()), every_s) or 0.1)


def describe(status: dict[str, Any]) -> str:
    """One line on what the training does."""
    last = status.get("last", {})
    words = ["lost: its processes are gone" if status["state"] == "lost" else status["state"]]
    if status["state"] == "ended":
        words = [f"ended: {status['reason']}, exit status {status['exit_status']}"]
    if "step" in last:
        words.append(f"step {last['step']}")
    shown = [figure.key for figure in FIGURES.values() if figure.brief and isinstance(last.get(figure.key), float)]
    words += [f"{key} {last[key]:.4g}" for key in shown]
    if status["state"] == "running":
        words.append(f"{max(0.0, status['deadline'] - status['now']) / 3600:.2f} h to the limit")
    if "gpu" in status:
        words.append(str(status["gpu"]))
    return ", ".join(words)
