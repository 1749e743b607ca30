"""What is compared: translations of one test set by several systems, and scores of sentences from files.

N sentence
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from nmt.compare.sentences import Trace
from nmt.config.metrics import METRICS, Figure
from nmt.data.text import ParallelText
from nmt.errors import CheckpointError, DataError
from nmt.metrics.bootstrap import CorpusScore, mean_from_statistics, mean_statistics
from nmt.metrics.metric import Score, metric_class
from nmt.plumbing.text import counted, read_lines

References = Sequence[Sequence[str]]  # those of each sentence, at least one


@dataclass(frozen=True)
class Worse:
    """What a system made of a test set whose source was changed (`nmt.compare.robustness`)."""

    references: References
    lines: Sequence[str]
    scores: Mapping[str, Score]  # by metric


@dataclass(frozen=True)
class Output:
    """What a system wrote for a test set, once: of a configuration trained with several seeds there are several."""

    source: str  # the file that it comes from
    lines: Sequence[str]
    scores: Mapping[str, Score]  # by metric
    traces: Sequence[Trace | None] = ()  # of each line, where a model wrote them; None of an empty one
    nbest: Sequence[Sequence[tuple[str, float]]] = ()  # of each line, what the search found, with scores, best first
    worse: Mapping[str, Worse] = field(default_factory=dict)  # by the way in which the test set was changed


@dataclass(frozen=True)
class System:
    """One row of a comparison."""

    name: str
    references: References
    outputs: Sequence[Output]
    facts: Mapping[str, str] = field(default_factory=dict)  # for reviewers: hardware, hours, US$
    histories: Sequence[Sequence[Mapping[str, float]]] = ()  # of each model: an entry a validation, with its step
    leaked: Sequence[int] = ()  # sentences that stand in its training text, exactly or nearly, on either side
    group: bool = False  # whether runs of one configuration were asked for, though there may be a single one

    @property
    def files(self) -> list[str]:
        """Where its outputs come from."""
        return [one.source for one in self.outputs if one.source]


@dataclass(frozen=True)
class Measure:
    """A metric as comparisons need it: ours, or numbers of sentences that came from elsewhere."""

    name: str
    figure: Figure
    from_statistics: CorpusScore
    of_sentences: CorpusScore  # each sentence for itself
    settings: str  # what a score depends on beside the text
    curve: tuple[float, float] | None = None  # see nmt.metrics.agreement
    ours: bool = True


def check_same_text(group: str, test: str, files: Sequence[str], texts: Sequence[ParallelText]) -> None:
    """Raises CheckpointError where the runs of a group have not all translated the same sentences."""
    first = texts[0]
    same = [list(one.src) == list(first.src) and list(one.tgt) == list(first.tgt) for one in texts]
    if not all(same) or len(texts) < len(files):
        some = f"this test set in {len(texts)} of {len(files)} runs"
        raise CheckpointError(
            f"groups.{group}, {test}",
            found=some if all(same) else "test sets that differ between its runs",
            expected="the same sentences for all",
            next_step="narrow the pattern, or name one test set with data.test=PREFIX",
        )


def our_measures(names: Iterable[str]) -> list[Measure]:
    """Of metrics that we compute."""
    found = []
    for name in names:
        facts = METRICS[name]
        metric = metric_class(name)
        found.append(
            Measure(name, facts.figure, metric.from_statistics, metric.of_sentences, facts.settings, facts.curve)
        )
    return found


def foreign_measures(segments: Iterable[str]) -> list[Measure]:
    """Of metrics whose numbers are read: the mean over sentences."""
    mean = mean_from_statistics
    figures = [Figure(name, name, digits=4, least=-math.inf, most=math.inf) for name in segments]
    return [Measure(one.key, one, mean, mean, "the settings", None, ours=False) for one in figures]


def read_output(path: str, num_sentences: int) -> list[str]:
    """A translation a line, plain or gzip. Raises DataError where the lines are not those of the test set."""
    return aligned(path, num_sentences, "translations")


def with_references(first: Sequence[str], files: Mapping[str, str]) -> list[list[str]]:
    """Those of the test set and of further files, by sentence. An empty line of a file is no reference.

    Raises DataError for a file of another length.
    """
    references = [[line] for line in first]
    for path in files.values():
        for several, line in zip(references, aligned(path, len(first), "references"), strict=True):
            if line.strip():
                several.append(line)
    return references


def read_segments(path: str, num_sentences: int, signature: str) -> Score:
    """A number a line, the score of a sentence. Raises DataError for a line that is none, or another length."""
    values = []
    for number, line in enumerate(aligned(path, num_sentences, "scores"), start=1):
        try:
            value = float(line)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise DataError(
                f"{path}, line {number}",
                found=repr(line.strip()[:40]) if line.strip() else "nothing",
                expected="a number",
                next_step="score this sentence too: all systems are compared on the same ones",
            )
        values.append(value)
    statistics_NF = mean_statistics(np.array(values))
    return Score(float(np.mean(values)), signature, statistics_NF, {"score": float(np.mean(values))}, None)


def with_segments(
    systems: Sequence[System], segments: Mapping[str, Mapping[str, str]], signatures: Mapping[str, str]
) -> list[System]:
    """The systems with scores that were given of them. Raises DataError for a system that is none, or given twice."""
    names = [system.name for system in systems]
    added: dict[str, dict[str, Score]] = {name: {} for name in names}
    for metric, files in segments.items():
        for name, path in files.items():
            system = next((one for one in systems if name in (one.name, *one.files)), None)
            if system is None or len(system.outputs) > 1:
                raise DataError(
                    f"segments.{metric}.{name}",
                    found="no system of this name" if system is None else "a group of several runs",
                    expected=f"one of {', '.join(names)}",
                    next_step="name the system as the table does, or add its output with +outputs.NAME=FILE",
                )
            if metric in added[system.name]:
                raise DataError(
                    f"segments.{metric}.{name}",
                    found=f"a second file for {system.name}",
                    expected="one file of each metric for a system",
                    next_step="leave out one of the two: a system can be named by its name or its file",
                )
            signature = signatures.get(metric, "none given")
            added[system.name][metric] = read_segments(path, len(system.references), signature)
    return [
        replace(system, outputs=[replace(one, scores={**one.scores, **added[system.name]}) for one in system.outputs])
        for system in systems
    ]


def aligned(path: str, num_sentences: int, what: str) -> list[str]:
    lines = read_lines(Path(path))
    if len(lines) != num_sentences:
        short = len(lines) < num_sentences
        raise DataError(
            f"{path}, line {min(len(lines), num_sentences) + 1}",
            found=f"the end of the file after {len(lines)} {what}" if short else f"more than {num_sentences} {what}",
            expected=f"{counted(num_sentences, 'line')}, as the test set has",
            next_step="give a line for each sentence, an empty one where there is nothing",
        )
    return lines
