# N sentence pairs
"""What a run is about to train on, in a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nmt.data.encode import EncodedCorpus
from nmt.data.subwords import Subwords, Vocabularies
from nmt.data.text import ParallelText
from nmt.plumbing.tables import table

LOOKED_AT, SHOWN = 100_000, 5  # lines that examples come from, and how many are shown


@dataclass(frozen=True)
class Side:
    """One language of one corpus; lengths in pieces without the end mark."""

    num_tokens: int
    mean: float
    pct99: float
    longest: int
    known_pct: float  # pieces that the vocabulary has
    unknown: int = 0  # the others
    such_as: tuple[str, ...] = ()  # a few of them, as text


@dataclass(frozen=True)
class CorpusReport:
    """One corpus as it was encoded."""

    name: str
    num_pairs: int
    src: Side
    tgt: Side
    dropped: dict[str, int]  # reason -> pairs


def describe(text: ParallelText, corpus: EncodedCorpus, vocabularies: Vocabularies) -> CorpusReport:
    """Count what there is of a corpus."""
    return CorpusReport(
        text.name,
        len(corpus),
        _side(corpus.lengths_src, corpus.unknown_src, text.src, vocabularies.src),
        _side(corpus.lengths_tgt, corpus.unknown_tgt, text.tgt, vocabularies.tgt),
        dict(corpus.dropped),
    )


def _side(lengths_N: np.ndarray, unknown: int, lines: Sequence[str], subwords: Subwords) -> Side:
    real_N = lengths_N - 1
    total = int(real_N.sum())
    known = 100.0 * (total - unknown) / total if total else 100.0
    spread = float(real_N.mean()), float(np.percentile(real_N, 99)), int(real_N.max())
    return Side(total, *spread, known, unknown, _examples(lines, subwords) if unknown else ())


def _examples(lines: Sequence[str], subwords: Subwords) -> tuple[str, ...]:
    """The first few parts of the text that are unknown, from its first lines."""
    found: dict[str, None] = {}
    for line in lines[:LOOKED_AT]:
        found.update(dict.fromkeys(subwords.unknown(line)))
        if len(found) >= SHOWN:
            break
    return tuple(found)[:SHOWN]


def render(reports: list[CorpusReport], vocabularies: Vocabularies, src: str, tgt: str) -> str:
    """An aligned table, a line a corpus and language, then what was dropped and why."""
    rows = [("corpus", "pairs", "language", "pieces", "mean", "99 %", "longest", "known")]
    for report in reports:
        for number, (language, side) in enumerate(((src, report.src), (tgt, report.tgt))):
            rows.append(
                (
                    "" if number else report.name,
                    "" if number else f"{report.num_pairs:,}",
                    language,
                    f"{side.num_tokens:,}",
                    f"{side.mean:.1f}",
                    f"{side.pct99:.0f}",
                    str(side.longest),
                    f"{side.known_pct:.2f} %",
                )
            )
    aligned = table(rows, right=(1, 3, 4, 5, 6, 7))
    return "\n".join(
        [
            aligned,
            _vocabulary_line(vocabularies),
            *(_dropped_line(report) for report in reports if report.dropped),
            *(
                _unknown_line(report.name, language, side)
                for report in reports
                for language, side in ((src, report.src), (tgt, report.tgt))
                if side.unknown
            ),
        ]
    )


def _vocabulary_line(vocabularies: Vocabularies) -> str:
    kind = vocabularies.src.kind.value
    if vocabularies.joint:
        return f"vocabulary: {vocabularies.src.size:,} ({kind}), one for both languages"
    return f"vocabulary: {vocabularies.src.size:,} and {vocabularies.tgt.size:,} ({kind})"


def _unknown_line(name: str, language: str, side: Side) -> str:
    examples = ", ".join(repr(part) for part in side.such_as)
    such_as = f", such as {examples}" if examples else f": none in the first {LOOKED_AT:,} lines"
    return f"unknown in {name}, {language}: {side.unknown:,} pieces{such_as}"


def _dropped_line(report: CorpusReport) -> str:
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in report.dropped.items())
    return f"dropped from {report.name}: {reasons}"
