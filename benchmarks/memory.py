"""Peak memory of training: largest resident set of a process, ours and every peer's.

    python -m benchmarks.memory --data DIR [--settings sentences tokens large] [--write]

Each program of benchmarks.step trains alone for a while. Then our whole command, `python train.py`, with its
validation and its final scores, as the operating system counts it. MB are of 10^6 bytes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks import environments, harness, pieces
from benchmarks.contestants import OURS, RUNS, Contestant, ProgramError, Setting, Start, batch_of, fresh_runs
from benchmarks.step import SETTINGS, starts


def alone(start: Start, seconds: float) -> dict[str, Any]:
    """Peak after the first step, and after training for so long."""
    with Contestant(start) as contestant:
        done = contestant.turn(0, seconds, 1)
        return {"title": start.title, "first_mb": contestant.ready["rss_mb"], "peak_mb": done["rss_mb"]}


def whole_command(setting: Setting, data: str, steps: int, folder: Path, precision: str, threads: int) -> float:
    """Peak of train.py for a short run, from reading the corpus to writing the report."""
    kind = [f"train.precision={precision}"] if precision != "float32" else []
    limits = [f"train.max_steps={steps}", "train.warmup_steps=1", f"train.validate_every={steps}"]
    command = [
        sys.executable,
        "train.py",
        f"experiment={setting.recipe}",
        f"data.dir={data}",
        *batch_of(setting),
        *kind,
    ]
    command += [*limits, f"train.threads={threads}", f"hydra.run.dir={folder}"]
    with (folder.parent / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=harness.ROOT, stdout=log, stderr=log)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        last = (folder.parent / "log").read_text(errors="replace").strip().splitlines()[-1:]
        sys.exit(f"train.py ended with status {process.returncode}: {' '.join(last)}")
    return used.ru_maxrss * 1024 / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder of Multi30k")
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--precision", nargs="+", default=["float32"], help="of ours: float32, bfloat16, float16")
    parser.add_argument("--peers", nargs="*", choices=environments.PEERS, default=list(environments.PEERS))
    parser.add_argument("--ours", nargs="*", default=[], metavar="KEY=VALUE", help="more settings of ours")
    parser.add_argument("--seconds", type=float, default=30.0, help="of training")
    parser.add_argument("--steps", type=int, default=60, help="of the whole command")
    parser.add_argument("--threads", type=int, default=harness.cores())
    parser.add_argument("--write", action="store_true", help="add a section to RESULTS.md")
    parsed = parser.parse_args()
    parsed.device = "cpu"
    text = pieces.write_pieces(parsed.data)
    described = harness.about(noisy=True)  # others' work changes no peak
    rows: list[list[str]] = []
    notes: set[str] = set()
    result: dict[str, Any] = {}
    for name in parsed.settings:
        programs, absent = starts(parsed, SETTINGS[name], text)
        notes |= set(absent)
        with fresh_runs():
            for start in programs:
                try:
                    found = alone(start, parsed.seconds)
                except ProgramError as reason:
                    notes.add(str(reason))
                    continue
                result[f"{name} {start.name}"] = found
                rows.append([SETTINGS[name].name, start.title, f"{found['first_mb']:.0f}", f"{found['peak_mb']:.0f}"])
            for precision in parsed.precision:
                folder = RUNS / f"whole-{precision}"
                peak_mb = whole_command(SETTINGS[name], parsed.data, parsed.steps, folder, precision, parsed.threads)
                result[f"{name} train.py {precision}"] = peak_mb
                rows.append([SETTINGS[name].name, f"{OURS}, {precision}, all of train.py", "-", f"{peak_mb:.0f}"])
    table = harness.Table("Peak resident set, MB", ["", "program", "after the first step", "peak"], rows)
    told = f"{parsed.seconds:.0f} s of training; all of train.py: {parsed.steps} steps, validation, scores."
    harness.finish("memory", [table], described, result, [told, *sorted(notes)], parsed.write)


if __name__ == "__main__":
    main()
