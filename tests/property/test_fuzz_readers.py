"""Files of users, changed in 20,000 ways: every reader gives a value or one of our sentences, and is soon done.

    pytest -m long tests/property/test_fuzz_readers.py

A finding is looked at alone by: python -m tests.property.test_fuzz_readers FOLDER NUMBER NUMBER+1
"""

from __future__ import annotations

import gc
import json
import logging
import os
import resource
import signal
import subprocess
import sys
import traceback
import warnings
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any
from unittest.mock import patch

import pytest

from tests.property import fuzz_readers
from tests.property.fuzz_readers import Format, Inputs, put

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from Linux's /proc")
SAMPLE, ALL, BATCH = 200, 20_000, 5_000
LOADS_TENSORFLOW = ("demands", "status.json")  # left out of the sample: five seconds
MOST_CPU_S = 3.0  # of one input
MOST_S = 1_200.0  # of a batch, on a machine that others use too: it hangs
MOST_MEMORY = 1 << 29  # bytes beside what the process has as it begins
MOST_TOLD = 200


class TooLongError(BaseException):
    """An input took more than MOST_CPU_S of the processor. No reader can catch this."""


def too_long(signum: int, frame: FrameType | None) -> None:
    raise TooLongError


def judge(one: Format, folder: Path) -> str:
    """What goes wrong as the files of a folder are read; empty where nothing does."""
    signal.setitimer(signal.ITIMER_PROF, MOST_CPU_S)
    try:
        with warnings.catch_warnings():  # not for longer: see the last line
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", "Reading `.npy` or `.npz` file required additional header parsing")
            one.read(folder)
    except (Exception, TooLongError, SystemExit) as error:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/nmt/" in frame.filename]
        places = [f"{Path(frame.filename).name}:{frame.name}:{frame.lineno}" for frame in frames[-2:]]
        return f"{one.name}: {type(error).__name__}: {str(error)[:300]!r} at {places}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return ""


def judge_many(folder: Path, numbers: range, without: tuple[str, ...]) -> dict[str, Any]:
    inputs = Inputs(folder / "sound", without)
    for name in LOADS_TENSORFLOW if not without else ():
        next(one for one in inputs.formats if one.name == name).read(folder)  # load it before memory is bounded
    logging.disable()
    signal.signal(signal.SIGPROF, too_long)
    gc.freeze()
    bound_memory()
    faults, counts = [], Counter()
    for number in numbers:
        (folder / "now").write_text(str(number))
        one, files = inputs.make(number)
        put(folder / "input", files)
        counts[one.name] += 1
        fault = judge(one, folder / "input")
        faults += [f"{number}: {fault}"] if fault else []
    return {"inputs": len(numbers), "formats": counts, "faults": faults[:MOST_TOLD], "num_faults": len(faults)}


def bound_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MOST_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def in_a_process(folder: Path, numbers: range, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """A process of their own, so that a crash is seen and memory is theirs alone."""
    words = [sys.executable, "-m", "tests.property.test_fuzz_readers", str(folder)]
    words += [str(numbers.start), str(numbers.stop), *without]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=MOST_S)
    now = (folder / "now").read_text() if (folder / "now").exists() else "none"
    assert done.returncode == 0, f"at input {now}: {done.stderr[-3_000:]}"
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def check(result: dict[str, Any], inputs: int) -> None:
    assert not result["num_faults"], f"{result['num_faults']} faults:\n" + "\n".join(result["faults"])
    assert result["inputs"] == inputs


def test_a_sample(tmp_path):
    result = in_a_process(tmp_path, range(SAMPLE), LOADS_TENSORFLOW)
    check(result, SAMPLE)
    assert len(result["formats"]) > 20


@pytest.mark.long
@pytest.mark.parametrize("start", range(0, ALL, BATCH))
def test_all(tmp_path, start):
    result = in_a_process(tmp_path, range(start, start + BATCH))
    check(result, BATCH)


def test_sound_files_are_read(tmp_path):
    """Otherwise every refusal would be cheap."""
    for one in Inputs(tmp_path / "sound", LOADS_TENSORFLOW).formats:
        put(tmp_path / "input", one.sound)
        with patch.object(fuzz_readers, "tried", lambda call, *arguments: call(*arguments)):
            one.read(tmp_path / "input")


def test_a_reader_that_breaks_is_told_of(tmp_path):
    def read(folder: Path) -> None:
        folder.joinpath("absent").read_text()

    told = judge(Format("new", 1, {}, "absent", (), read), tmp_path)
    assert told.startswith("new: FileNotFoundError: ")


if __name__ == "__main__":
    place, first, last, *left_out = sys.argv[1:]
    print(json.dumps(judge_many(Path(place), range(int(first), int(last)), tuple(left_out))), flush=True)
    os._exit(0)  # all has been read, and SentencePiece may crash as the interpreter ends: see CONTRIBUTING
