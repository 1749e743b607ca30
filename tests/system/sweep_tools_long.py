"""Sweeps of trials of a few seconds, started as a user starts them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
# As short as a real run can be: it learns, validates twice, saves twice and scores.
SHORT = [
    "experiment=tiny_sweep",
    *("data.train_pairs=300", "data.dev_pairs=30", "data.test_pairs=30"),
    *("model.embedding=16", "model.encoder_units=16", "model.attention_units=16"),
    *("train.max_steps=12", "train.warmup_steps=2", "train.validate_every=4", "train.save_every=4"),
    *("train.log_every=4", "train.batch_tokens=512", "train.threads=1", "train.device=cpu"),
    *("search.max_ratio=1", "metrics.wmd.dimensions=8", "metrics.wmd.epochs=1"),
    "train.early_stopping.metric=chrf",
]


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    """`python train.py WORDS` in `folder`."""
    return subprocess.Popen(
        [sys.executable, str(ROOT / "train.py"), *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "XDG_CACHE_HOME": str(folder / "cache")},
    )


def finish(process: subprocess.Popen[str], timeout: float = 600) -> str:
    """What it said. It must end well."""
    said, _ = process.communicate(timeout=timeout)
    assert process.returncode == 0, said
    return said


def wait(condition: Callable[[], bool], what: str, timeout: float = 600) -> None:
    until = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < until, f"waited in vain for {what}"
        time.sleep(0.1)


def ledger(folder: Path) -> list[dict[str, Any]]:
    """The whole lines of the ledger."""
    path = folder / "ledger.jsonl"
    text = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def count(folder: Path, event: str) -> int:
    return sum(line["event"] == event for line in ledger(folder))


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def figures(run: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """What a run found: its events without what differs from run to run, and its scores."""
    timed = ("seconds", "tokens_per_second", "waited_share", "usd")
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    events = [{key: value for key, value in line.items() if key not in timed} for line in lines]
    results = json.loads((run / "results.json").read_text())
    return events, {metric: results[metric] for metric in ("bleu", "chrf", "wmd")}


def run_folder(sweep: Path, *overrides: str) -> Path:
    """The run folder of the one trial with these overrides."""
    found = [
        sweep / line["folder"]
        for line in ledger(sweep)
        if line["event"] == "start" and set(overrides) <= set(line["overrides"])
    ]
    assert len(set(found)) == 1, found
    return found[0]


def names(words: Sequence[str]) -> str:
    return "_".join(word.replace("=", "-") for word in words)
