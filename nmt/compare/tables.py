"""A comparison as text for a terminal, as `comparison.json`, and as the table that reviewers ask for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from nmt.compare.buckets import plain
from nmt.compare.judge import Comparison, Verdict
from nmt.config.mistakes import show
from nmt.metrics.agreement import SOURCE
from nmt.metrics.bootstrap import Interval
from nmt.plumbing.tables import table

ABOUT_RUNS = ("data", "training pairs", "dev pairs", "seeds", "hardware", "hours", "US$")
_MARKDOWN = re.compile(r"([\\|*_`<])")
_LATEX = {letter: f"\\{letter}" for letter in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "|": r"\textbar{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "±": r"$\pm$",
}


def header(comparison: Comparison) -> tuple[str, ...]:
    """Of `rows`."""
    interval = f"its {100 * comparison.confidence:g} % interval"
    tests = ("p (bootstrap)", "p (randomisation)", "p (Holm)", "people agree")
    return ("metric", "system", "score", "difference", interval, *tests)


def rows(comparison: Comparison) -> list[tuple[str, ...]]:
    """Every system but the baseline, by every metric."""
    return [cells(verdict) for verdict in comparison.verdicts if verdict.difference is not None]


def cells(verdict: Verdict) -> tuple[str, ...]:
    figure = verdict.measure.figure
    assert verdict.difference is not None
    assert verdict.difference_interval is not None
    low, high = verdict.difference_interval.low, verdict.difference_interval.high
    return (
        figure.label,
        verdict.system,
        score_of(verdict),
        figure.told(verdict.difference, "+"),
        f"[{figure.told(low, '+')}, {figure.told(high, '+')}]",
        *("-" if p is None else _rounded(p) for p in (verdict.p_bootstrap, verdict.p_randomisation, verdict.p_holm)),
        "no curve" if verdict.agreement is None else f"{verdict.agreement:.0f} %",
    )


def _rounded(p: float, equals: str = "") -> str:
    return "< 0.001" if p < 0.001 else f"{equals}{p:.3f}"


def score_of(verdict: Verdict) -> str:
    """41.20 ± 0.31 over 3 seeds"""
    told = verdict.measure.figure.told(verdict.score)
    if verdict.deviation is None:
        return told
    return f"{told} ± {verdict.measure.figure.told(verdict.deviation)} over {verdict.num_seeds} seeds"


def as_text(comparison: Comparison) -> str:
    """For a terminal."""
    return "\n".join(
        [
            f"{comparison.test}: compared with {comparison.baseline}",
            table(rows(comparison), header(comparison)),
            *whose_files(comparison),
            *remarks(comparison),
        ]
    )


def whose_files(comparison: Comparison) -> list[str]:
    """Which file stands behind each name."""
    return [f"{system.name}: {', '.join(map(show, system.files))}" for system in comparison.systems if system.files]


def remarks(comparison: Comparison) -> list[str]:
    """What has to be known to read the table."""
    found = list(comparison.notes)
    if any(verdict.num_seeds > 1 for verdict in comparison.verdicts):
        resampled = "where p (randomisation) is -: p (bootstrap) resamples sentences and seeds together"
        found.append(f"{resampled}; ±: standard deviation over seeds")
    if any(verdict.agreement is not None for verdict in comparison.verdicts):
        found.append(f"people agree: with a difference of that size, by {SOURCE}; 50 % is a coin toss")
    for verdict in comparison.verdicts:
        if verdict.difference is None and not verdict.measure.ours:
            signature = comparison.signatures[verdict.measure.name]
            found.append(f"{verdict.measure.name}: numbers from a file, not computed here; signature: {signature}")
    return found


def as_json(comparison: Comparison) -> dict[str, Any]:
    """The content of `comparison.json`; what compares with the baseline is null of itself."""
    metrics: dict[str, dict[str, Any]] = {}
    key = f"ci{100 * comparison.confidence:g}"
    for one in comparison.verdicts:
        metrics.setdefault(one.measure.name, {})[one.system] = {
            "score": one.score,
            key: _bounds(one.interval),
            "difference": one.difference,
            f"difference_{key}": _bounds(one.difference_interval),
            "p_bootstrap": one.p_bootstrap,
            "p_randomisation": one.p_randomisation,
            "p_holm": one.p_holm,
            "agreement": one.agreement,
            "seeds": one.num_seeds,
            "deviation": one.deviation,
        }
    return {
        "baseline": comparison.baseline,
        "systems": [system.name for system in comparison.systems],
        "files": {system.name: system.files for system in comparison.systems},
        "metrics": metrics,
        "data": comparison.test,
        "sentences": comparison.num_sentences,
        "signatures": comparison.signatures,
        "notes": remarks(comparison),
        **(
            {"robustness": [{"set": way, "scores": plain(one)} for way, one in comparison.worse.items()]}
            if comparison.worse
            else {}
        ),
        **(comparison.why.as_json() if comparison.why is not None else {}),
    }


def _bounds(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.low, interval.high]


def for_reviewers(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """Header and rows: how each system was made, and each score with its difference and Holm's p."""
    measures = list(dict.fromkeys(verdict.measure.name for verdict in comparison.verdicts))
    by_place = {(verdict.measure.name, verdict.system): verdict for verdict in comparison.verdicts}
    labels = [next(v.measure.figure.label for v in comparison.verdicts if v.measure.name == name) for name in measures]
    body = []
    for system in comparison.systems:
        about = {"seeds": str(len(system.outputs)), **system.facts}
        row = [system.name, *(about.get(key, "-") for key in ABOUT_RUNS)]
        for name in measures:
            verdict = by_place.get((name, system.name))
            row.append("-" if verdict is None else _with_difference(verdict))
        body.append(row)
    return ["system", *ABOUT_RUNS, *labels], body


