"""`evaluate.py` without a checkpoint: files of translations against a test set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nmt.compare.folder import write_comparison, write_system
from nmt.compare.judge import Comparison, compare
from nmt.compare.page import report_of
from nmt.compare.sentences import word_counts
from nmt.compare.systems import (
    Output,
    References,
    System,
    foreign_measures,
    our_measures,
    read_output,
    with_references,
    with_segments,
)
from nmt.compare.tables import as_text
from nmt.config import mistakes
from nmt.config.commands import MODEL, EvaluateConfig
from nmt.config.metrics import METRICS, MetricsConfig
from nmt.config.saved import load_config
from nmt.data.corpora import load_tests
from nmt.errors import ConfigError
from nmt.metrics.metric import Language, Scorer
from nmt.metrics.results import results
from nmt.metrics.vectors import VectorSource, open_vectors
from nmt.plumbing.tables import table
from nmt.plumbing.text import read_lines
from nmt.report.console import scores_table
from nmt.report.doctor import examine

TEST = "test"  # the only test set that files are of
LACKING = "data: {source: files}"  # what a command line without a checkpoint begins with


def compare_outputs(command: EvaluateConfig) -> None:
    """Score every file, and compare all with the first."""
    _refuse_search(command)
    config = load_config(LACKING, [*_report(command), *command.overrides], origin="the command line")
    if config.data.test is None:
        raise ConfigError(
            "data.test",
            found="nothing",
            expected="a PREFIX, without a checkpoint that knows its data",
            next_step="add data.src=en data.tgt=de data.test=PREFIX",
        )
    text, counts = load_tests(config.data)[TEST], training_words(command)
    scorer = Scorer(config.metrics, Language(config.data.language, _vectors(config.metrics)))
    references = with_references(text.tgt, command.references)
    systems = outputs_of(command, references, scorer)
    for system in systems:
        show(system, TEST, text.name, config.metrics, None if command.out is None else Path(command.out) / system.name)
    conclude(command, TEST, systems, scorer, text.src, counts)


def _refuse_search(command: EvaluateConfig) -> None:
    for word in command.overrides:
        key = word.lstrip("+").partition("=")[0]
        if key.startswith("search."):
            raise ConfigError(
                key,
                found="no checkpoint",
                expected="one: translations that are there are not searched for",
                next_step="add checkpoint=FILE, or leave it out",
            )


def _report(command: EvaluateConfig) -> list[str]:
    """No checkpoint brings word vectors: what needs some is left out, and told of, unless it was asked for."""
    given = {word.lstrip("+").partition("=")[0] for word in command.overrides}
    if given & {"metrics.report", "metrics.wmd.vectors"}:
        return []
    usual = MetricsConfig().facts
    left_out = ", ".join(facts.label for facts in usual if facts.needs_vectors)
    print(f"{left_out}: left out without word vectors; add metrics.wmd.vectors=FILE\n")
    return [f"metrics.report=[{','.join(facts.name for facts in usual if not facts.needs_vectors)}]"]


def _vectors(cfg: MetricsConfig) -> VectorSource | None:
    if not any(facts.needs_vectors for facts in cfg.facts):
        return None
    if cfg.wmd.vectors is None:
        raise ConfigError(
            "metrics.wmd.vectors",
            found="nothing",
            expected="a file of word vectors, without a checkpoint that carries some",
            next_step="name a table of the target language, or take no score that needs it into metrics.report",
        )
    return open_vectors(Path(cfg.wmd.vectors))


def outputs_of(command: EvaluateConfig, references: References, scorer: Scorer) -> list[System]:
    """The files of `+outputs` and the groups of files of `+groups`, scored."""
    files = {name: [path] for name, path in command.outputs.items()}
    files |= {name: paths for name, paths in command.groups.items() if not paths[0].endswith(MODEL)}
    return [
        System(name, references, [_scored(path, references, scorer) for path in paths], group=name in command.groups)
        for name, paths in files.items()
    ]


def _scored(path: str, references: References, scorer: Scorer) -> Output:
    lines = read_output(path, len(references))
    return Output(path, lines, scorer.score(lines, references, scorer.cfg.bootstrap))


def show(
    system: System, name: str, data: str, cfg: MetricsConfig, folder: Path | None, seconds: Sequence[float] = ()
) -> None:
    """Print the scores of each output of a system, and write them down where there is a folder."""
    for number, one in enumerate(system.outputs):
        content: dict[str, Any] = results(
            checkpoint=one.source,
            data=data,
            sentences=len(one.lines),
            seconds=seconds[number] if seconds else 0.0,
            scores=one.scores,
            cfg=cfg,
            leaked=system.leaked,
        )
        examined = examine(trace.weight_TS for trace in one.traces if trace is not None)
        if examined is not None:
            content["attention"] = examined.as_json()
        if one.worse:
            content["robustness"] = {
                way: {metric: score.content for metric, score in found.scores.items()}
                for way, found in one.worse.items()
            }
        if folder is not None:
            several = len(system.outputs) > 1
            write_system(folder / str(number + 1) if several else folder, name, content, one.lines)
        print(f"{mistakes.show(one.source)}\n{scores_table({name: content})}\n")
        if one.worse:
            print(f"{worse_table(one)}\n")


def training_words(command: EvaluateConfig) -> Counter[str] | None:
    """How often the training text has each word, where it is named. Raises DataError."""
    return None if command.training is None else word_counts(read_lines(command.training))


def worse_table(output: Output) -> str:
    """Scores of the test set made worse, each with its difference from that of the plain one."""
    facts = [METRICS[name] for name in output.scores]
    plain = {name: score.value for name, score in output.scores.items()}
    rows = [
        (
            way,
            *(
                f"{one.figure.told(found.scores[one.name].value)} "
                f"({one.figure.told(found.scores[one.name].value - plain[one.name], '+')})"
                for one in facts
            ),
        )
        for way, found in output.worse.items()
    ]
    return table(rows, ("made worse", *(one.figure.label for one in facts)))


def conclude(
    command: EvaluateConfig,
    name: str,
    systems: Sequence[System],
    scorer: Scorer,
    source: Sequence[str],
    training: Counter[str] | None,
) -> Comparison | None:
    """Compare where there is something to compare, tell, and write it down. `source`: the lines of the test set."""
    segments: Mapping[str, Mapping[str, str]] = command.segments if name == TEST else {}
    systems = with_segments(systems, segments, command.signatures)
    alone = len(systems) == 1
    if alone and len(command.checkpoint) + len(command.outputs) + len(command.groups) > 1:
        print(f"{name}: not compared, since only {systems[0].name} has this test set")
    if alone and command.out is None:
        return None
    ours = [replace(one, curve=scorer.cfg.curve(one.name)) for one in our_measures(scorer.cfg.report)]
    measures = [*ours, *foreign_measures(segments)]
    comparison = compare(name, systems, measures, scorer, source, training)
    if not alone:
        print(as_text(comparison))
    if command.out is not None:
        write_comparison(Path(command.out), name, comparison, report_of(comparison, scorer, training))
    return None if alone else comparison
