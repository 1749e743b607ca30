"""XLA: refused where it does not pay, and the same gradients where it is used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from numpy.testing import assert_allclose

from nmt.errors import DeviceError
from nmt.training.device import Chosen, use_xla

ROOT = Path(__file__).resolve().parents[2]
FLAGS = "--tf_xla_cpu_global_jit --tf_xla_min_cluster_size=2"


def test_a_cpu_is_refused(monkeypatch):
    monkeypatch.delenv("TF_XLA_FLAGS", raising=False)
    with pytest.raises(DeviceError, match=r"train.xla: found true on a CPU, expected a GPU.*leave it out"):
        use_xla(Chosen("cpu", "CPU"))


def steps(*more: str, **environment: str) -> dict[str, list[float]]:
    command = [sys.executable, "-m", "benchmarks.gpu_equal", "--one", "cpu", "--precision", "float32", *more]
    own = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment}
    ran = subprocess.run(command, cwd=ROOT, env=own, capture_output=True, text=True, timeout=600)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])


def compiled(folder: Path) -> int:
    return len(list(folder.glob("*"))) if folder.exists() else 0


@pytest.mark.long
def test_five_steps_compiled_are_those_that_are_not(tmp_path):
    plain = steps()
    dump = tmp_path / "dump"
    flags = {"TF_XLA_FLAGS": FLAGS, "XLA_FLAGS": f"--xla_dump_to={dump} --xla_dump_hlo_as_text"}
    found = steps("--xla", **flags)
    assert compiled(dump), "XLA compiled nothing"
    for key in ("losses", "norms"):
        assert_allclose(found[key], plain[key], rtol=1e-5)
