"""`python -m nmt.data check`, or `nmt check`: what is wrong with a corpus, before anything is trained on it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from tqdm import tqdm

from nmt.config.compose import composed
from nmt.data.check import check
from nmt.data.check_told import as_json, as_text, refuse_existing, write_clean
from nmt.data.corpora import load_all
from nmt.errors import ConfigError
from nmt.plumbing import edge

ABOUT = """\
Look through the training text for sentences of the dev and test sets (exactly, but for case, punctuation and white
space, or nearly), duplicates, pairs whose sides are equal, of another script, or much longer than one another.
"""
EXAMPLE = "nmt check data=files data.src=en data.tgt=de data.train=PREFIX data.dev=PREFIX data.test=PREFIX"


def run(arguments: Sequence[str]) -> int:
    """`python -m nmt.data`; -> exit status."""
    words = list(arguments)
    if words[:1] == ["check"]:
        return run_check(words[1:])
    if words[:1] in (["--help"], ["-h"]):
        return run_check(words)
    return edge.command(lambda: _refuse(words))


def _refuse(words: Sequence[str]) -> int:
    raise ConfigError(
        "python -m nmt.data", found=" ".join(words[:1]) or "nothing", expected="check", next_step=f"as in: {EXAMPLE}"
    )


def run_check(arguments: Sequence[str]) -> int:
    """`nmt check`; -> exit status."""
    return edge.command(lambda: _check(_parser().parse_args(list(arguments))))


def _parser() -> argparse.ArgumentParser:
    parser = edge.Parser(prog="nmt check", description=ABOUT, epilog=f"Example: {EXAMPLE}")
    parser.add_argument("words", nargs="*", metavar="KEY=VALUE", help="the words of train.py that choose the data")
    parser.add_argument("--json", action="store_true", help="all that was found, for programs")
    parser.add_argument("--write-clean", metavar="PREFIX", help="write the training pairs without any fault")
    return parser


def _check(parsed: argparse.Namespace) -> None:
    config = composed(parsed.words).data
    corpora, sets = load_all(config)
    if parsed.write_clean is not None:
        refuse_existing(parsed.write_clean, corpora, (config.src, config.tgt))
    with tqdm(total=sum(map(len, corpora)), disable=not sys.stderr.isatty(), unit="pair") as bar:
        checked = check(corpora, sets, config.max_ratio, bar.update)
    print(json.dumps(as_json(checked), indent=2, ensure_ascii=False) if parsed.json else as_text(checked))
    if parsed.write_clean is not None:
        written = write_clean(checked, parsed.write_clean, (config.src, config.tgt))
        for prefix, pairs in written.items():
            print(f"{prefix}.{config.src}, {prefix}.{config.tgt}: {pairs:,} pairs", file=sys.stderr)
