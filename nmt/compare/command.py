"""`python -m nmt.compare`: how often the tests raise a false alarm, and find a difference that is there."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from nmt.compare.calibration import DRAWS, LEVEL, Calibration, Pool, calibrate, calibration_png
from nmt.compare.systems import read_output
from nmt.config.metrics import METRICS, MetricsConfig
from nmt.errors import ConfigError
from nmt.metrics.metric import Language, metric_class
from nmt.plumbing.edge import Parser, command
from nmt.plumbing.files import write_bytes
from nmt.plumbing.tables import table
from nmt.plumbing.text import read_lines

ABOUT = "Simulate equal systems from two outputs, and count how often each test says that they differ."


def run(arguments: Sequence[str]) -> int:
    """-> exit status."""
    return command(lambda: _calibrate(_parser().parse_args(list(arguments))))


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="python -m nmt.compare", description=ABOUT)
    computed = [name for name, facts in METRICS.items() if not facts.needs_vectors]
    parser.add_argument("--ref", required=True, metavar="FILE", help="references, a line a sentence")
    parser.add_argument("--outputs", required=True, nargs=2, metavar="FILE", help="translations of two systems")
    parser.add_argument("--metric", choices=computed, default=computed[0], help=f"what scores them ({computed[0]})")
    parser.add_argument(
        "--simulations", type=int, default=1000, help="of each kind, without and with a difference (1000)"
    )
    parser.add_argument("--seeds", type=int, default=3, help="runs of each system for the test over seeds (3)")
    parser.add_argument("--planted", type=float, default=0.02, help="bias of the second system, for the power (0.02)")
    parser.add_argument("--seed", type=int, default=1, help="of the simulations (1)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="a picture of the p-values, PNG")
    parser.add_argument("--json", action="store_true", help="figures for programs")
    return parser


def _calibrate(parsed: argparse.Namespace) -> None:
    for key, least in (("simulations", 1), ("seeds", 2)):
        if getattr(parsed, key) < least:
            raise ConfigError(
                f"--{key}", found=getattr(parsed, key), expected=f"at least {least}", next_step="leave it out"
            )
    if not 0 < parsed.planted <= 0.5:
        raise ConfigError("--planted", found=parsed.planted, expected="0 < bias <= 0.5", next_step="0.02 is small")
    references = [[line] for line in read_lines(parsed.ref)]
    metric = metric_class(parsed.metric)(MetricsConfig(), Language("en"))
    one, other = (
        metric.score(read_output(path, len(references)), references, 0).statistics_NF for path in parsed.outputs
    )
    pool = Pool.of(one, other, metric.from_statistics, metric.facts.figure.sign)
    equal, apart = (_simulate(pool, parsed, planted) for planted in (0.0, parsed.planted))
    if parsed.plot is not None:
        write_bytes(parsed.plot, calibration_png(equal))
    print(_json(equal, apart, parsed) if parsed.json else _text(equal, apart, parsed))


def _simulate(pool: Pool, parsed: argparse.Namespace, planted: float) -> Calibration:
    with tqdm(total=parsed.simulations, disable=not sys.stderr.isatty(), unit="simulation") as bar:
        return calibrate(pool, parsed.simulations, parsed.seeds, planted, parsed.seed, lambda _: bar.update() and None)


def _text(equal: Calibration, apart: Calibration, parsed: argparse.Namespace) -> str:
    figure, number = METRICS[parsed.metric].figure, parsed.simulations
    rows = [
        (test, f"{100 * equal.rate(test):.1f} %", _verdict(equal, test), f"{100 * apart.rate(test):.1f} %")
        for test in equal.p_values
    ]
    kept = f"at most {100 * equal.most:.2f} %"
    return "\n".join(
        [
            table(rows, ("test", "false alarms", kept, "power")),
            f"{figure.label}, {number} simulations of equal systems, level {100 * LEVEL:g} %, {DRAWS} draws a test, "
            f"{parsed.seeds} seeds a system; power: a planted difference of {figure.told(apart.planted, '+')}",
        ]
    )


def _verdict(equal: Calibration, test: str) -> str:
    return "kept" if equal.rate(test) <= equal.most else "not kept"


def _json(equal: Calibration, apart: Calibration, parsed: argparse.Namespace) -> str:
    tests = {test: {"false_alarms": equal.rate(test), "power": apart.rate(test)} for test in equal.p_values}
    about = {"level": LEVEL, "most": equal.most, "simulations": parsed.simulations, "planted": apart.planted}
    return json.dumps({**about, "metric": parsed.metric, "tests": tests}, indent=2)
