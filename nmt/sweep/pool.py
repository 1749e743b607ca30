"""Where trials run: the places of this machine, each a GPU or a share of the cores."""

from __future__ import annotations

import json
import logging
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from hydra.core.override_parser.types import Quote, QuotedString

from nmt.config.launch_line import read_launch
from nmt.config.root import Config
from nmt.config.sweep import SweepConfig
from nmt.config.train import Device
from nmt.errors import ConfigError
from nmt.sweep.trials import Trial, key_of

log = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parents[2]
CHILD = Path(__file__).with_name("child.py")
CONSOLE = "console.log"  # in a run folder: what its process wrote to the terminal
RENT = "nmt.app.rent"
THREADS, PRICE = "train.threads", "train.usd_per_hour"
CORES_A_TRIAL = 2  # where nothing is said: one core is slow, and small models gain little from more


class Running(Protocol):
    """A trial under way."""

    @property
    def where(self) -> str:
        """The place, by name."""

    def poll(self) -> int | None:
        """The exit status, once it has ended."""

    def stop(self) -> None:
        """Ask it to save and leave; asking again changes nothing."""

    def kill(self) -> None:
        """End it now."""

    def usd(self, seconds: float) -> float | None:
        """What it has cost, after `seconds`, where a price is known."""


class Pool(Protocol):
    """Runs as many trials at once as it has places."""

    @property
    def size(self) -> int:
        """How many places."""

    def start(self, trial: Trial) -> Running:
        """Only while a place is free."""

    def free(self, running: Running) -> None:
        """Its place may be taken again."""

    def usd(self, seconds: float) -> float | None:
        """What a trial of `seconds` would cost, where a price is known."""


@dataclass(frozen=True)
class Place:
    """`environment` and `overrides` are what a trial gets that runs there."""

    name: str
    environment: Mapping[str, str]
    overrides: tuple[str, ...] = ()


@dataclass
class LocalTrial:
    """A process. It leads a session of its own, so that Ctrl-C reaches the launcher alone, which then asks once."""

    place: Place
    process: subprocess.Popen[bytes]
    usd_per_hour: float | None
    left: str = ""  # what is left behind when it is killed
    asked: bool = False

    @property
    def where(self) -> str:
        return self.place.name

    def poll(self) -> int | None:
        return self.process.poll()

    def stop(self) -> None:
        if not self.asked:
            self.asked = True
            self.process.terminate()

    def kill(self) -> None:
        self.process.kill()
        if self.left:
            log.warning("%s", self.left)

    def usd(self, seconds: float) -> float | None:
        return None if self.usd_per_hour is None else seconds * self.usd_per_hour / 3600


def train_program() -> list[str]:
    """The first words for Python: train.py where this is the repository, the command of the package elsewhere."""
    script = ROOT / "train.py"
    return [str(script)] if script.exists() else ["-m", "nmt", "train"]


@dataclass
class LocalPool:
    """One process at each of `places`; the machine costs `usd_per_hour`, which they share."""

    places: Sequence[Place]
    usd_per_hour: float | None = None
    program: Callable[[Trial], list[str]] = lambda trial: train_program()
    left: Callable[[Trial], str] = lambda trial: ""
    taken: set[str] = field(default_factory=set)

    @property
    def size(self) -> int:
        return len(self.places)

    def start(self, trial: Trial) -> LocalTrial:
        place = next(place for place in self.places if place.name not in self.taken)
        self.taken.add(place.name)
        trial.folder.mkdir(parents=True, exist_ok=True)
        share = None if self.usd_per_hour is None else self.usd_per_hour / self.size
        named = {key_of(override) for override in trial.overrides}
        own = [word for word in place.overrides if key_of(word) not in named]
        own += [] if share is None else [f"{PRICE}={share!r}"]
        folder = QuotedString(str(trial.folder), Quote.single).with_quotes()
        words = [
            f"resume={folder}",
            f"hydra.run.dir={folder}",
            *trial.flags,
            *(word for word in trial.overrides if share is None or key_of(word) != PRICE),
            *own,
        ]
        program = json.dumps(self.program(trial))
        launcher = [sys.executable, "-I", "-S", str(CHILD), str(os.getpid()), str(trial.folder), program]
        with (trial.folder / CONSOLE).open("ab") as console:
            process = subprocess.Popen(
                [*launcher, *words],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                env={**os.environ, **place.environment},
                start_new_session=True,
            )
        return LocalTrial(place, process, share, self.left(trial))

    def free(self, running: Running) -> None:
        self.taken.discard(running.where)

    def usd(self, seconds: float) -> float | None:
        return None if self.usd_per_hour is None else seconds * self.usd_per_hour / self.size / 3600


def local_pool(options: SweepConfig, config: Config) -> LocalPool:
    """The places of this machine. Raises ConfigError for more trials at once than GPUs or cores."""
    return LocalPool(places(options.jobs, config.train.device), config.train.usd_per_hour)


def rented_pool(options: SweepConfig, config: Config) -> LocalPool:
    """A process here for each rented machine, which it starts, follows and ends. Raises ConfigError for mistaken
    words of `sweep.rent`."""
    words = shlex.split(options.rent)
    read_launch(words)
    environment = importable()

    def program(trial: Trial) -> list[str]:
        return ["-P", "-m", RENT, str(trial.folder), f"sweep-{trial.ident}", *words, "--"]

    def left(trial: Trial) -> str:
        name = f"launch.name=sweep-{trial.ident}"
        return f"a machine may go on: python -m nmt.launch terminate {shlex.join([name, *words])} ends it"

    machines = [Place(f"machine {number}", environment) for number in range(options.max_machines)]
    return LocalPool(machines, None, program, left)


def places(jobs: int | None, device: Device, option: str = "sweep.jobs") -> list[Place]:
    """One for each GPU, in turn, or `jobs` shares of the cores where there is no GPU or it is not asked for.

    Raises ConfigError for more trials at once than GPUs or cores.
    """
    gpus = [] if device is Device.cpu else visible_gpus()
    most = len(gpus) or len(os.sched_getaffinity(0))
    if jobs is not None and jobs > most:
        raise ConfigError(
            option,
            found=jobs,
            expected=f"at most {most}, the number of {'GPUs' if gpus else 'cores'}",
            next_step="two trials on one would each be slower, and run out of memory sooner",
        )
    if gpus:
        return [Place(f"gpu {gpu}", {"CUDA_VISIBLE_DEVICES": gpu}) for gpu in gpus[:jobs]]
    count = jobs or max(1, most // CORES_A_TRIAL)
    threads = str(most // count)
    own = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads)
    return [Place(f"cpu {number}", own, (f"{THREADS}={threads}",)) for number in range(count)]


def importable() -> dict[str, str]:
    """The environment in which `python -m nmt...` is this nmt, in whatever folder it is started."""
    return {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])}


def visible_gpus() -> list[str]:
    """Names for CUDA_VISIBLE_DEVICES: those that it holds, or all that the driver tells of."""
    said = os.environ.get("CUDA_VISIBLE_DEVICES")
    if said is not None:
        return [name for name in (part.strip() for part in said.split(",")) if name and name != "-1"]
    try:
        listed = subprocess.run(
            ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"], capture_output=True, text=True, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return listed.stdout.split() if listed.returncode == 0 else []
