"""A comparison, or one system alone, as the page on which people look at it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from nmt.compare import tables, verdict
from nmt.compare.buckets import Buckets, Figures
from nmt.compare.judge import Comparison
from nmt.compare.ngrams import Differing
from nmt.compare.sentences import Trace, rarest, word_counts
from nmt.compare.systems import Measure, Output, System
from nmt.config.metrics import FIGURES
from nmt.metrics.metric import Plan, Scorer
from nmt.report.doctor import examine, told
from nmt.report.page import Group, Report, Table, Words
from nmt.report.plots import Curves, Point, Whiskers, curves, whiskers
from nmt.report.sentences import Candidate, Detail, Grouping, Moves, Sentences, quantised

MOST_PLANS = 20_000  # translations: for more, the transport plans would take minutes
LEAST = 1e-4  # of the mass: smaller moves are not drawn


def report_of(comparison: Comparison, scorer: Scorer, training: Counter[str] | None = None) -> Report:
    """All that the page shows. `training`: how often the training text has each word, where that is known."""
    names = [system.name for system in comparison.systems]
    measures = list({one.measure.name: one.measure for one in comparison.verdicts}.values())
    several = len(names) > 1
    why = comparison.why
    head, body = tables.for_reviewers(comparison)
    notes = [*tables.whose_files(comparison), *tables.remarks(comparison), *_examined(comparison.systems)]
    notes += [
        f"{system.name}: its sentences are those of the first of {len(system.outputs)} runs"
        for system in comparison.systems
        if len(system.outputs) > 1
    ]
    plans = _plans(comparison.systems, scorer)
    if plans is None:
        notes.append(f"transport plans: left out of the page, for more than {MOST_PLANS:,} translations")
    return Report(
        title=f"{comparison.test}: compared with {comparison.baseline}"
        if several
        else f"{comparison.test}: {names[0]}",
        lead=verdict.sentences(comparison),
        notes=notes,
        systems=names,
        scores=_scores(comparison, measures),
        score_table=Table(tables.header(comparison), tables.rows(comparison), numbers=2) if several else None,
        signatures={_label(measures, name): text for name, text in comparison.signatures.items()},
        sentences=sentences_of(comparison, measures, plans or {}, training),
        groups=[
            *([] if why is None else [_group(one, names, measures) for one in why.buckets]),
            *_robustness(comparison, names, measures),
        ],
        words=[] if why is None else [w for name, pair in why.ngrams.items() for w in _words(name, names[0], *pair)],
        remarks=[] if why is None else why.left_out,
        curves=learning_curves({system.name: system.histories for system in comparison.systems}),
        costs=Table(head, body, numbers=len(head)),  # its cells may break: with several seeds they are long
        copies={"Markdown": tables.as_markdown(comparison), "LaTeX": tables.as_latex(comparison)},
    )


def _label(measures: Sequence[Measure], name: str) -> str:
    return next(one.figure.label for one in measures if one.name == name)


def _scores(comparison: Comparison, measures: Sequence[Measure]) -> list[Whiskers]:
    """A panel a metric, a row a system."""
    names = [system.name for system in comparison.systems]
    panels = []
    for measure in measures:
        rows = {}
        for one in comparison.verdicts:
            if one.measure.name == measure.name:
                low, high = one.interval.low, one.interval.high
                said = f"{tables.score_of(one)} [{measure.figure.told(low)}, {measure.figure.told(high)}]"
                point = Point(names.index(one.system), one.system, one.score, low, high, said)
                rows[one.system] = [point]
        panels.append(whiskers(measure.figure.label, rows, measure.figure.bounds))
    return [panel for panel in panels if panel is not None]


def _examined(systems: Sequence[System]) -> list[str]:
    """What is to be said of the attention of each."""
    found = {
        system.name: examine(trace.weight_TS for trace in system.outputs[0].traces if trace is not None)
        for system in systems
    }
    return [f"{name}, {told(one.as_json())}" for name, one in found.items() if one is not None]


# ---- where and why


def _group(buckets: Buckets, names: Sequence[str], measures: Sequence[Measure]) -> Group:
    rows = {f"{one.label} ({len(one.rows):,})": one.scores for one in buckets.bins}
    return Group(heading(buckets), buckets.about, _panels(rows, names, measures))


def _robustness(comparison: Comparison, names: Sequence[str], measures: Sequence[Measure]) -> list[Group]:
    rows = {way.replace("_", " "): scores for way, scores in comparison.worse.items()}
    about = "Scores of the test set as it is, and with its source made worse."
    return [Group("robustness", about, _panels(rows, names, measures))] if rows else []


def _panels(rows: Mapping[str, Figures], names: Sequence[str], measures: Sequence[Measure]) -> list[Whiskers]:
    """One a metric."""
    panels = [
        whiskers(
            measure.figure.label,
            {
                label: [
                    Point(names.index(name), name, one.score, one.low, one.high, _told(measure, one.score))
                    for name, one in scores[measure.name].items()
                ]
                for label, scores in rows.items()
                if measure.name in scores
            },
            measure.figure.bounds,
        )
        for measure in measures
    ]
    return [panel for panel in panels if panel is not None]


def heading(buckets: Buckets) -> str:
    """source length; numbers of B"""
    by = buckets.by.replace("_", " ")
    return by if buckets.of is None else f"{by} of {buckets.of}"


def _told(measure: Measure, value: float | None) -> str:
    return "no number" if value is None else measure.figure.told(value)


def _words(system: str, baseline: str, more: Sequence[Differing], less: Sequence[Differing]) -> list[Words]:
    header = ("words", baseline, system)
    return [
        Words(
            f"What {system} gets right {word} often",
            Table(header, [(x.ngram, f"{x.baseline:g}", f"{x.system:g}") for x in found]),
        )
        for word, found in (("more", more), ("less", less))
        if found
    ]


# ---- sentences


def sentences_of(
    comparison: Comparison,
    measures: Sequence[Measure],
    plans: Mapping[str, Sequence[Moves | None]],
    training: Counter[str] | None,
) -> Sentences:
    """What the first run of each system wrote. `training` says how rare a word is, without it the test set does."""
    systems, source = comparison.systems, comparison.source
    why = comparison.why
    counts = training or word_counts(source)
    return Sentences(
        source=source,
        references=systems[0].references,
        candidates=[_candidate(system, measures, plans.get(system.name, ())) for system in systems],
        figures=[measure.figure for measure in measures],
        groupings=[
            Grouping(heading(one), {each.label: each.rows for each in one.bins})
            for one in ([] if why is None else why.buckets)
        ],
        rarity=[rarest(line, counts) for line in source],
        rarest="rarest word" if training else "rarest word (of the test set)",
    )


def _candidate(system: System, measures: Sequence[Measure], plans: Sequence[Moves | None]) -> Candidate:
    first = system.outputs[0]
    scores = {
        measure.figure.label: measure.of_sentences(first.scores[measure.name].statistics_NF)
        for measure in measures
        if measure.name in first.scores
    }
    return Candidate(system.name, first.lines, scores, details_of(first), plans)


def details_of(output: Output) -> list[Detail]:
    """Attention and n-best list of each line; none where no model wrote them."""
    traces: Sequence[Trace | None] = output.traces or [None] * len(output.nbest)
    nbest = output.nbest or [()] * len(traces)
    return [_detail(trace, several) for trace, several in zip(traces, nbest, strict=True)]


def _detail(trace: Trace | None, nbest: Sequence[tuple[str, float]]) -> Detail:
    if trace is None:
        return Detail((), (), "", nbest)
    return Detail(trace.pieces_src, trace.pieces_tgt, quantised(trace.weight_TS), nbest)


def _plans(systems: Sequence[System], scorer: Scorer) -> dict[str, Sequence[Moves | None]] | None:
    """By system, of the metric that has some; None where there are too many."""
    if len(systems) * len(systems[0].references) > MOST_PLANS:
        return None
    plans: dict[str, Sequence[Moves | None]] = {}
    for system in systems:
        for metric in scorer.metrics.values():
            if found := metric.plans(system.outputs[0].lines, system.references):
                plans[system.name] = [None if plan is None else _moves(plan) for plan in found]
    return plans


def _moves(plan: Plan) -> Moves:
    return Moves(plan.distance, [move for move in plan.moves if move[2] >= LEAST])


# ---- training


def learning_curves(histories: Mapping[str, Sequence[Sequence[Mapping[str, float]]]]) -> list[Curves]:
    """A panel for each figure of the validations, a line a model, in its system's colour."""
    models = [
        (place, name if len(several) == 1 else f"{name}, {number}", history)
        for place, (name, several) in enumerate(histories.items())
        for number, history in enumerate(several, start=1)
    ]
    keys = [key for key in FIGURES if any(key in entry for _, _, history in models for entry in history)]
    panels = [
        curves(
            f"{FIGURES[key].label} (dev)",
            [
                (place, name, [(entry["step"], entry[key]) for entry in history if key in entry])
                for place, name, history in models
            ],
            bounds=FIGURES[key].bounds,
        )
        for key in keys
    ]
    return [panel for panel in panels if panel is not None]
