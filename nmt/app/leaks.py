"""Which sentences of dev and test sets stand in the training text: found as a run begins, kept in its checkpoints."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import xxhash

from nmt.app.continuation import Origin, digest_of
from nmt.checkpoint.bundle import Bundle
from nmt.config.root import Config
from nmt.data.check import check
from nmt.data.check_told import one_line
from nmt.data.corpora import Corpora, is_apart
from nmt.data.text import ParallelText
from nmt.plumbing.files import write_text
from nmt.plumbing.folders import cache
from nmt.plumbing.records import parsed, record_of

log = logging.getLogger(__name__)
FORMAT = "1"  # raise it when the same text comes to have other leaks
LEAST = 100_000  # training pairs; what was found in fewer is not kept, since looking again takes seconds


@dataclass(frozen=True)
class Leaks:
    """`rows`: the leaked sentences of each set, from 0; None where nobody has looked. `line` tells of them."""

    rows: dict[str, list[int]] | None
    line: str


def leaks_of(config: Config, corpora: Corpora, origin: Origin, before: Bundle | None) -> Leaks:
    """As the run found them when it began; a run that begins looks, unless `data.check` is off."""
    if before is not None:
        return Leaks(before.leaks, "" if before.leaks is None else f"leaked sentences: {_counts(before.leaks)}")
    if not config.data.check or is_apart(config.data):
        return Leaks(None, "")
    pairs = sum(map(len, corpora.train))
    asked = repr((FORMAT, origin.corpus, sorted(origin.tests.items()), config.data.max_ratio))
    name = xxhash.xxh3_128_hexdigest(asked)
    path = cache("subwords", config.subword.cache) / "checks" / f"{name}.json"
    leaks = (_recalled(path) if pairs >= LEAST else None) or _look(config, corpora)
    if pairs >= LEAST:
        _keep(path, leaks)
    log.info("%s", leaks.line)
    return leaks


def _counts(rows: Mapping[str, Sequence[int]]) -> str:
    return ", ".join(f"{len(leaked):,} of {name}" for name, leaked in rows.items())


def sizes_of(corpora: Corpora) -> dict[str, int]:
    """Pairs of the training text, dev and test sets, as they were read."""
    tests = {name: len(text) for name, text in corpora.tests.items()}  # called as one likes, even "train"
    return {**tests, "train": sum(map(len, corpora.train)), "dev": len(corpora.dev)}


def _look(config: Config, corpora: Corpora) -> Leaks:
    found = check(corpora.train, {"dev": corpora.dev, **corpora.tests}, config.data.max_ratio)
    return Leaks({name: one.rows for name, one in found.sets.items()}, one_line(found))


def _recalled(path: Path) -> Leaks | None:
    """What was found in this text before; None where nothing was kept, or it cannot be read."""
    try:
        return record_of(Leaks, parsed(path.read_bytes()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        log.warning("What is kept in %s cannot be read (%s); the training text is looked through anew.", path, error)
        return None


def _keep(path: Path, leaks: Leaks) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(asdict(leaks)))
    except OSError as error:
        log.warning("What was found in the training text cannot be kept in %s (%s).", path, error)


def leaked_to_any(bundles: Sequence[Bundle], name: str, text: ParallelText) -> Sequence[int]:
    """Of a test set, what stands in the training text of any of a system's models."""
    return sorted({row for bundle in bundles for row in leaked_rows(bundle, name, text)})


def leaked_rows(bundle: Bundle, name: str, text: ParallelText) -> Sequence[int]:
    """Of a test set, as the run of a checkpoint found them; says so where it cannot know."""
    rows = (bundle.leaks or {}).get(name)
    known = rows is not None and (bundle.tests or {}).get(name) == digest_of(text)
    if rows is not None and known and all(0 <= row < len(text) for row in rows):
        return rows
    if bundle.leaks is not None:
        log.warning("%s: the run had another test set; nmt check tells whether this one stands in its text", name)
    return ()
