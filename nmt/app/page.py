"""The page of a run: that of a comparison, with one system, and what training has to show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nmt.app.run import Run
from nmt.app.settings import flat
from nmt.app.translated import Translated, traces_of
from nmt.compare.judge import compare
from nmt.compare.page import report_of
from nmt.compare.systems import Output, System, our_measures
from nmt.report.console import facts_in, score_rows, scores_header, with_interval
from nmt.report.curves import training_curves
from nmt.report.events import read_events
from nmt.report.page import Report, Table
from nmt.report.plots import Point, Whiskers, whiskers


def page_of(
    run: Run,
    results_by_name: Mapping[str, Mapping[str, Any]],
    name: str,
    scored: Translated,
    took: str,
    facts: Mapping[str, str],
) -> Report:
    """`scored`: the sentences to show, of the set called `name`; the results are of all sets, `facts` for reviewers."""
    output = Output("", scored.lines, scored.scores, traces_of(scored, run.vocabularies), scored.nbest)
    leaked = (run.bundle.leaks or {}).get(name, ())
    system = System(run.folder.name, [[line] for line in scored.text.tgt], [output], facts, leaked=leaked)
    found = compare(name, [system], our_measures(run.config.metrics.report), run.scorer, source=scored.text.src)
    events = read_events(run.folder / "metrics.jsonl")
    return replace(
        report_of(found, run.scorer),
        title=run.folder.name,
        scores=score_panels(results_by_name),
        score_table=Table(scores_header(results_by_name), score_rows(results_by_name)),
        remarks=(),
        curves=training_curves(events, run.config.metrics.facts[0].figure),
        took=f"Training took {took}.",
        corpus=run.corpus_report,
        settings={key: str(value) for key, value in flat(run.config).items()},
    )


def score_panels(results_by_name: Mapping[str, Mapping[str, Any]]) -> list[Whiskers]:
    """A panel a metric, a row a set of sentences."""
    panels = []
    for facts in facts_in(results_by_name.values()):
        rows = {}
        for name, result in results_by_name.items():
            content = result[facts.name]
            value = content[facts.value]
            low, high = next((v for k, v in content.items() if k.startswith("ci") and v is not None), (None, None))
            told = with_interval(content, facts.value, facts.figure.digits)
            rows[name] = [Point(0, name, value, low, high, told)]
        panels.append(whiskers(facts.figure.label, rows, facts.figure.bounds))
    return [panel for panel in panels if panel is not None]
