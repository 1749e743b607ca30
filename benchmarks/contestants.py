"""Programs that are measured in turn: how each is started, and how one is spoken to (benchmarks/peers/turnstile.py)."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

from benchmarks import environments, flops, harness
from benchmarks.peers.turnstile import STARTED
from nmt.config.consistency import Consistency
from nmt.config.model import Attention, Cell

RUNS = harness.WORK / "runs"
LOGS = harness.WORK / "logs"
OURS = "ours"
ALIKE = ("train.label_smoothing=0", "train.clip_norm=0", "train.learning_rate=1e-3")  # as the peers train
ENDLESS = ("train.schedule=constant", "train.warmup_steps=0", "train.max_steps=1000000000")
DECODERS = {"plain": flops.Decoder.bahdanau, "conditional": flops.Decoder.conditional}
SILENT = ("train.validate_every=1000000000", "train.save_every=1000000000", "train.log_every=100")


class ProgramError(Exception):
    """A program ended before it answered; says where its last words are."""


@dataclass(frozen=True)
class Setting:
    """One row of the comparison."""

    name: str
    sizes: flops.Sizes
    recipe: str  # of ours
    sentences: int | None = None  # a step
    tokens: int | None = None


@dataclass(frozen=True)
class Start:
    """A program that can be measured."""

    name: str
    title: str
    command: Sequence[str]
    environment: Mapping[str, str]


def quiet_environment(threads: int, device: str) -> dict[str, str]:
    """The same for everyone: so many threads, no GPU unless asked for, no messages of TensorFlow."""
    counts = {"OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"}
    chosen = {name: str(threads) for name in counts} | {"TF_CPP_MIN_LOG_LEVEL": "3", "TOKENIZERS_PARALLELISM": "false"}
    return chosen if device == "gpu" else chosen | {"CUDA_VISIBLE_DEVICES": "-1"}


def batch_of(setting: Setting) -> list[str]:
    """How large our batches are in a setting; those of many tokens are not divided."""
    if setting.sentences:
        return [f"train.batch_sentences={setting.sentences}"]
    return ["train.batch_sentences=null", "train.micro_batch_gb=null", f"train.batch_tokens={setting.tokens}"]


def ours_to_train(
    setting: Setting, data: str, precision: str, threads: int, device: str, extra: Sequence[str] = ()
) -> Start:
    """Our training run, `--precision` given only where it is not float32, so that older versions are measured too."""
    kind = [f"train.precision={precision}"] if precision != "float32" else []
    where = [f"train.device={device}", f"train.threads={threads}"]
    overrides = [
        f"experiment={setting.recipe}",
        f"data.dir={data}",
        *batch_of(setting),
        *kind,
        *where,
        *ALIKE,
        *ENDLESS,
        *SILENT,
    ]
    command = [sys.executable, "-m", "benchmarks.ours", f"--folder={RUNS}", *overrides, *extra]
    return Start(f"{OURS}-{precision}", f"ours, {precision}", command, quiet_environment(threads, device))


def our_sizes(recipe: str, overrides: Sequence[str], source: float, target: float) -> flops.Sizes:
    """What our model really has under a recipe. `source`, `target`: the share of a batch's pieces that differ."""
    shown = subprocess.run(
        [sys.executable, "train.py", f"experiment={recipe}", *overrides, "--cfg", "job"],
        cwd=harness.ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return sizes_in(yaml.safe_load(shown.stdout), source, target)


def sizes_in(config: Mapping[str, Any], source: float, target: float) -> flops.Sizes:
    """Those of a configuration as it is written. Where single places of a word are dropped, each one is projected."""
    model, consistency = config["model"], Consistency(config["train"]["consistency"])
    names = ("embedding", "encoder_units", "units", "attention_units", "encoder_layers", "decoder_layers")
    each = bool(model["dropout_embedding"]) or consistency is Consistency.simcut
    return flops.Sizes(
        **{name: model[name] for name in names},
        readout=model["output_units"] or model["embedding"],
        vocabulary=config["subword"]["size"],
        decoder=DECODERS[model["decoder"]],
        attention=Attention(model["attention"]),
        gates=Cell(model["cell"]).gates,
        depth=model["transition_depth"],
        passes=consistency.passes,
        distinct_source=1.0 if each or model["dropout_source_words"] else source,
        distinct_target=1.0 if each or model["dropout_target_words"] else target,
    )


def peer_command(peer: environments.Peer, setting: Setting, pieces: Path, threads: int, work: Path) -> list[str]:
    """What starts a peer's program. Raises environments.NotInstalledError."""
    batch = f"--sentences={setting.sentences}" if setting.sentences else f"--tokens={setting.tokens}"
    widths = {name: size for name, size in dataclasses.asdict(setting.sizes).items() if isinstance(size, int)}
    work.mkdir(parents=True, exist_ok=True)
    return [
        str(environments.python_of(peer)),
        str(harness.HERE / "peers" / peer.program),
        f"--pieces={pieces}",
        f"--sizes={json.dumps(widths)}",
        batch,
        f"--threads={threads}",
        f"--work={work}",
    ]


def peer_to_train(
    peer: environments.Peer, setting: Setting, pieces: Path, threads: int, precision: str = "float32"
) -> Start:
    """Raises environments.NotInstalledError."""
    name = f"{peer.name}-{precision}"
    command = peer_command(peer, setting, pieces, threads, RUNS / f"{name}-{os.getpid()}")
    kind = ["--bfloat16"] if precision == "bfloat16" else []
    return Start(name, f"{peer.title}, {precision}", [*command, *kind], quiet_environment(threads, "cpu"))


@contextmanager
def fresh_runs() -> Iterator[None]:
    """What programs write while they are measured is not kept."""
    shutil.rmtree(RUNS, ignore_errors=True)
    RUNS.mkdir(parents=True)
    try:
        yield
    finally:
        shutil.rmtree(RUNS, ignore_errors=True)


class Contestant:
    """A program that waits for its turn. Between turns it is stopped (SIGSTOP), so that none of its threads runs."""

    def __init__(self, start: Start) -> None:
        self.start = start
        LOGS.mkdir(parents=True, exist_ok=True)
        self.log = LOGS / f"{start.name}.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [*start.command],
                cwd=harness.ROOT,
                env={**os.environ, **start.environment, STARTED: str(time.time())},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.ready = self._answer()
        self._pause()

    @property
    def pid(self) -> int:
        return self._process.pid

    def turn(self, settle: int, seconds: float, steps: int) -> dict[str, Any]:
        """Let it go on for a while; -> what it did. Raises ProgramError."""
        os.kill(self._process.pid, signal.SIGCONT)
        self._tell({"settle": settle, "seconds": seconds, "steps": steps})
        answer = self._answer()
        self._pause()
        return answer

    def __enter__(self) -> Contestant:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def _pause(self) -> None:
        os.kill(self._process.pid, signal.SIGSTOP)

    def _tell(self, message: Mapping[str, float]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.communicate()  # closes its ends
            status = self._process.returncode
            last = self.log.read_text(errors="replace").strip().splitlines()[-1:]
            told = f"{self.start.title}: ended with status {status} before it answered"
            raise ProgramError(f"{told} ({' '.join(last)[:200]}); see {self.log.relative_to(harness.ROOT)}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def take_turns(
    running: Sequence[Contestant], rounds: int, take: Callable[[Contestant], None]
) -> dict[str, ProgramError]:
    """Everyone's turn, round after round, another one first each time; -> by name who failed, and is asked no more."""
    failed: dict[str, ProgramError] = {}
    for number in range(rounds):
        left = [contestant for contestant in running if contestant.start.name not in failed]
        first = number % max(1, len(left))
        for contestant in [*left[first:], *left[:first]]:
            try:
                take(contestant)
            except ProgramError as reason:
                failed[contestant.start.name] = reason
    return failed
