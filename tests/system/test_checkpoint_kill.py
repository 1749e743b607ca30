"""A program that saves without end is killed at random moments: what it leaves is whole and goes on where it was."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from nmt.checkpoint.file import read_extras, read_parameters
from nmt.checkpoint.store import CheckpointStore

ROOT = Path(__file__).resolve().parents[2]
SIZE = 500_000

# Step after step from wherever the folder is; a number on standard output when a save has been begun.
PROGRAM = f"""
import sys
from pathlib import Path
import numpy as np
from nmt.checkpoint.file import read_extras
from nmt.checkpoint.store import CheckpointStore
store = CheckpointStore(Path(sys.argv[1]), keep=2)
step = read_extras(store.newest_valid())["step"] if store.last.exists() else 0
while True:
    step += 1
    store.save(step, {{"x": np.full({SIZE}, step, np.int32)}}, {{"state": str(step)}}, best=step % 3 == 0)
    print(step, flush=True)
"""


def killed(folder: Path, seconds: float, saves: int = 1) -> int:
    """Run the program for a while after so many saves have begun; -> the last step of which it spoke."""
    with subprocess.Popen([sys.executable, "-c", PROGRAM, str(folder)], cwd=ROOT, stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        first = b"".join(program.stdout.readline() for _ in range(saves))
        time.sleep(seconds)
        program.kill()
        return int((first + program.stdout.read()).split()[-1])


def check(folder: Path, told: int) -> int:
    """Every file is whole; -> the step of the last one, at most two behind: one under way, one waiting."""
    assert {path.name.split("-")[0].removesuffix(".h5") for path in folder.glob("*.h5")} <= {"last", "best", "step"}
    for path in folder.glob("*.h5"):
        step = read_extras(path)["step"]
        assert np.all(read_parameters(path)["x"] == step)
    last = int(read_extras(folder / "last.h5")["step"])
    assert told - 2 <= last <= told + 1
    return last


def run(folder: Path, kills: int) -> None:
    dice = random.Random(kills)
    killed(folder, 0.3, saves=2)  # the second begins once the first is on the disk
    last = int(read_extras(folder / "last.h5")["step"])
    for _ in range(kills):
        told = killed(folder, dice.uniform(0, 0.05))
        before, last = last, check(folder, told)
        assert last >= before
    CheckpointStore(folder, 2)
    assert list(folder.glob("*.tmp")) == []


def test_killed_three_times(tmp_path):
    run(tmp_path, kills=3)


@pytest.mark.long
def test_killed_a_hundred_times(tmp_path):
    run(tmp_path, kills=100)
