"""What a run says at its end, as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from nmt.config.metrics import METRICS, Facts
from nmt.plumbing.tables import table
from nmt.report import doctor


class Sample(NamedTuple):
    """One sentence of a test set and what became of it."""

    source: str
    reference: str
    translation: str


def score_rows(results_by_name: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    """Cells under `scores_header`, from the content of one `results.json` a name."""
    rows = []
    for name, result in results_by_name.items():
        row = [name, str(result["sentences"])]
        for facts in facts_in(results_by_name.values()):
            content = result[facts.name]
            row.append(with_interval(content, facts.value, facts.figure.digits))
            row += [column.told(content[column.key]) for column in facts.columns]
        rows.append(row)
    return rows


def scores_header(results_by_name: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A column for each figure of each metric."""
    header = ["data", "sentences"]
    for facts in facts_in(results_by_name.values()):
        header += [facts.figure.label, *(column.label for column in facts.columns)]
    return header


def facts_in(results: Iterable[Mapping[str, Any]]) -> list[Facts]:
    """Of the metrics that the results of a run hold, in their order."""
    names = dict.fromkeys(name for result in results for name in result if name in METRICS)
    return [METRICS[name] for name in names]


def scores_table(results_by_name: Mapping[str, Mapping[str, Any]]) -> str:
    """Scores with their intervals, and below them what makes them comparable: signatures and reference lengths."""
    lines = [table(score_rows(results_by_name), scores_header(results_by_name)), ""]
    for name, result in results_by_name.items():
        lines += [
            f"{name}: {facts.label} {result[facts.name]['signature']}{remark(facts, result, ' ({})')}"
            for facts in facts_in([result])
        ]
        if "attention" in result:
            lines.append(f"{name}: {doctor.told(result['attention'])}")
        if "leaked" in result:
            lines.append(f"{name}: {without_leaked(result)}")
    return "\n".join(lines)


def without_leaked(result: Mapping[str, Any]) -> str:
    """`3 of 1,000 sentences stand in the training text; without them BLEU 41.20`"""
    leaked = result["leaked"]
    scores = [
        f"{facts.figure.label} {facts.figure.told(leaked['without'][facts.name])}"
        for facts in facts_in([result])
        if leaked["without"][facts.name] is not None
    ]
    told = f"; without them {', '.join(scores)}" if scores else ""
    return f"{leaked['sentences']:,} of {result['sentences']:,} sentences stand in the training text{told}"


def remark(facts: Facts, result: Mapping[str, Any], frame: str) -> str:
    """What is said beside a signature, in a frame such as " ({})"; nothing where there is nothing to say."""
    return frame.format(facts.remark.format(**result[facts.name])) if facts.remark else ""


def with_interval(score: Mapping[str, Any], key: str, digits: int) -> str:
    """`41.20 [39.98, 42.37]`: a score and, where there is one, its interval (called ci95, ci90, ...)."""
    bounds = next((value for name, value in score.items() if name.startswith("ci") and value is not None), None)
    text = f"{score[key]:.{digits}f}"
    return text if bounds is None else f"{text} [{bounds[0]:.{digits}f}, {bounds[1]:.{digits}f}]"


def spent(seconds: float, gpu_seconds: float, usd: float | None) -> str:
    """`3 min 42 s, 222 GPU-seconds, 0.03 US dollars`: what training took. A price is told where one is known."""
    hours, minutes = int(seconds) // 3600, int(seconds) // 60 % 60
    parts = [f"{hours} h"] * (hours > 0) + [f"{minutes} min"] * (hours + minutes > 0) + [f"{int(seconds) % 60} s"]
    told = [" ".join(parts)]
    if gpu_seconds:
        told.append(f"{gpu_seconds:,.0f} GPU-seconds")
    if usd is not None:
        told.append(f"{usd:,.2f} US dollars" if usd >= 0.01 else f"{usd:.4f} US dollars")
    return ", ".join(told)


def samples(sentences: Sequence[Sample]) -> str:
    """Source, reference and translation below each other, a blank line between sentences."""
    return "\n\n".join(
        f"source       {sample.source}\nreference    {sample.reference}\ntranslation  {sample.translation}"
        for sample in sentences
    )


def summary(
    results_by_name: Mapping[str, Mapping[str, Any]], sentences: Sequence[Sample], places: Mapping[str, Path], took: str
) -> str:
    """The end of a run: scores, sample translations, what training took, and where everything lies (what -> path)."""
    lie = table([(what, str(path)) for what, path in places.items()], right=())
    return "\n\n".join(
        part for part in (scores_table(results_by_name), samples(sentences), took and f"training: {took}", lie) if part
    )
