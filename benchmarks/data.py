"""Whether the cost of training grows with the corpus: from 30,000 to 3,000,000 synthetic pairs, the same model.

    python -m benchmarks.data [--pairs 30000 300000 3000000] [--write]

A block of 30,000 made-up pairs, as long as Multi30k's sentences and with words as frequent as Zipf has it, is written
once, ten times, and a hundred times. Our real training run reads, cuts and sorts each corpus, and then trains; told
are target tokens/s, the share of its time that the loop waited for a batch, the seconds to its first step, and the
memory it held then, of which the growth a pair is what the corpus costs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import harness
from benchmarks.contestants import ALIKE, ENDLESS, RUNS, SILENT, Contestant, Start, fresh_runs, quiet_environment

BLOCK = 30_000
WORDS = 8_000
MEAN_WORDS, LEAST_WORDS, MOST_WORDS = 14, 4, 40
SIZES = ("model.embedding=128", "model.encoder_units=128", "model.units=128", "model.attention_units=128")
SMALL = "train.batch_sentences=80"


def block(seed: int) -> list[str]:
    """Sentences of made-up words."""
    rng = np.random.default_rng(seed)
    lengths = np.clip(rng.poisson(MEAN_WORDS, BLOCK), LEAST_WORDS, MOST_WORDS)
    share = 1.0 / np.arange(1, WORDS + 1)
    words = rng.choice(WORDS, size=int(lengths.sum()), p=share / share.sum())
    ends = np.cumsum(lengths)
    return [" ".join(f"w{word}" for word in words[end - n : end]) for end, n in zip(ends, lengths, strict=True)]


def write_corpus(folder: Path, pairs: int, sides: dict[str, list[str]]) -> Path:
    """Files of so many pairs; -> their PREFIX."""
    folder.mkdir(parents=True, exist_ok=True)
    prefix = folder / f"pairs{pairs}"
    for language, lines in sides.items():
        write_lines(Path(f"{prefix}.{language}"), pairs, lines)
    return prefix


def write_lines(path: Path, count: int, lines: list[str]) -> None:
    """`lines` over and over, until there are `count`."""
    whole, rest = divmod(count, len(lines))
    text = "\n".join(lines) + "\n"
    with path.open("w", encoding="utf-8") as file:
        for _ in range(whole):
            file.write(text)
        file.writelines(f"{line}\n" for line in lines[:rest])


def write_vectors(path: Path, words: Iterable[str]) -> None:
    """Some word vectors, so that none are learnt from the corpus, which is a matter of its own."""
    rng = np.random.default_rng(0)
    with path.open("w", encoding="utf-8") as file:
        for word in words:
            file.write(f"{word} {' '.join(f'{x:.3f}' for x in rng.standard_normal(8))}\n")


def start(folder: Path, pairs: int, sides: dict[str, list[str]], threads: int) -> Start:
    prefix, dev = write_corpus(folder, pairs, sides), write_corpus(folder, 500, sides)
    vectors = folder / "vectors.txt"
    write_vectors(vectors, {word for line in sides["de"][:500] for word in line.split()})
    data = ["data=files", "data.src=en", "data.tgt=de", f"data.train={prefix}", f"data.dev={dev}"]
    rest = [f"metrics.wmd.vectors={vectors}", "subword=words", f"subword.size={WORDS}", f"train.threads={threads}"]
    cache = f"subword.cache={folder / 'cache'}"  # empty, so that all is cut here
    overrides = [*data, *rest, cache, SMALL, *SIZES, *ALIKE, *ENDLESS, *SILENT]
    command = [sys.executable, "-m", "benchmarks.ours", f"--folder={RUNS}", *overrides]
    return Start(f"pairs{pairs}", f"{pairs:,} pairs", command, quiet_environment(threads, "cpu"))


def measure(program: Start, parsed: argparse.Namespace) -> dict[str, Any]:
    """One corpus: some turns of training."""
    with Contestant(program) as contestant:
        contestant.turn(0, parsed.warm_up, 1)
        turns = [contestant.turn(1, parsed.seconds, 1) for _ in range(parsed.rounds)]
        speed = harness.summarise([turn["tokens"] / turn["seconds"] for turn in turns])
        waited = sum(turn["waited_s"] for turn in turns) / sum(turn["seconds"] for turn in turns)
        return {
            "tokens_per_s": speed.as_json(),
            "waited_share": waited,
            "start_s": contestant.ready["ready"],
            "start_mb": contestant.ready["rss_mb"],
            "peak_mb": turns[-1]["rss_mb"],
        }


def rows(found: dict[int, dict[str, Any]]) -> list[list[str]]:
    """A row a corpus; speed relative to the smallest one's, memory by its growth a pair."""
    smallest = min(found)
    table = []
    for pairs, figures in sorted(found.items()):
        speed, base = figures["tokens_per_s"], found[smallest]
        growth = 1e6 * (figures["peak_mb"] - base["peak_mb"]) / (pairs - smallest) if pairs > smallest else None
        table.append(
            [
                f"{pairs:,}",
                f"{speed['median']:,.0f}",
                f"{speed['spread_pct']:.0f} %",
                f"{speed['median'] / base['tokens_per_s']['median']:.3f}",
                f"{100 * figures['waited_share']:.2f} %",
                f"{figures['start_s']:.1f}",
                f"{figures['peak_mb']:.0f}",
                "-" if growth is None else f"{growth:.0f}",
            ]
        )
    return table


HEAD = ["pairs", "tokens/s", "spread", "to the smallest", "waited", "first step, s", "peak MB", "more bytes a pair"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, nargs="+", default=[30_000, 300_000, 3_000_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6.0, help="of a turn, at least")
    parser.add_argument("--warm-up", type=float, default=5.0, help="seconds that do not count, after the first step")
    parser.add_argument("--threads", type=int, default=harness.cores())
    parser.add_argument("--noisy", action="store_true", help="measure on a busy machine too")
    parser.add_argument("--write", action="store_true", help="add a section to RESULTS.md")
    parsed = parser.parse_args()
    described = harness.about(parsed.noisy)
    sides = {"en": block(1), "de": block(2)}
    found: dict[int, dict[str, Any]] = {}
    for pairs in parsed.pairs:
        print(f"{pairs:,} pairs ...", file=sys.stderr)
        with fresh_runs():
            found[pairs] = measure(start(RUNS, pairs, sides, parsed.threads), parsed)
    table = harness.Table("The same model on growing corpora", HEAD, rows(found))
    notes = ["First step: from the start of the process; reading, cutting and sorting the corpus included."]
    harness.finish("data", [table], described, {str(k): v for k, v in found.items()}, notes, parsed.write)


if __name__ == "__main__":
    main()
