"""Whether XLA compiles a run's graphs: as asked, as the run began, or as was measured on this very kind of GPU.

Which is faster depends on the GPU, the TensorFlow and the precision, so it is measured (benchmarks/xla.py) and kept for
the user in a JSON file: {"GPU, TensorFlow, precision": {"plain": tokens/s, "xla": tokens/s, "date": "2026-11-27"}}.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import tensorflow as tf

from nmt.config.precision import Precision
from nmt.errors import DeviceError
from nmt.plumbing.files import write_text
from nmt.plumbing.records import parsed
from nmt.training.device import Chosen

OLDEST = (6, 0)  # compute capability that XLA has code for; a K80 has 3.7


@dataclass(frozen=True)
class Measured:
    """Target tokens a second of training on one GPU, without XLA and with it."""

    plain: float
    xla: float
    date: str


@dataclass(frozen=True)
class Decision:
    """Whether XLA compiles, and why, in words."""

    on: bool
    why: str


def decide(asked: bool | None, before: bool | None, device: Chosen, precision: Precision, path: Path) -> Decision:
    """`asked`: the configuration (None: what is faster); `before`: what the run began with, if it goes on.

    A run keeps what it began with, since XLA adds up in another order. Raises DeviceError for a file of measurements
    that cannot be read.
    """
    if asked is not None:
        return Decision(asked, "as train.xla says")
    if device.kind == "cpu":
        return Decision(False, "on a CPU" + (", although the run began with it" if before else ""))
    if device.capability < OLDEST:
        return Decision(False, f"since XLA has no code for a {device.model}")
    if before is not None:
        return Decision(before, "as the run began")
    found = measurements(path).get(key_of(device.model, precision))
    if found is None:
        return Decision(False, f"not measured on {device.model} yet: bash benchmarks/gpu.sh DIR")
    times = f"{found.xla / found.plain:.2f} times as fast on {device.model}, measured on {found.date}"
    return Decision(found.xla > found.plain, times)


def key_of(model: str, precision: Precision) -> str:
    """What a measurement holds for."""
    return f"{model}, TensorFlow {tf.__version__}, {precision.value}"


def measurements(path: Path) -> Mapping[str, Measured]:
    """All of them, none where the file is not there. Raises DeviceError."""
    try:
        told = parsed(path.read_bytes()) if path.exists() else {}
        return {key: Measured(**figures) for key, figures in told.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DeviceError(
            "train.xla",
            found=f"{path}, which cannot be read ({error})",
            expected="the measurements that benchmarks/xla.py wrote there",
            next_step="delete it and measure again, or say train.xla=true or train.xla=false",
        ) from error


def keep(path: Path, model: str, precision: Precision, found: Measured) -> None:
    """Add a measurement, in place of one of the same key.

    Raises DeviceError where those that are there cannot be read, OSError where the file cannot be written.
    """
    known = {key: asdict(one) for key, one in measurements(path).items()} | {key_of(model, precision): asdict(found)}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(known, indent=1) + "\n")
