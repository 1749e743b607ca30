"""How long one sentence takes: captions of Multi30k's test2016, one after the other, in NumPy and in TensorFlow.

    python -m benchmarks.alone --checkpoint FILE --data DIR [--captions 200] [--shortlist FILE] [--write]

Both searches translate the same caption one after the other, so that whatever else the machine does falls on both. Told
are median and 99th percentile, processor time, and how many translations are the same. A batch of so many captions is
timed too.
"""

from __future__ import annotations

import argparse
import os
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import harness
from nmt.app.translate import open_translator
from nmt.config.data import Multi30kConfig, Variant
from nmt.config.train import Device
from nmt.data.multi30k import read_split
from nmt.search.translate import Translator
from nmt.training.device import choose_device

BEAMS = (5, 1)


class Timed:
    """A translator and what its captions took."""

    def __init__(self, title: str, translator: Translator) -> None:
        self.title, self.translator = title, translator
        self.seconds: list[float] = []
        self.processor: list[float] = []
        self.texts: list[str] = []

    def take(self, line: str) -> None:
        began, spent = time.perf_counter(), time.process_time()
        self.texts.append(self.translator.translate([line])[0][0].text)
        self.seconds.append(time.perf_counter() - began)
        self.processor.append(time.process_time() - spent)

    def row(self, other: Timed) -> list[str]:
        ms = 1e3 * np.array(self.seconds)
        same = sum(one == its for one, its in zip(self.texts, other.texts, strict=True))
        figures = [np.median(ms), np.percentile(ms, 99), 1e3 * np.median(self.processor)]
        return [self.title, *(f"{figure:.1f}" for figure in figures), f"{same} of {len(self.texts)}"]


def measure(beam: int, parsed: argparse.Namespace, lines: list[str]) -> tuple[list[list[str]], list[str], Any]:
    """-> rows of single captions, a row of batches, and all of it as plain data."""
    words: dict[str, tuple[str, ...]] = {"TensorFlow": ("search.alone=0",), "NumPy": ("search.alone=1",)}
    if parsed.shortlist:
        words |= {f"{name}, shortlist": (*own, f"search.shortlist={parsed.shortlist}") for name, own in words.items()}
    everyone = [
        Timed(name, open_translator([str(parsed.checkpoint)], (f"search.beam={beam}", "search.nbest=1", *own)))
        for name, own in words.items()
    ]
    for one in everyone:
        one.translator.translate(lines[:3])
        one.translator.translate(lines[:1])
    for line in lines:
        for one in everyone:
            one.take(line)
    whole = {one.title: harness.seconds_of(partial(one.translator.translate, lines), 1, 3) for one in everyone}
    told = {one.title: {"seconds": one.seconds, "processor": one.processor} for one in everyone}
    batches = [f"{whole[one.title].median:.2f}" for one in everyone]
    return [one.row(everyone[0]) for one in everyone], batches, told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--data", required=True, help="folder of Multi30k")
    parser.add_argument("--captions", type=int, default=200)
    parser.add_argument("--shortlist", help="file of nmt shortlist, to measure with it too")
    parser.add_argument("--threads", type=int, default=harness.cores())
    parser.add_argument("--noisy", action="store_true", help="measure on a busy machine too")
    parser.add_argument("--write", action="store_true", help="add a section to RESULTS.md")
    parsed = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    choose_device(Device.cpu, parsed.threads)
    lines = list(read_split(Multi30kConfig(dir=parsed.data, variant=Variant.tok), "test").src)[: parsed.captions]
    described = harness.about(parsed.noisy)
    tables, result = [], {}
    head = ["", "median, ms", "99 %, ms", "processor, ms", "as in TensorFlow"]
    for beam in BEAMS:
        name = f"beam of {beam}" if beam > 1 else "greedy"
        rows, batches, result[name] = measure(beam, parsed, lines)
        for row, batch in zip(rows, batches, strict=True):
            row.append(batch)
        tables.append(harness.Table(f"a caption alone, {name}", [*head, f"{len(lines)} in a batch, s"], rows))
    harness.finish("alone", tables, described, result, [f"{len(lines)} captions, in turns."], parsed.write)


if __name__ == "__main__":
    main()
