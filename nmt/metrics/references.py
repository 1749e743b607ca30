"""Hypotheses beside their references: what must hold before anything is counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from nmt.errors import MetricError
from nmt.plumbing.text import counted


def split_references(line: str) -> list[str]:
    """The references in a line of a file of references: tabs divide them.

    As in sacreBLEU white space at the end goes first, so that a tab there adds no empty reference.
    """
    return line.rstrip().split("\t")


def check_corpus(metric: str, hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> None:
    """Raises MetricError unless each of at least one hypothesis has at least one reference."""
    if len(hypotheses) != len(references):
        raise MetricError(
            metric,
            found=f"{counted(len(hypotheses), 'translation')} and references for "
            f"{counted(len(references), 'sentence')}",
            expected="as many of one as of the other",
            next_step="score the translations against the test set they were made from",
        )
    if not hypotheses:
        raise MetricError(
            metric, found="no sentences", expected="at least 1", next_step="give a test set that is not empty"
        )
    for number, sentence in enumerate(references, start=1):
        if not sentence:
            raise MetricError(
                f"{metric}, sentence {number}",
                found="no reference",
                expected="at least 1",
                next_step="give each sentence a reference, which may be an empty line",
            )


def reference_streams(references: Sequence[Sequence[str]]) -> list[list[str]]:
    """References by sentence -> by stream, as sacreBLEU takes them; None where a sentence has fewer than others."""
    num_streams = max(len(sentence) for sentence in references)
    streams = [
        [sentence[stream] if stream < len(sentence) else None for sentence in references]
        for stream in range(num_streams)
    ]
    return cast("list[list[str]]", streams)  # sacreBLEU documents None, and leaves it out of its types
