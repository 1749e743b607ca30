"""What sampling and choosing by agreement do to BLEU, chrF and Word Mover's similarity, on Multi30k's dev set.

    python -m benchmarks.agreement --checkpoint FILE --data DIR [--sentences 300] [--samples 16] [--write]

The same sentences by a beam, by one draw, and by the text that others agree with most (`search.mbr`), by each utility,
among samples and among the n best of a beam. A metric that was the utility tells little; the others tell whether the
translations are better.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from benchmarks import harness
from nmt.app.likeness import likeness_of
from nmt.app.models import open_system
from nmt.app.translated import translate_and_score
from nmt.app.vectors import scorer_of_checkpoint
from nmt.config.data import Multi30kConfig, Variant
from nmt.config.train import Device
from nmt.data.multi30k import read_split
from nmt.data.text import ParallelText
from nmt.search.translate import Translator
from nmt.training.device import choose_device

UTILITIES = ("none", "bleu", "chrf", "wmd")


def searches(samples: int) -> dict[str, tuple[str, ...]]:
    """What is compared, by its name in the table."""
    drawn = (f"search.samples={samples}", "search.epsilon=0.02")
    found = {
        "beam of 5": ("search.beam=5",),
        "one draw, epsilon 0.02": ("search.samples=1", "search.epsilon=0.02"),
        f"the likeliest of {samples} draws": drawn,
    }
    for utility in UTILITIES[1:]:
        found[f"MBR by {utility}, {samples} draws"] = (*drawn, f"search.mbr={utility}")
    for utility in UTILITIES[1:]:
        found[f"MBR by {utility}, beam of 12"] = ("search.beam=12", f"search.mbr={utility}")
    return found


def row_of(name: str, words: tuple[str, ...], parsed: argparse.Namespace, text: ParallelText) -> list[str]:
    system = open_system([parsed.checkpoint], ("search.nbest=1", *words), with_vectors=True)
    loaded = system.first
    scorer = scorer_of_checkpoint(loaded.path, loaded.bundle, loaded.config, list(text.tgt))
    likeness = likeness_of(loaded.config, lambda: scorer.language.vectors)
    translator = Translator(system.model, loaded.vocabularies, loaded.config.search, likeness_of=likeness)
    done = translate_and_score(text, translator, scorer, 0)
    figures = [done.scores["bleu"].value, done.scores["chrf"].value, 100 * done.scores["wmd"].value]
    row = [name, *(f"{figure:.2f}" for figure in figures), f"{done.seconds:.1f}"]
    print(" | ".join(row), file=sys.stderr, flush=True)  # what there is, should it be stopped
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--data", required=True, help="folder of Multi30k")
    parser.add_argument("--sentences", type=int, default=300, help="of the dev set, from its beginning")
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--noisy", action="store_true", help="measure on a busy machine too: seconds are worth little")
    parser.add_argument("--write", action="store_true", help="add a section to RESULTS.md")
    parsed = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    choose_device(Device.cpu, harness.cores())
    dev = read_split(Multi30kConfig(dir=parsed.data, variant=Variant.tok), "dev")
    text = ParallelText("dev", dev.src[: parsed.sentences], dev.tgt[: parsed.sentences])
    described = harness.about(parsed.noisy)
    rows = [row_of(name, words, parsed, text) for name, words in searches(parsed.samples).items()]
    head = ["", "BLEU", "chrF", "WMD similarity, x 100", "s"]
    table = harness.Table(f"Multi30k, the first {len(text.src)} sentences of dev", head, rows)
    harness.finish("agreement", [table], described, {"rows": rows}, [], parsed.write)


if __name__ == "__main__":
    main()
