"""How long the check of a large corpus takes, and how much memory: 3,000,000 made-up pairs against five test sets.

    python -m benchmarks.check [--pairs 3000000] [--noisy] [--write]

Sentences of made-up words as frequent as Zipf has it, 20 words in the mean, none twice but by chance; a hundred of the
sentences of each test set stand in the training text. `python -m nmt.data check` runs in a process of its own, which is
what is measured: from its start to its answer, its processor time, and the most memory that it held.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import harness

WORDS, MEAN_WORDS, LEAST_WORDS, MOST_WORDS = 50_000, 20, 4, 80
SETS, SENTENCES, PLANTED = 5, 3_000, 100
BLOCK = 50_000


def sentences(count: int, seed: int, letter: str) -> Iterator[list[str]]:
    """Blocks of sentences."""
    rng = np.random.default_rng(seed)
    words = np.array([f"{letter}{word}" for word in range(WORDS)], object)
    share = 1.0 / np.arange(1, WORDS + 1)
    edges = np.cumsum(share / share.sum())
    for first in range(0, count, BLOCK):
        lengths = np.clip(rng.poisson(MEAN_WORDS, min(BLOCK, count - first)), LEAST_WORDS, MOST_WORDS)
        drawn = words[np.minimum(np.searchsorted(edges, rng.random(int(lengths.sum()))), WORDS - 1)].tolist()
        ends = np.cumsum(lengths).tolist()
        yield [" ".join(drawn[end - n : end]) for end, n in zip(ends, lengths.tolist(), strict=True)]


def write_corpus(folder: Path, pairs: int) -> list[str]:
    """Training text and test sets; -> words of the command line."""
    words = ["data=files", "data.src=en", "data.tgt=de", f"data.train={folder / 'train'}"]
    for side, language in enumerate(("en", "de")):
        with (folder / f"train.{language}").open("w", encoding="utf-8") as train:
            for block in sentences(pairs, side, language):
                train.writelines(f"{line}\n" for line in block)
            for number in range(SETS):
                lines = [line for block in sentences(SENTENCES, 10 + 2 * number + side, language) for line in block]
                (folder / f"set{number}.{language}").write_text("".join(f"{line}\n" for line in lines))
                train.writelines(f"{line}\n" for line in lines[:PLANTED])
    return words + [f"+data.tests.set{number}={folder / f'set{number}'}" for number in range(SETS)]


def measure(words: list[str]) -> dict[str, Any]:
    """One run of the command, in a child of its own."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    command = [sys.executable, "-m", "nmt.data", "check", "--json", *words]
    told = json.loads(subprocess.run(command, cwd=harness.ROOT, check=True, capture_output=True, text=True).stdout)
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": seconds, "cpu_s": cpu_s, "peak_mb": after.ru_maxrss / 1024, "leaked": told["leaked"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=3_000_000)
    parser.add_argument("--noisy", action="store_true", help="measure on a busy machine too")
    parser.add_argument("--write", action="store_true", help="add a section to RESULTS.md")
    parsed = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        words = write_corpus(Path(folder), parsed.pairs)
        described = harness.about(parsed.noisy)
        found = measure(words)
    row = [f"{parsed.pairs + SETS * PLANTED:,}", f"{found['seconds']:.0f}", f"{found['cpu_s']:.0f}"]
    row += [f"{found['peak_mb']:.0f}", ", ".join(str(count) for count in found["leaked"].values())]
    head = ["pairs", "seconds", "processor seconds", "peak MB", f"leaked of {SENTENCES:,} in each set"]
    table = harness.Table(f"The check of a corpus against {SETS} test sets", head, [row])
    harness.finish("check", [table], described, found, [f"{PLANTED} sentences of each set are planted."], parsed.write)


if __name__ == "__main__":
    main()
