"""What a second worker brings: target tokens/s of one worker, and of two on this machine's loopback, a core each.

    python -m benchmarks.scaling --data DIR [--rounds 5] [--write]

The small setting of benchmarks.step. One worker trains on a core of its own, 80 sentences a step; two workers, each
held to one core, on 160 together, so that each has as much to do as the one had. They send each other gradients
through TensorFlow's own engine. A round is a run of each; told are the tokens of all workers a second, from the lines
of the log after the first. Cores share memory and caches, so a third run says how much of the loss is theirs: two
runs at once that know nothing of one another.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import harmonic_mean
from typing import Any

from benchmarks import harness
from benchmarks.contestants import ALIKE, ENDLESS, RUNS, SILENT, quiet_environment
from tests.ports import free_port

SENTENCES = 80
EVERY = 5  # steps a line of the log
LOOK_EVERY_S = 0.2
PATIENCE_S = 600


def command(parsed: argparse.Namespace, folder: Path, sentences: int, more: Sequence[str]) -> list[str]:
    recipe = ["experiment=bench_small", f"data.dir={parsed.data}", f"train.batch_sentences={sentences}"]
    where = ["train.device=cpu", "train.threads=1", f"hydra.run.dir={folder}"]
    told = f"train.log_every={EVERY}"
    return [sys.executable, "train.py", *recipe, *where, *ALIKE, *ENDLESS, *SILENT, told, *parsed.ours, *more]


def begin(words: Sequence[str], core: int, folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """A process on one core, its output beside its folder."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with Path(f"{folder}.log").open("wb") as log:
        process = subprocess.Popen(
            words, cwd=harness.ROOT, env={**os.environ, **environment}, stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
    os.sched_setaffinity(process.pid, {core})
    return process


def speeds(metrics: Path) -> list[float]:
    """Tokens a second of every line about training but the first, each of as many steps."""
    if not metrics.exists():
        return []
    events = [json.loads(line) for line in metrics.read_text().split("\n")[:-1]]
    return [event["tokens_per_second"] for event in events if event["event"] == "train"][1:]


def run(parsed: argparse.Namespace, workers: int, together: bool) -> float:
    """Tokens a second of all workers of a run, or of as many runs of one worker each."""
    cores = sorted(os.sched_getaffinity(0))[:workers]
    addresses = [f"127.0.0.1:{free_port()}" for _ in range(workers)]
    folders = [RUNS / f"worker{index}" for index in range(workers)]
    processes = []
    for index, (core, folder) in enumerate(zip(cores, folders, strict=True)):
        environment, more = quiet_environment(1, "cpu"), []
        if together:
            task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
            environment |= {"TF_CONFIG": json.dumps(task)}
            more = ["train.distribution=multi_worker"]
        sentences = SENTENCES * workers if together else SENTENCES
        processes.append(begin(command(parsed, folder, sentences, more), core, folder, environment))
    logs = [folder / "metrics.jsonl" for folder in (folders[:1] if together else folders)]
    try:
        wait_for(parsed.lines, logs, processes)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    # Of runs apart none counts what it did alone, while the other still began.
    total = sum(harmonic_mean(speeds(log)[-parsed.lines :]) for log in logs)
    shutil.rmtree(RUNS)
    return total


def wait_for(lines: int, logs: Sequence[Path], processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Until every log has so many lines that count. Ends the program where a process ends or all take too long."""
    began = time.monotonic()
    while any(len(speeds(log)) < lines for log in logs):
        if any(process.poll() is not None for process in processes) or time.monotonic() - began > PATIENCE_S:
            told = [path.read_text(errors="replace").strip().splitlines()[-1:] for path in RUNS.glob("*.log")]
            sys.exit(f"no {lines} lines about training: {told}")
        time.sleep(LOOK_EVERY_S)


CASES = {
    "one worker": (1, False),
    "two runs at once, apart": (2, False),
    "two workers": (2, True),
}


def rows(found: Mapping[str, harness.Summary]) -> list[list[str]]:
    one = found["one worker"].median
    return [[name, f"{s.median:,.0f}", f"{s.spread_pct:.0f} %", f"{s.median / one:.2f}"] for name, s in found.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder of Multi30k")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--lines", type=int, default=4, help=f"of a run's log that count, of {EVERY} steps each")
    parser.add_argument("--ours", nargs="*", default=[], metavar="KEY=VALUE", help="more settings")
    parser.add_argument("--noisy", action="store_true", help="measure on a busy machine too")
    parser.add_argument("--write", action="store_true", help="add a section to RESULTS.md")
    parsed = parser.parse_args()
    if harness.cores() < 2:
        sys.exit("two workers need two cores")
    described = harness.about(parsed.noisy)
    shutil.rmtree(RUNS, ignore_errors=True)
    measured: dict[str, list[float]] = {name: [] for name in CASES}
    for number in range(parsed.rounds):
        names = list(CASES)
        for name in [*names[number % 3 :], *names[: number % 3]]:
            measured[name].append(run(parsed, *CASES[name]))
    found = {name: harness.summarise(values) for name, values in measured.items()}
    table = harness.Table("A core a worker: target tokens/s of all", ["", "tokens/s", "spread", "to one"], rows(found))
    result: dict[str, Any] = {name: s.as_json() for name, s in found.items()}
    notes = [f"{parsed.rounds} rounds of {parsed.lines * EVERY} steps; {SENTENCES} sentences a worker and step."]
    harness.finish("scaling", [table], described, result, notes, parsed.write)


if __name__ == "__main__":
    main()
