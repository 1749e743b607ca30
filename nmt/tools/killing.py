"""Starts a training run and kills it, without warning, where it was aimed at."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from nmt.errors import TrainingError
from nmt.plumbing.files import TEMPORARY

TRAIN = Path(__file__).resolve().parents[2] / "train.py"
LONGEST_S = 600.0  # that a run which is to be killed may say nothing
START_S, DELAY_S = 4.0, 0.3  # longest delays after the start of the program, and after an event of the log
LOOK_S, LOOK_CLOSELY_S = 0.005, 0.0002


@dataclass(frozen=True)
class Aim:
    """When to kill. start: `delay_s` after the program was started. step: `delay_s` after the log has reached `step`.
    save: in the first save after that, as soon as its temporary file is seen. average: as soon as an average of
    checkpoints is seen, after the last step."""

    kind: str
    step: int
    delay_s: float

    def __str__(self) -> str:
        if self.kind == "average":
            return "an average of checkpoints"
        if self.kind == "save":
            return f"a save after step {self.step}"
        return f"{self.delay_s:.3f} s after " + ("the start" if self.kind == "start" else f"step {self.step}")


@dataclass(frozen=True)
class Killed:
    """What a kill left: the last step of the log, and temporary files, which only a save under way has."""

    step: int
    left_over: tuple[str, ...]


def aims(kills: int, steps: int, seed: int, averages: bool) -> list[Aim]:
    """Spread over the steps of a run: the first before any checkpoint, then every third one inside a save.

    The last one, of a run that averages checkpoints at its end, while it does.
    """
    dice = random.Random(seed)
    found = []
    for number in range(kills):
        step = dice.randrange(steps * number // kills, max(steps * number // kills + 1, steps * (number + 1) // kills))
        kind = "start" if number == 0 and kills > 1 else "save" if number % 3 == 1 else "step"
        found.append(Aim(kind, step, dice.uniform(0, START_S if kind == "start" else DELAY_S)))
    return [*found[:-1], Aim("average", 0, 0.0)] if averages and kills > 1 else found


def run_train(words: list[str], output: Path, environment: dict[str, str]) -> int:
    """train.py to its end; -> exit status."""
    with start(words, output, environment) as program:
        return program.wait()


def start(words: list[str], output: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """train.py; what it says is added to the file `output`."""
    with open(output, "ab") as file:
        return subprocess.Popen([sys.executable, str(TRAIN), *words], stdout=file, stderr=file, env=environment)


def kill_at(aim: Aim, folder: Path, words: list[str], output: Path, environment: dict[str, str]) -> Killed:
    """Start train.py, which works in `folder`, and kill it. Raises TrainingError where it ended before."""
    log, saves = folder / "metrics.jsonl", folder / "checkpoints"
    before = _file_number(log)
    with start(words, output, environment) as program:
        patience = _Patience(program, output, log)
        try:
            if aim.kind != "start":
                while (
                    _file_number(log) in (None, before) or last_step(log) < aim.step
                ):  # a resumed run replaces its log
                    patience.go_on()
                    time.sleep(LOOK_S)
            if aim.kind in ("save", "average"):
                while not left_overs(saves, "average" if aim.kind == "average" else ""):
                    patience.go_on()
                    time.sleep(LOOK_CLOSELY_S)
            else:
                time.sleep(aim.delay_s)
        finally:
            program.kill()
    return Killed(last_step(log), tuple(left_overs(saves)))


def last_step(log: Path) -> int:
    """The step of the last whole line of a metrics.jsonl; 0 where there is none."""
    try:
        lines = log.read_bytes().rpartition(b"\n")[0].splitlines()
    except FileNotFoundError:
        return 0
    return int(json.loads(lines[-1])["step"]) if lines else 0


def left_overs(folder: Path, begin: str = "") -> list[str]:
    """Names of temporary files, of those that begin so."""
    return sorted(path.name for path in folder.glob(f"{begin}*{TEMPORARY}")) if folder.is_dir() else []


def _file_number(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


class _Patience:
    """Waits for a run as long as it goes on and has something to say; the machine may be slow."""

    def __init__(self, program: subprocess.Popen[bytes], output: Path, log: Path) -> None:
        self._program, self._files = program, (output, log)
        self._heard, self._since = -1, 0.0

    def go_on(self) -> None:
        """Raises TrainingError where it has ended, or is silent for too long."""
        status, told = self._program.poll(), sum(path.stat().st_size for path in self._files if path.exists())
        if told != self._heard:
            self._heard, self._since = told, time.monotonic()
        if status is None and time.monotonic() - self._since < LONGEST_S:
            return
        output = self._files[0]
        lines = output.read_text(encoding="utf-8", errors="replace").splitlines() or ["nothing"]
        what = f"exit status {status} before the kill" if status is not None else f"no word for {LONGEST_S:g} s"
        raise TrainingError(
            "verify_resume",
            found=f"{what}, after saying: {lines[-1]}",
            expected="a run that is still going on",
            next_step=f"read {output}, or ask for fewer kills",
        )
