"""`run`: from a machine that answers to a training on it that outlives the connection."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nmt.config.launch import MachineConfig
from nmt.config.remote import RemoteConfig
from nmt.errors import LaunchError
from nmt.launch import clock
from nmt.launch.assignment import Assignment, assigned
from nmt.launch.machine import Machine
from nmt.launch.ssh import Ssh
from nmt.launch.ssh_faults import Place, RemoteCommandError
from nmt.launch.upload import TrainingPlan, plan_training, remember, upload_items, upload_project

# `uv sync` with these words, as the README says it for each lane.
LANES = {"tf221": [], "tf214": ["--no-default-groups", "--group", "tf214"]}
CUDA = {"tf221": ["--extra", "gpu"], "tf214": ["--extra", "k80"]}
MAKE_FOLDERS = 'mkdir -p -- "$@" && cd -- "$1" && pwd -P'
AGENT_REFUSED = 3
TAIL_LINES = 20
Say = Callable[[str], None]


def limit_s(machine: Machine, max_hours: float, max_usd: float | None) -> float:
    """After how many seconds the machine powers off whatever happens.

    Raises LaunchError where the limit in dollars cannot be kept, because nobody knows the price.
    """
    if max_usd is None:
        return max_hours * 3600
    if not machine.usd_per_hour:
        raise LaunchError(
            "launch.max_usd",
            found=f"{max_usd} US dollars, and no price an hour on record",
            expected="a price, to turn them into hours",
            next_step=f"set launch.max_hours instead; {Place(machine, '').still_runs}",
        )
    return min(max_hours, max_usd / machine.usd_per_hour) * 3600


def run(
    ssh: Ssh,
    limit_s: float,
    words: Sequence[str],
    records: Path,
    say: Say,
    begin: Callable[[str], dict[str, Any]] = lambda run: {},
    python: str = MachineConfig.python,
    bring_home: Callable[[Assignment], None] = lambda earlier: None,
) -> dict[str, Any]:
    """Upload, install, start; -> the status of the training. Twice the same is once: what runs is left to run.

    `begin` is called just before the start with the name of the run's folder, and gives what else the agent is told;
    `bring_home` with what this machine was given before, of which nothing on record speaks from then on.
    Raises ConfigError for a mistaken training command, LaunchError for what the machine refuses.
    """
    machine, config, begun = ssh.machine, ssh.config, clock.now()
    plan = plan_training(words, machine.name)
    say(f"{machine.name} ({machine.instance_id}): connecting")
    folder = make_folders(ssh, plan)
    agent = Agent(ssh, folder)
    status, earlier = agent.status_or_idle(), _earlier(records, machine.name)
    if status["state"] == "running":
        say("a training runs already; nothing was changed")
        return {"started": False, **status}
    refuse_another_run(ssh, plan, status.get("digests", {}).get(plan.run), earlier)
    say(f"upload to {folder}")
    upload_project(ssh, folder, records / machine.name)
    upload_items(ssh, folder, plan.items)
    say(f"uv sync {' '.join(sync_words(machine, config, python))}")
    agent.install(sync_words(machine, config, python))
    if earlier is not None and earlier.machine == machine.instance_id and earlier.folder != str(plan.folder):
        bring_home(earlier)
    remember(plan)
    assignment = Assignment(list(words), plan.run, str(plan.folder), folder, machine.instance_id)
    assignment.save(records, machine.name)
    left_s = limit_s - (clock.now() - begun)  # upload and installation have taken their time
    spec = {**specification(machine, config, plan, left_s), **begin(plan.run)}
    return agent.ask("start", "start of training", given=json.dumps(spec))


def _earlier(records: Path, name: str) -> Assignment | None:
    try:
        return assigned(records, name)
    except LaunchError:  # broken: `run` writes it anew, as its sentence says
        return None


def refuse_another_run(ssh: Ssh, plan: TrainingPlan, kept: str | None, earlier: Assignment | None) -> None:
    """Raises LaunchError where another run would be taken for this one: `kept` is the digest of what trained in the
    folder on the machine; None: nothing, or before digests were kept.
    """
    if plan.resumes or kept == plan.digest:
        return
    if kept is not None:
        raise _folder_taken(ssh, f"runs/{plan.run} there, which other words or another folder began")
    its_own = earlier is not None and earlier.is_of(ssh.machine) and earlier.folder == str(plan.folder)
    if its_own or not any((plan.folder / "checkpoints").glob("*.h5")):
        return
    raise _folder_taken(ssh, f"a run in {plan.folder} that {ssh.machine.instance_id} was not given")


def _folder_taken(ssh: Ssh, found: str) -> LaunchError:
    place = ssh.place("start of training")
    return LaunchError(
        str(place), found=found, expected="a folder for a new run",
        next_step=f"resume=FOLDER goes on with the one that came home to it, another hydra.run.dir=FOLDER begins anew; "
        f"{place.still_runs}",
    )  # fmt: skip


def sync_words(machine: Machine, config: RemoteConfig, python: str) -> list[str]:
    """What `uv sync` is given on this machine."""
    cuda = CUDA[machine.lane] if config.cuda else []
    return [*LANES[machine.lane], "-p", python, *cuda, *(["--offline"] if config.offline else [])]


def make_folders(ssh: Ssh, plan: TrainingPlan) -> str:
    """-> the launcher's folder on the machine, absolute. A folder that is there stays as it is."""
    base = ssh.config.folder
    inside = ["project", "job", f"runs/{plan.run}", *(item.target for item in plan.items)]
    words = ["sh", "-c", MAKE_FOLDERS, "sh", base, *(f"{base}/{name}" for name in inside)]
    return ssh.run(words, "making folders").out.strip().splitlines()[-1]


