"""What two passes cost: a step with train.consistency against the same step without it.

    python -m benchmarks.consistency --data DIR [--precision float32 bfloat16] [--kinds rdrop simcut] [--write]

All train `experiment=multi30k_tok` with its dropout and label smoothing, 80 sentences a step, and take turns in one run
as in benchmarks.step. The figure is the median over the rounds of the time a step takes, to that without it in the same
round: whatever else the machine does falls on both.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping
from statistics import median
from typing import Any

from benchmarks import flops, harness
from benchmarks.contestants import Setting, Start, fresh_runs, ours_to_train
from benchmarks.step import compare
from nmt.config.consistency import Consistency

SETTING = Setting("80 sentences a step", flops.SMALL, "multi30k_tok", sentences=80)
OWN = ("train.label_smoothing=0.1", "train.clip_norm=1")  # as the recipe has them
OFF = Consistency.none.value


def starts(parsed: argparse.Namespace, precision: str) -> list[Start]:
    """Without it, and with each kind."""
    found = []
    for kind in (OFF, *parsed.kinds):
        own = [*OWN, f"train.consistency={kind}", *parsed.ours]
        start = ours_to_train(SETTING, parsed.data, precision, parsed.threads, parsed.device, own)
        found.append(dataclasses.replace(start, name=f"{start.name}-{kind}", title=f"{precision}, {kind}"))
    return found


def rows(found: Mapping[str, Mapping[str, Any]], precision: str) -> list[list[str]]:
    """A row a kind; none where the one without it failed."""
    speeds = {
        name.rpartition("-")[2]: [turn["tokens"] / turn["seconds"] for turn in figures["turns"]]
        for name, figures in found.items()
    }
    if OFF not in speeds:
        return []
    table = []
    for kind, own in speeds.items():
        times = [without / one for without, one in zip(speeds[OFF], own, strict=True)]
        table.append(
            [
                f"{precision}, {kind}",
                f"{median(own):,.0f}",
                f"{median(times):.2f}",
                f"{min(times):.2f} to {max(times):.2f}",
                f"{max(figures['rss_mb'] for name, figures in found.items() if name.endswith(f'-{kind}')) / 1e3:.2f}",
            ]
        )
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder of Multi30k")
    parser.add_argument("--precision", nargs="+", default=harness.precisions(), help="float32, bfloat16, float16")
    kinds = [kind.value for kind in Consistency if kind is not Consistency.none]
    parser.add_argument("--kinds", nargs="+", choices=kinds, default=kinds)
    parser.add_argument("--ours", nargs="*", default=[], metavar="KEY=VALUE", help="more settings")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6.0, help="of a turn, at least")
    parser.add_argument("--warm-up", type=float, default=5.0, help="seconds that do not count, after the first step")
    parser.add_argument("--threads", type=int, default=harness.cores())
    parser.add_argument("--device", choices=["cpu", "gpu"], default="cpu")
    parser.add_argument("--noisy", action="store_true", help="measure on a busy machine too")
    parser.add_argument("--write", action="store_true", help="add a section to RESULTS.md")
    parsed = parser.parse_args()
    described = harness.about(parsed.noisy)
    table, notes, result = [], [f"{parsed.rounds} rounds; times: of a step, to one without it in the same round."], {}
    for precision in parsed.precision:
        with fresh_runs():
            found, _, failed = compare(starts(parsed, precision), parsed)
        notes += failed
        result[precision] = found
        table += rows(found, precision)
    head = ["", "target tokens/s", "times", "range", "peak GB"]
    tables = [harness.Table(f"{SETTING.name}: two passes over a batch", head, table)]
    harness.finish("consistency", tables, described, result, notes, parsed.write)


if __name__ == "__main__":
    main()
