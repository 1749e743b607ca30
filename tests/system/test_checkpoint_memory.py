"""A large model is saved and loaded with the memory of its largest variable to spare, not of a second model."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Peak memory above what there was before, in megabytes, of saving and of loading NUM variables of SIDE x SIDE float32.
PROGRAM = """
import json, sys
from pathlib import Path
import numpy as np
from nmt.checkpoint.file import load, save
from tests.unit.checkpoint_tools import FakeModule

def memory(which):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(which))

def extra(call):
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before = memory("VmRSS:")
    call()
    return memory("VmHWM:") - before

number, side, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
save(path, {"warm": np.zeros(9)}, {})  # whatever is imported or allocated once
load(path, FakeModule({"warm": np.zeros(9)}))
values = {f"layer{i}/kernel": np.full((side, side), i, np.float32) for i in range(number)}
if sys.argv[4] == "tensorflow":
    import tensorflow as tf
    class Module(tf.Module):
        def __init__(self):
            super().__init__()
            self.held = [tf.Variable(value, name=name) for name, value in values.items()]
    module = Module()
else:
    module = FakeModule(values)
del values
saving = extra(lambda: save(path, module, {"config": "x"}, sync=False))
loading = extra(lambda: load(path, module))
print(json.dumps({"saving": saving, "loading": loading, "one": side * side * 4 / 2**20}))
"""


def peaks(path: Path, number: int, side: int, kind: str = "stand-in") -> dict[str, float]:
    program = [sys.executable, "-c", PROGRAM, str(number), str(side), str(path), kind]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)
    if "clear_refs" in done.stderr:
        pytest.skip("this system does not let a program forget its peak memory")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def check(result: dict[str, float], loaded_at_a_time: float = 2.5) -> None:
    """A variable makes a copy when it is read; the stand-in for one makes another when it is assigned."""
    assert result["saving"] < 1.5 * result["one"] + 16
    assert result["loading"] < loaded_at_a_time * result["one"] + 16


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from Linux's /proc")
def test_200_megabytes(tmp_path):
    check(peaks(tmp_path / "a.h5", 13, 2000))


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from Linux's /proc")
def test_200_megabytes_of_tensorflow(tmp_path):
    """Two variables are read at a time, into memory that TensorFlow's pool gets back from those before; 48 MB here."""
    check(peaks(tmp_path / "a.h5", 13, 2000, "tensorflow"), loaded_at_a_time=3.5)


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from Linux's /proc")
def test_a_gigabyte(tmp_path):
    check(peaks(tmp_path / "a.h5", 64, 2000))
