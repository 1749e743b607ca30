"""The command: files of text in, scores out."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nmt.config.metrics import AUTO, TOKENIZERS, Aggregate, Backend, Norm, WmdConfig
from nmt.errors import MetricError
from nmt.metrics.references import split_references
from nmt.metrics.vectors import load_vectors
from nmt.metrics.wmd.engine import WORTH_PROCESSES
from nmt.metrics.wmd.explain import TransportPlan
from nmt.metrics.wmd.mover import WmdScore, WordMover
from nmt.metrics.wmd.words import NLTK_2017, stop_list, vocabulary_of
from nmt.plumbing import edge
from nmt.plumbing.text import counted, read_lines

ABOUT = "How similar translations are to references, by Word Mover's Distance: docs/wmd.md."
# What --preset 2017 stands for: the code of that year, word by word.
PRESET_2017: dict[str, object] = {"norm": "raw", "aggregate": "max", "sigma": 1.0, "stop_words": NLTK_2017}


def main(arguments: Sequence[str]) -> int:
    """Exit status: 0, or 2 with one sentence on standard error for a mistake that the user can mend."""
    return edge.command(lambda: _run(_parse(arguments)))


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = edge.Parser(prog="python -m nmt.metrics.wmd", description=ABOUT, allow_abbrev=False)
    parser.takes = "--hyp FILE --ref FILE --vectors FILE and options"
    parser.add_argument("--hyp", required=True, type=Path, metavar="FILE", help="translations, a line each")
    parser.add_argument(
        "--ref",
        required=True,
        action="append",
        type=Path,
        metavar="FILE",
        help="references, line by line; repeat it, or put several references of a line into one file with tabs between",
    )
    parser.add_argument(
        "--vectors", required=True, type=Path, metavar="FILE", help="word2vec, GloVe, gensim or .npz; may be gzip"
    )
    parser.add_argument(
        "--stop-words", metavar="LIST", help=f"a language code (default: en), {NLTK_2017}, or none to keep all words"
    )
    parser.add_argument(
        "--tokenize",
        choices=TOKENIZERS,
        default=AUTO,
        help="sacreBLEU's tokenizer; auto: by the language of --stop-words, 13a where that names none (default: auto)",
    )
    parser.add_argument(
        "--lowercase", action=argparse.BooleanOptionalAction, default=True, help="lower-case the text (default: yes)"
    )
    parser.add_argument("--norm", choices=[norm.value for norm in Norm], help="length of vectors (default: unit)")
    parser.add_argument("--aggregate", choices=[way.value for way in Aggregate], help="over references (default: max)")
    parser.add_argument("--sigma", type=float, help="similarity is exp(-distance / sigma) (default: 1)")
    parser.add_argument(
        "--preset",
        choices=["2017"],
        help=f"raw vectors, max, sigma 1, stop words {NLTK_2017}",
    )
    parser.add_argument("--backend", choices=[end.value for end in Backend], default="exact", help="(default: exact)")
    parser.add_argument("--processes", type=int, metavar="N", help="(default: all cores for large sets, else 1)")
    parser.add_argument("--json", action="store_true", help="print JSON, with a score for each sentence")
    parser.add_argument("--explain", type=int, default=0, metavar="N", help="show how mass moves in the first N lines")
    return parser.parse_args(arguments)


def _config(options: argparse.Namespace) -> WmdConfig:
    """Raises MetricError where a choice contradicts the preset, ConfigError for a value out of range."""
    if options.sigma is not None and not math.isfinite(options.sigma):
        raise MetricError("--sigma", found=options.sigma, expected="a finite number", next_step="1 is the definition's")
    defaults: dict[str, object] = {"norm": "unit", "aggregate": "max", "sigma": 1.0, "stop_words": "en"}
    chosen = {key: getattr(options, key) for key in defaults if getattr(options, key) is not None}
    if options.preset is not None:
        for key, value in chosen.items():
            if value != PRESET_2017[key]:
                flag = "--" + key.replace("_", "-")
                raise MetricError(
                    f"{flag} with --preset 2017",
                    found=value,
                    expected=f"{PRESET_2017[key]}, which the preset stands for",
                    next_step="drop one of the two",
                )
        defaults = PRESET_2017
    values: dict[str, Any] = {**defaults, **chosen}
    return WmdConfig(
        norm=Norm(values["norm"]),
        aggregate=Aggregate(values["aggregate"]),
        sigma=values["sigma"],
        stop_words=values["stop_words"],
        tokenize=options.tokenize,
        lowercase=options.lowercase,
        backend=Backend(options.backend),
    )


def _run(options: argparse.Namespace) -> None:
    cfg = _config(options)
    for flag, value, least in (("--explain", options.explain, 0), ("--processes", options.processes, 1)):
        if value is not None and value < least:
            raise MetricError(flag, found=value, expected=f"at least {least}", next_step="give a number of that size")
    named = cfg.stop_words not in ("auto", "none", NLTK_2017)
    language = cfg.stop_words if named else "en"
    stop_list(cfg.stop_words, language)  # before the files are read, which takes longer
    candidates = read_lines(options.hyp)
    references = read_references(options.ref, options.hyp, len(candidates))
    texts = [*candidates, *(text for several in references for text in several)]
    vectors = load_vectors(options.vectors, vocabulary_of(texts, cfg, language))
    num_pairs = len(texts) - len(candidates)
    processes = options.processes or ((os.cpu_count() or 1) if num_pairs >= WORTH_PROCESSES else 1)
    progress = num_pairs >= WORTH_PROCESSES and sys.stderr.isatty()
    mover = WordMover(vectors, cfg, language, processes, progress)
    score = mover.score(candidates, references)
    plans = mover.plans(candidates[: options.explain], references[: options.explain])
    print(_as_json(score, plans) if options.json else _as_text(score, plans))


def _as_json(score: WmdScore, plans: Sequence[TransportPlan | None]) -> str:
    content: dict[str, Any] = {
        "similarity": score.similarity,
        "distance": score.distance,
        "coverage": score.coverage,
        "num_empty": score.num_empty,
        "num_unknown": score.num_unknown,
        "signature": score.signature,
        "sentences": [asdict(sentence) for sentence in score.sentences],
    }
    if plans:
        content["plans"] = [plan and plan.as_json() for plan in plans]
    return json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False)


def _as_text(score: WmdScore, plans: Sequence[TransportPlan | None]) -> str:
    distance = "none" if score.distance is None else f"{score.distance:.4f}"
    lines = [
        f"similarity {score.similarity:.4f}  distance {distance}  coverage {score.coverage:.4f}"
        f"  ({len(score.sentences)} sentences, {score.num_empty} empty, {score.num_unknown} unknown)",
        score.signature,
    ]
    for number, plan in enumerate(plans, start=1):
        sentence = score.sentences[number - 1]
        lines += ["", f"line {number}: similarity {sentence.similarity:.4f}"]
        lines.append("no mass to move: a side is empty or has no known word" if plan is None else plan.table())
    return "\n".join(lines)


def read_references(paths: Sequence[Path], hyp: Path, num_lines: int) -> list[list[str]]:
    """References of each line: all files, and in each file all that tabs divide.

    Raises DataError for a file that is no text, MetricError unless every file has `num_lines` lines.
    """
    references: list[list[str]] = [[] for _ in range(num_lines)]
    for path in paths:
        lines = read_lines(path)
        if len(lines) != num_lines:
            raise MetricError(
                str(path),
                found=counted(len(lines), "line"),
                expected=f"{num_lines}, as in {hyp}",
                next_step="give each line of the one a line of the other",
            )
        for several, line in zip(references, lines, strict=True):
            several += split_references(line)
    return references
