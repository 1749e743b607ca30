"""Whether a GPU trains faster with XLA; what is faster is kept, and train.py then chooses it by itself on such a GPU.

    python -m benchmarks.xla --data DIR [--precision float32 bfloat16 float16] [--write]

Both ways take turns in one run, 80 sentences a step, as in benchmarks.step. XLA compiles anew for each shape of batch
that it meets; both warm up for a minute, and what is compiled after that is part of the time.
"""

from __future__ import annotations

import argparse
import dataclasses
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import nmt.app  # noqa: F401  (loads TensorFlow, and lets it say nothing)
from benchmarks import harness
from benchmarks.contestants import Start, fresh_runs, ours_to_train
from benchmarks.step import SETTINGS, compare
from nmt.config.precision import Precision
from nmt.plumbing.folders import cache
from nmt.training.compiling import Measured, keep

SETTING = SETTINGS["sentences"]
NAME = "import sys; from nmt.config.train import Device; from nmt.training.device import choose_device; "
NAME += "chosen = choose_device(Device(sys.argv[1]), 0); print(chosen.model or chosen.description)"


def starts(parsed: argparse.Namespace, precision: str) -> list[Start]:
    """Without XLA and with it."""
    found = []
    for way in ("false", "true"):
        own = [*parsed.ours, f"train.xla={way}"]
        start = ours_to_train(SETTING, parsed.data, precision, parsed.threads, parsed.device, own)
        title = f"ours, {precision}{', XLA' if way == 'true' else ''}"
        found.append(dataclasses.replace(start, name=f"{start.name}-xla-{way}", title=title))
    return found


def faster(found: Mapping[str, Mapping[str, Any]], date: str) -> Measured | None:
    """Of the two ways' figures; None where one of them failed."""
    speeds = {name.rpartition("-")[2]: figures["tokens_per_s"]["median"] for name, figures in found.items()}
    if speeds.keys() != {"false", "true"}:
        return None
    return Measured(speeds["false"], speeds["true"], date)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder of Multi30k")
    parser.add_argument("--precision", nargs="+", default=["float32"], help="float32, bfloat16, float16")
    parser.add_argument("--ours", nargs="*", default=[], metavar="KEY=VALUE", help="more settings")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6.0, help="of a turn, at least")
    parser.add_argument("--warm-up", type=float, default=60.0, help="seconds that do not count, after the first step")
    parser.add_argument("--threads", type=int, default=harness.cores())
    parser.add_argument("--device", choices=["cpu", "gpu"], default="gpu", help="a CPU's figures are not kept")
    parser.add_argument("--noisy", action="store_true", help="measure on a busy machine too")
    parser.add_argument("--write", action="store_true", help="add a section to RESULTS.md")
    parsed = parser.parse_args()
    described = harness.about(parsed.noisy)
    asked = [sys.executable, "-c", NAME, parsed.device]
    model = subprocess.run(asked, cwd=harness.ROOT, capture_output=True, text=True, check=True).stdout.strip()
    path = cache("xla.json")
    rows, notes, result = [], [f"Kept for {model} where both ways ran."] if parsed.device == "gpu" else [], {}
    for precision in parsed.precision:
        with fresh_runs():
            found, _, failed = compare(starts(parsed, precision), parsed)
        notes += failed
        result[precision] = found
        measured = faster(found, datetime.now(UTC).date().isoformat())
        if measured is not None and parsed.device == "gpu":
            keep(path, model, Precision(precision), measured)
        for figures in found.values():
            speed = figures["tokens_per_s"]
            rows.append([figures["title"], f"{speed['median']:,.0f}", f"{speed['spread_pct']:.0f} %"])
    table = harness.Table(f"{SETTING.name} on {model}: target tokens/s", ["", "tokens/s", "spread"], rows)
    harness.finish("xla", [table], described, result, notes, parsed.write)


if __name__ == "__main__":
    main()