def _with_difference(verdict: Verdict) -> str:
    told = score_of(verdict)
    if verdict.difference is None or verdict.p_holm is None:
        return told
    return f"{told} ({verdict.measure.figure.told(verdict.difference, '+')}, p {_rounded(verdict.p_holm, '= ')})"


def paragraph(comparison: Comparison) -> str:
    """For a paper: every system beside the baseline, by every metric, and what the scores depend on."""
    others = [system.name for system in comparison.systems[1:]]
    sentences = [
        f"We compare {', '.join(others)} with {comparison.baseline} on the {comparison.num_sentences:,} sentences of "
        f"{comparison.test}."
    ]
    for name in dict.fromkeys(verdict.measure.name for verdict in comparison.verdicts):
        own, *rest = [verdict for verdict in comparison.verdicts if verdict.measure.name == name]
        sure = f"{100 * comparison.confidence:g} %"
        parts = [
            f"{one.system} {score_of(one)} ({difference}, {interval} at {sure}, p {_rounded(one.p_holm, '= ')})"
            for one in rest
            if one.p_holm is not None
            for _, _, _, difference, interval, *_ in [cells(one)]
        ]
        sentences.append(f"{own.measure.figure.label}: {'; '.join([f'{own.system} {score_of(own)}', *parts])}.")
    told = "; ".join(f"{name} {signature}" for name, signature in comparison.signatures.items())
    sentences.append(f"In brackets: difference, its interval, and p by {_test(comparison)}. Signatures: {told}.")
    return " ".join([*sentences, *(f"{line}." for line in _leaked(comparison))])


def _test(comparison: Comparison) -> str:
    paired, grouped = (
        "paired approximate randomisation over sentences",
        "hierarchical bootstrap over sentences and seeds",
    )
    used = {one.p_randomisation is None for one in comparison.verdicts if one.difference is not None}
    both = f"{paired} where both systems have one run, {grouped} elsewhere"
    tests = both if len(used) == 2 else grouped if used == {True} else paired
    return f"{tests}, corrected by Holm over all systems and metrics"


def _leaked(comparison: Comparison) -> list[str]:
    return [
        f"{system.name}: {len(system.leaked):,} of the sentences stand in its training text, exactly or nearly, on "
        "either side"
        for system in comparison.systems
        if system.leaked
    ]


def legend(comparison: Comparison) -> list[str]:
    """Below the table for reviewers: the data, the tests, the signatures."""
    brackets = f" In brackets: difference from {comparison.baseline}, and p by {_test(comparison)}."
    return [
        f"Test set: {comparison.test}, {comparison.num_sentences:,} sentences."
        f"{brackets if len(comparison.systems) > 1 else ''}",
        *(f"{name}: {signature}" for name, signature in comparison.signatures.items()),
        *_leaked(comparison),
        *comparison.notes,
    ]


def as_markdown(comparison: Comparison) -> str:
    head, body = for_reviewers(comparison)
    lines = [head, ["---"] * len(head), *body]
    text = "\n".join("| " + " | ".join(map(_markdown, line)) + " |" for line in lines)
    return text + "\n\n" + "\n".join(f"- {_markdown(line)}" for line in legend(comparison)) + "\n"


def as_latex(comparison: Comparison) -> str:
    r"""A `tabular` of the package booktabs, and its legend as a paragraph below."""
    head, body = for_reviewers(comparison)
    return "\n".join(
        [
            "% needs \\usepackage{booktabs}",
            f"\\begin{{tabular}}{{{'l' * len(head)}}}",
            "\\toprule",
            _latex_row(head),
            "\\midrule",
            *map(_latex_row, body),
            "\\bottomrule",
            "\\end{tabular}",
            "",
            *(f"{latex(line)}\\\\" for line in legend(comparison)),
            "",
        ]
    )


def _latex_row(cells_of_row: Sequence[str]) -> str:
    return " & ".join(map(latex, cells_of_row)) + r" \\"


def _markdown(text: str) -> str:
    return text if set(text) == {"-"} else _MARKDOWN.sub(r"\\\1", text)


def latex(text: str) -> str:
    """The text as LaTeX prints it."""
    return "".join(_LATEX.get(letter, letter) for letter in text)
