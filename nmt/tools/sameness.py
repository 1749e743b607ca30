"""Are two runs the same, apart from what a clock has told? Digests of all arrays, and the log without times."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nmt.checkpoint.file import read_extras, read_parameters

TIMES = ("seconds", "gpu_seconds", "usd", "tokens_per_second", "waited_s", "waited_share")


def digests(path: Path) -> dict[str, str]:
    """Name -> SHA-256 of everything in a checkpoint: weights, averages, slots, texts, state without times.

    Of the configuration that part is left out that says where a run went on. Raises CheckpointError.
    """
    content: dict[str, object] = {**read_parameters(path)}
    content |= {f"<{name}>": value for name, value in read_extras(path).items()}
    return {name: hashlib.sha256(_bytes(name, value)).hexdigest() for name, value in content.items()}


def joint_digest(found: Mapping[str, str]) -> str:
    """One SHA-256 of all digests and their names."""
    return hashlib.sha256("".join(f"{name}\0{found[name]}\n" for name in sorted(found)).encode()).hexdigest()


def log_without_times(folder: Path) -> list[dict[str, Any]]:
    """The events of a run."""
    text = (folder / "metrics.jsonl").read_text(encoding="utf-8")
    return [without_times(json.loads(line)) for line in text.splitlines()]


def without_times(value: Any) -> Any:
    """A JSON value, at every depth without the keys of TIMES."""
    if isinstance(value, dict):
        return {key: without_times(part) for key, part in value.items() if key not in TIMES}
    if isinstance(value, list):
        return [without_times(part) for part in value]
    return value


def differing(first: Mapping[str, str], second: Mapping[str, str]) -> list[str]:
    """Names that only one has, or whose digests differ."""
    return sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))


def _bytes(name: str, value: object) -> bytes:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape}\n".encode() + value.tobytes()
    text = value if isinstance(value, str) else repr(value)
    if name == "<state>":
        text = json.dumps(without_times(json.loads(text)), sort_keys=True)
    if name == "<config>":
        text = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("resume:"))
    return text.encode()
