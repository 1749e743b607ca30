# N sentence pairs
"""What a run is about to train on, in a table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nmt.data.encode import EncodedCorpus
from nmt.data.subwords import Vocabularies
from nmt.plumbing.tables import table


@dataclass(frozen=True)
class Side:
    """One language of one corpus; lengths in pieces without the end mark."""

    num_tokens: int
    mean: float
    pct99: float
    longest: int
    known_pct: float  # pieces that the vocabulary has


@dataclass(frozen=True)
class CorpusReport:
    """One corpus as it was encoded."""

    name: str
    num_pairs: int
    src: Side
    tgt: Side
    dropped: dict[str, int]  # reason -> pairs


def describe(name: str, corpus: EncodedCorpus) -> CorpusReport:
    """Count what there is of a corpus."""
    return CorpusReport(
        name,
        len(corpus),
        _side(corpus.lengths_src, corpus.unknown_src),
        _side(corpus.lengths_tgt, corpus.unknown_tgt),
        dict(corpus.dropped),
    )


def _side(lengths_N: np.ndarray, unknown: int) -> Side:
    real_N = lengths_N - 1
    total = int(real_N.sum())
    known = 100.0 * (total - unknown) / total if total else 100.0
    return Side(total, float(real_N.mean()), float(np.percentile(real_N, 99)), int(real_N.max()), known)


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
        [aligned, _vocabulary_line(vocabularies), *(_dropped_line(report) for report in reports if report.dropped)]
    )


def _vocabulary_line(vocabularies: Vocabularies) -> str:
    kind = vocabularies.src.kind.value
    if vocabularies.joint:
        return f"vocabulary: {vocabularies.src.size:,} ({kind}), one for both languages"
    return f"vocabulary: {vocabularies.src.size:,} and {vocabularies.tgt.size:,} ({kind})"


def _dropped_line(report: CorpusReport) -> str:
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in report.dropped.items())
    return f"dropped from {report.name}: {reasons}"
