"""How fast a training step is: target tokens a second, ours and every peer's, in turn on one machine.

    python -m benchmarks.step --data DIR [--settings sentences tokens large] [--only ours] [--write]

DIR holds Multi30k. All train for real: the same corpus, pieces, sizes, optimiser (Adam, learning rate 1e-3, no
dropout, no smoothing, no clipping), and number of threads; each in its own training loop with its own data pipeline
and in float32, ours and Keras in every precision asked for that they have. In each setting all programs are started and
warmed up; then each has its turn while the others are stopped, round after round, so that all of them meet the same
machine. Figures are medians over the rounds. The machine's own limit, its matrix products, takes its turn among them;
it is the best of all of them, and a share of more than 100 % of it is an error of measuring, which ends the program.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from benchmarks import environments, flops, harness, peak, pieces
from benchmarks.contestants import (
    OURS,
    Contestant,
    ProgramError,
    Setting,
    Start,
    fresh_runs,
    our_sizes,
    ours_to_train,
    peer_to_train,
    take_turns,
)

SETTINGS = {
    "sentences": Setting("80 sentences a step", flops.SMALL, "bench_small", sentences=80),
    "tokens": Setting("4,096 tokens a step", flops.SMALL, "bench_small", tokens=4_096),
    "large": Setting("large (512 / 512 / 1024), 80 sentences", flops.LARGE, "bench_large", sentences=80),
}
SETTLE_STEPS = 2  # of each turn, not measured
LEAST_STEPS = 3  # of a turn, however slow


def starts(parsed: argparse.Namespace, setting: Setting, text: pieces.Pieces) -> tuple[list[Start], list[str]]:
    """Who takes part, and who does not and why."""
    found = [
        ours_to_train(setting, parsed.data, precision, parsed.threads, parsed.device, parsed.ours)
        for precision in parsed.precision
    ]
    absent = []
    for peer in (environments.PEERS[name] for name in parsed.peers):
        for precision in ("float32", "bfloat16") if peer.bfloat16 and "bfloat16" in parsed.precision else ("float32",):
            try:
                found.append(peer_to_train(peer, setting, text.folder, parsed.threads, precision))
            except environments.NotInstalledError as reason:
                absent.append(f"{peer.title} is left out: {reason}")
                break
    return found, absent


def compare(
    everyone: Sequence[Start], parsed: argparse.Namespace, limit: Start | None = None
) -> tuple[dict[str, dict[str, Any]], dict[str, float], list[str]]:
    """Turns of everyone, round after round; -> by name what each did, the best products by type, and who failed."""
    found: dict[str, dict[str, Any]] = {}
    top: dict[str, float] = {}
    failed: list[str] = []
    with ExitStack() as stack:
        running: list[Contestant] = []
        for start in everyone if limit is None else (limit, *everyone):
            try:
                contestant = stack.enter_context(Contestant(start))
                contestant.turn(0, parsed.warm_up, LEAST_STEPS)
            except ProgramError as reason:
                failed.append(str(reason))
                continue
            running.append(contestant)
            if start is not limit:
                found[start.name] = {"title": start.title, "start_s": contestant.ready["ready"], "turns": []}

        def take(contestant: Contestant) -> None:
            turn = contestant.turn(SETTLE_STEPS, parsed.seconds, LEAST_STEPS)
            if contestant.start is limit:
                top.update({dtype: max(rate, top.get(dtype, 0.0)) for dtype, rate in turn["gflop_per_s"].items()})
            else:
                found[contestant.start.name]["turns"].append(turn)

        for name, why in take_turns(running, parsed.rounds, take).items():
            failed.append(str(why))
            found.pop(name, None)
    for figures in found.values():
        turns = figures["turns"]
        figures["tokens_per_s"] = harness.summarise([turn["tokens"] / turn["seconds"] for turn in turns]).as_json()
        figures["rss_mb"] = max(turn["rss_mb"] for turn in turns)
    return found, top, failed


def who_and_type(name: str) -> tuple[str, str]:
    """ours-float32 -> ours, float32"""
    who, _, dtype = name.partition("-")
    return who, dtype


def sizes_of(name: str, setting: Setting, ours: flops.Sizes) -> flops.Sizes:
    """What a contestant's model really has."""
    who, _ = who_and_type(name)
    return ours if who == OURS else dataclasses.replace(setting.sizes, decoder=environments.PEERS[who].decoder)


def fastest_peer(found: dict[str, dict[str, Any]], dtype: str) -> float | None:
    """tokens/s of the fastest peer in this type, or in any where none has it."""
    speeds = {name: figures["tokens_per_s"]["median"] for name, figures in found.items()}
    peers = {name: speed for name, speed in speeds.items() if who_and_type(name)[0] != OURS}
    alike = [speed for name, speed in peers.items() if who_and_type(name)[1] == dtype]
    return max(alike or peers.values(), default=None)


