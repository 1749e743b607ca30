"""How large the page of a comparison is, and how soon it can be used.

    python -m benchmarks.page --source FILE --target FILE [--sentences 1000] [--systems 3] [--rounds 5]

Every system has for each sentence of the files its attention (words stand for pieces; each row is random, with a
peak and few zeros), a transport plan of as many moves as there are words, three scores and an n-best list of three. The
page is opened from the disk in Debian's chromium, until the first sentences are there.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

from nmt.config.metrics import METRICS
from nmt.plumbing.text import read_lines
from nmt.report.page import Report, write_report
from nmt.report.sentences import Candidate, Detail, Moves, Sentences, quantised

FIGURES = [METRICS[name].figure for name in list(METRICS)[:3]]
NBEST = 3


def candidate(name: str, source: list[str], lines: list[str], generator: np.random.Generator) -> Candidate:
    """A system that wrote `lines`."""
    details, plans = [], []
    for src, tgt in zip(source, lines, strict=True):
        pieces_src, pieces_tgt = [*src.split(), "</s>"], [*tgt.split(), "</s>"]
        weight_TS = generator.dirichlet(np.full(len(pieces_src), 0.3), size=len(pieces_tgt))
        nbest = [(tgt, float(score)) for score in generator.random(NBEST)]
        details.append(Detail(pieces_src, pieces_tgt, quantised(weight_TS), nbest))
        plans.append(Moves(0.5, [(word, word, *generator.random(2).tolist()) for word in tgt.split()]))
    scores = {figure.label: generator.random(len(source)) for figure in FIGURES}
    return Candidate(name, lines, scores, details, plans)


def seconds(path: Path, rounds: int) -> list[float]:
    """From asking for the page to its first sentences, in a browser that runs already."""
    taken = []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for _ in range(rounds + 1):
            page = browser.new_page()
            began = time.perf_counter()
            page.goto(path.as_uri())
            page.wait_for_selector("#list li")
            taken.append(time.perf_counter() - began)
            page.close()
        browser.close()
    return taken[1:]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page")
    parser.add_argument("--source", required=True)
    parser.add_argument("--target", required=True)
    for name, number in (("sentences", 1000), ("systems", 3), ("rounds", 5)):
        parser.add_argument(f"--{name}", type=int, default=number)
    asked = parser.parse_args(arguments)
    source, target = (read_lines(path)[: asked.sentences] for path in (asked.source, asked.target))
    generator = np.random.default_rng(1)
    systems = [candidate(f"system {place + 1}", source, target, generator) for place in range(asked.systems)]
    sentences = Sentences(source, [[line] for line in target], systems, FIGURES)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.html"
        write_report(path, Report("page", systems=[one.name for one in systems], sentences=sentences))
        whole = len(list(Path(folder).iterdir())) == 1
        size = f"{path.stat().st_size / 1024:,.0f} KiB"
        print(f"{len(source)} sentences, {len(systems)} systems: {size}{'' if whole else ', its sentences beside it'}")
        if whole:
            taken = seconds(path, asked.rounds)
            print(
                f"open: median {statistics.median(taken):.2f} s of {len(taken)}, {min(taken):.2f} to {max(taken):.2f}"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
