"""Whether XLA compiles a run: as asked, as the run began, as measured on such a GPU, or not."""

from __future__ import annotations

import pytest
import tensorflow as tf

from nmt.config.precision import Precision
from nmt.errors import DeviceError
from nmt.training.compiling import Measured, decide, keep, measurements
from nmt.training.device import Chosen

CPU, T4 = Chosen("cpu", "CPU"), Chosen("gpu", "Tesla T4", 1, "Tesla T4", (7, 5))
K80 = Chosen("gpu", "Tesla K80", 1, "Tesla K80", (3, 7))
DATE = "2026-11-27"


@pytest.fixture
def path(tmp_path):
    """Measured: faster with XLA in float32, slower in float16."""
    path = tmp_path / "nmt" / "xla.json"
    keep(path, "Tesla T4", Precision.float32, Measured(1_000.0, 1_250.0, DATE))
    keep(path, "Tesla T4", Precision.float16, Measured(2_000.0, 1_800.0, DATE))
    return path


@pytest.mark.parametrize(
    ("asked", "before", "device", "precision", "on", "why"),
    [
        (True, False, T4, Precision.float16, True, "as train.xla says"),
        (True, None, CPU, Precision.float32, True, "as train.xla says"),
        (False, True, T4, Precision.float32, False, "as train.xla says"),
        (None, None, CPU, Precision.float32, False, "on a CPU"),
        (None, True, CPU, Precision.float32, False, "on a CPU, although the run began with it"),
        (None, None, K80, Precision.float32, False, "since XLA has no code for a Tesla K80"),
        (None, False, T4, Precision.float32, False, "as the run began"),
        (None, True, T4, Precision.float16, True, "as the run began"),
        (None, None, T4, Precision.float32, True, f"1.25 times as fast on Tesla T4, measured on {DATE}"),
        (None, None, T4, Precision.float16, False, f"0.90 times as fast on Tesla T4, measured on {DATE}"),
        (None, None, T4, Precision.bfloat16, False, "not measured on Tesla T4 yet: bash benchmarks/gpu.sh DIR"),
    ],
)
def test_what_is_asked_then_what_the_run_began_with_then_what_was_measured(
    path, asked, before, device, precision, on, why
):
    decision = decide(asked, before, device, precision, path)
    assert (decision.on, decision.why) == (on, why)


def test_another_gpu_and_another_tensorflow_were_not_measured(path, monkeypatch):
    other = Chosen("gpu", "NVIDIA L4", 1, "NVIDIA L4", (8, 9))
    assert decide(None, None, other, Precision.float32, path).why.startswith("not measured on NVIDIA L4 yet")
    monkeypatch.setattr(tf, "__version__", "2.99.0")
    assert decide(None, None, T4, Precision.float32, path).why.startswith("not measured on Tesla T4 yet")


def test_a_new_measurement_takes_the_place_of_the_old_one(path):
    keep(path, "Tesla T4", Precision.float32, Measured(1_000.0, 900.0, "2026-11-28"))
    assert len(measurements(path)) == 2
    assert not decide(None, None, T4, Precision.float32, path).on
    assert not list(path.parent.glob("*.draft"))


@pytest.mark.parametrize("text", ["{", "[1]", '{"T4": {"plain": 1}}'])
def test_measurements_that_cannot_be_read_are_an_error(tmp_path, text):
    path = tmp_path / "xla.json"
    path.write_text(text)
    with pytest.raises(DeviceError, match=r"train.xla: found .*xla.json, which cannot be read .*delete it and measure"):
        decide(None, None, T4, Precision.float32, path)
    assert decide(False, None, T4, Precision.float32, path).why == "as train.xla says", "it is not looked at"