def share_of(title: str, rate: float, top: float | None) -> str:
    """Raises ProgramError for more than the machine can do."""
    if top is None:
        return "-"
    if rate > top:
        raise ProgramError(
            f"{title}: {rate:.0f} GFLOP/s is more than the machine's best product, {top:.0f} GFLOP/s, so that one of "
            "them is wrong; measure once more while nothing else is at work, with more --rounds"
        )
    return f"{100 * rate / top:.0f} %"


def rows(
    found: dict[str, dict[str, Any]], setting: Setting, lengths: flops.Lengths, top: dict[str, float], ours: flops.Sizes
) -> list[list[str]]:
    """A row a contestant: tokens/s, its ratio to the fastest peer, operations a token, share of the measured limit."""
    table = []
    for name, figures in found.items():
        speed, dtype = figures["tokens_per_s"], who_and_type(name)[1]
        cost = flops.training_flop(sizes_of(name, setting, ours), lengths) / 1e9
        rate = cost * speed["median"]
        fastest = fastest_peer(found, dtype)
        table.append(
            [
                figures["title"],
                f"{speed['median']:,.0f}",
                f"{speed['spread_pct']:.0f} %",
                f"{speed['median'] / fastest:.2f}" if fastest else "-",
                f"{cost:.4f}",
                f"{rate:.0f}",
                share_of(figures["title"], rate, top.get(dtype)),
                f"{figures['rss_mb'] / 1e3:.2f}",
                f"{figures['start_s']:.1f}",
            ]
        )
        figures.update({"gflop_per_token": cost, "gflop_per_s": rate})
    return table


HEAD = ["", "tokens/s", "spread", "to the fastest peer", "GFLOP/token", "GFLOP/s", "of the peak", "peak GB", "start s"]


def show(
    setting: Setting, text: pieces.Pieces, ours: flops.Sizes, found: dict[str, dict[str, Any]], top: dict[str, float]
) -> harness.Table:
    return harness.Table(f"{setting.name}: target tokens/s", HEAD, rows(found, setting, text.lengths, top, ours))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder of Multi30k")
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument(
        "--precision", nargs="+", default=harness.precisions(), help="of ours: float32, bfloat16, float16"
    )
    parser.add_argument("--peers", nargs="*", choices=environments.PEERS, default=list(environments.PEERS))
    parser.add_argument("--only", choices=[OURS], help="leave out the peers")
    parser.add_argument("--ours", nargs="*", default=[], metavar="KEY=VALUE", help="more settings of ours")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6.0, help="of a turn, at least")
    parser.add_argument("--warm-up", type=float, default=5.0, help="seconds that do not count, after the first step")
    parser.add_argument("--threads", type=int, default=harness.cores())
    parser.add_argument("--device", choices=["cpu", "gpu"], default="cpu", help="of ours; peers run on the CPU")
    parser.add_argument("--noisy", action="store_true", help="measure on a busy machine too")
    parser.add_argument("--write", action="store_true", help="add a section to RESULTS.md")
    parsed = parser.parse_args()
    parsed.peers = [] if parsed.only else parsed.peers
    return parsed


def main() -> None:
    parsed = parse()
    text = pieces.write_pieces(parsed.data)
    everyone = {name: starts(parsed, SETTINGS[name], text) for name in parsed.settings}  # installs what is missing
    described = harness.about(parsed.noisy)
    began = time.perf_counter()
    peaks = peak.in_a_process(parsed.threads, device=parsed.device)
    tables, notes = [peak.table(peaks)], set()
    result: dict[str, Any] = {"peaks": peaks, "settings": {}, "best": {}}
    for name, (programs, absent) in everyone.items():
        setting = SETTINGS[name]
        print(f"{setting.name} ...", file=sys.stderr)
        with fresh_runs():
            found, top, failed = compare(programs, parsed, peak.to_measure(parsed.threads, parsed.device))
        source, target = pieces.distinct_shares(text.folder, setting.sentences, setting.tokens)
        ours = our_sizes(setting.recipe, parsed.ours, source, target)
        notes.add(f"{setting.name}: {source:.0%} and {target:.0%} of a batch's pieces differ (English, German).")
        try:
            tables.append(show(setting, text, ours, found, top))
        except ProgramError as impossible:
            sys.exit(str(impossible))
        result["settings"][name], result["best"][name] = found, top
        notes |= {*absent, *failed}
    took = f"{parsed.rounds} rounds; {(time.perf_counter() - began) / 60:.0f} minutes in all."
    explained = (
        "GFLOP/token is by the formula of benchmarks/flops.py, from each one's own sizes; of the peak: of the best "
        "2048^3 product in the same type, measured in turns with all of them; the fastest peer: in the same type, "
        f"where there is one. Mean pieces a sentence: {text.lengths.source:.2f} English, "
        f"{text.lengths.target:.2f} German."
    )
    harness.finish("step", tables, described, result, [explained, took, *sorted(notes)], parsed.write)


if __name__ == "__main__":
    main()