def specification(machine: Machine, config: RemoteConfig, plan: TrainingPlan, limit_s: float) -> dict[str, Any]:
    """What the agent is told. Paths are relative to the project, so that a run can go on on any machine."""
    run = f"../runs/{plan.run}"
    priced = machine.usd_per_hour and not any(word.startswith("train.usd_per_hour=") for word in plan.words)
    price = [f"train.usd_per_hour={machine.usd_per_hour}"] if priced else []
    words = [*price, *plan.words]
    python = [".venv/bin/python", "-u", "train.py"]
    resume = [*python, f"resume={run}", *(words if plan.resumes else price)]
    return {
        "job": plan.run,
        "digest": plan.digest,
        "run": f"runs/{plan.run}",
        "command": resume if plan.resumes else [*python, *words, f"hydra.run.dir={run}"],
        "resume_command": resume,
        "limit_s": limit_s,
        "power_off": config.power_off,
        "save_before_s": config.save_before_s,
        "linger_s": config.linger_s,
        "metadata": config.metadata,
        "poll_s": config.poll_s,
        "stop_on_rebalance": config.stop_on_rebalance,
        "uploads": {},  # path in the run's folder -> where it may be put when training has ended
        "limits": {},  # by which `limit_s` came about, for those who ask later
    }


@dataclass(frozen=True)
class Agent:
    """The program of ours on the machine, in the launcher's folder there."""

    ssh: Ssh
    folder: str

    def words(self, verb: str, *more: str) -> list[str]:
        """Its command line."""
        path = f"PYTHONPATH={self.folder}/project"
        return ["env", path, "PYTHONDONTWRITEBYTECODE=1", "python3", "-m", "nmt.launch.agent", verb, self.folder, *more]

    def ask(self, verb: str, doing: str, given: str = "") -> dict[str, Any]:
        """Its answer. Raises LaunchError with what it refuses, or where it cannot be reached."""
        answer = self.ssh.run(self.words(verb), doing, given, accept=(0, AGENT_REFUSED))
        place = self.ssh.place(doing)
        try:
            content = json.loads(answer.out.strip().splitlines()[-1])
        except (ValueError, IndexError) as error:
            raise RemoteCommandError(place, answer.status, answer.err or answer.out) from error
        if "error" in content:
            found, expected, step = content["error"]
            step = f"{step}; {place.still_runs}"
            raise LaunchError(str(place), found=found, expected=expected, next_step=step)
        return dict(content)

    def status(self) -> dict[str, Any]:
        """What the training does now. Raises LaunchError."""
        return self.ask("status", "asking for the status")

    def status_or_idle(self) -> dict[str, Any]:
        """The same; idle where nothing of ours is there yet. Raises UnreachableError."""
        try:
            return self.status()
        except RemoteCommandError:
            return {"state": "idle"}

    def install(self, words: Sequence[str]) -> None:
        """`uv sync WORDS` there. Where it fails, the end of what it said goes to our standard error."""
        try:
            self.ssh.run(self.words("install", *words), "installation")
        except RemoteCommandError as failure:
            print("\n".join(failure.said.splitlines()[-TAIL_LINES:]), file=sys.stderr)
            raise
