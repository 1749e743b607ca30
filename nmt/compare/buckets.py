"""Where systems are good and where not: sentences put into bins, each scored for itself, with an interval.

In `comparison.json`:

    "buckets": [{"by": PROPERTY, "of": SYSTEM or null, "about": SENTENCE, "bins": [
        {"label": "1-9", "n": SENTENCES, "scores": {METRIC: {SYSTEM: {"score", "low", "high"}}}}, ...]}, ...]
    "buckets_left_out": [SENTENCE, ...]
    "ngrams": {SYSTEM: {"more": [{"ngram", "baseline", "system"}, ...], "less": [...]}, ...}

A bin holds the same sentences for every system. A property of translations (`of` a system) bins by what that system
wrote, and shows what all others score on the same sentences. Bins without a sentence, and properties of none, are left
out; a score that is no number is null, and so are the bounds of a single sentence. In memory
a bin has its sentences too (`Bin.rows`).

    N sentence, F statistic, K resample
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from nmt.compare.ngrams import Differing, differing
from nmt.compare.sentences import UNSEEN, copied, has_unknown, is_name, is_number, lost, rarest, repeated, unseen, words
from nmt.compare.systems import Measure, System
from nmt.metrics.bootstrap import FloatArray, percentile_interval, resample_counts

LENGTHS = ((0, "0"), (1, "1-9"), (10, "10-19"), (20, "20-29"), (30, "30-39"), (40, "40-49"), (50, "50 and more"))
COUNTS = ((0, "never"), (1, "1-9"), (10, "10-99"), (100, "100-999"), (1000, "1,000 and more"))
FIFTHS = ((0.0, "below 20"), (20.0, "20 to 40"), (40.0, "40 to 60"), (60.0, "60 to 80"), (80.0, "80 and more"))
FEW = ((0, "none"), (1, "1"), (2, "2 and more"))
KEPT = ((0, "all kept"), (1, "some lost"))
UNKNOWNS = ((0, "without"), (1, "with"))
Bounds = Sequence[tuple[float, str]]


@dataclass(frozen=True)
class Figure:
    """Of a system on the sentences of a bin; None where it is no number. Of several runs the mean."""

    score: float | None
    low: float | None
    high: float | None


Figures = Mapping[str, Mapping[str, Figure]]  # by metric, then by system


@dataclass(frozen=True)
class Bin:
    """Sentences that are alike in a property."""

    label: str
    rows: Sequence[int]  # from 0
    scores: Figures


def plain(scores: Figures) -> dict[str, Any]:
    """For JSON."""
    return {metric: {name: vars(one) for name, one in figures.items()} for metric, figures in scores.items()}


@dataclass(frozen=True)
class Buckets:
    """All sentences that have the property, by its size."""

    by: str
    of: str | None  # the system whose translations have the property; None: the test set has it
    about: str
    bins: Sequence[Bin]


@dataclass(frozen=True)
class Why:
    """Where each system is good, and in what words it differs from the baseline."""

    buckets: Sequence[Buckets]
    left_out: Sequence[str]
    ngrams: Mapping[str, tuple[Sequence[Differing], Sequence[Differing]]]  # more, less; by system

    def as_json(self) -> dict[str, Any]:
        """The keys of comparison.json."""
        return {
            "buckets": [
                {
                    "by": one.by,
                    "of": one.of,
                    "about": one.about,
                    "bins": [
                        {
                            "label": each.label,
                            "n": len(each.rows),
                            "scores": plain(each.scores),
                        }
                        for each in one.bins
                    ],
                }
                for one in self.buckets
            ],
            "buckets_left_out": list(self.left_out),
            "ngrams": {
                name: {"more": [vars(one) for one in more], "less": [vars(one) for one in less]}
                for name, (more, less) in self.ngrams.items()
            },
        }


@dataclass(frozen=True)
class Draws:
    """Of the bootstrap behind each interval."""

    resamples: int
    confidence: float
    seed: int


def where_and_why(
    source: Sequence[str],
    systems: Sequence[System],
    measures: Sequence[Measure],
    draws: Draws,
    training: Counter[str] | None = None,
) -> Why:
    """Of one system or several, all with the scores of `measures`. `training`: the words of the training text."""
    properties, left_out = _of_sources(source, training)
    for system in systems:
        own, lacking = _of_translations(source, system, measures)
        properties, left_out = [*properties, *own], [*left_out, *lacking]
    buckets = [Buckets(one.by, one.of, one.about, _bins(one, systems, measures, draws)) for one in properties]
    buckets = [one for one in buckets if one.bins]
    return Why(buckets, left_out, {other.name: differing(systems[0], other) for other in systems[1:]})


@dataclass(frozen=True)
class _Property:
    """`values` has a number for each sentence, None for one that the property says nothing of."""

    by: str
    of: str | None
    about: str
    bounds: Bounds
    values: Sequence[float | None]

    def sorted(self) -> dict[str, list[int]]:
        """Rows by the label of their bin."""
        starts = [start for start, _ in self.bounds]
        found: dict[str, list[int]] = {label: [] for _, label in self.bounds}
        for row, value in enumerate(self.values):
            if value is not None:
                found[self.bounds[bisect_right(starts, value) - 1][1]].append(row)
        return {label: rows for label, rows in found.items() if rows}


def _of_sources(source: Sequence[str], training: Counter[str] | None) -> tuple[list[_Property], list[str]]:
    length = _Property("source_length", None, "words of the source", LENGTHS, [len(words(line)) for line in source])
    if training is None:
        return [length], ["rarest_word: no counts of words; name the source side of the training text, training=FILE"]
    about = "how often the training text has the rarest word of the source"
    return [length, _Property("rarest_word", None, about, COUNTS, [rarest(line, training) for line in source])], []


def _of_translations(
    source: Sequence[str], system: System, measures: Sequence[Measure]
) -> tuple[list[_Property], list[str]]:
    """By what the first run of a system wrote."""
    output, references, name = system.outputs[0], system.references, system.name
    rows = list(zip(source, output.lines, references, strict=True))

    def each(by: str, about: str, bounds: Bounds, value: Callable[[str, str, Sequence[str]], float | None]) -> None:
        found.append(_Property(by, name, about, bounds, [value(*row) for row in rows]))

    found: list[_Property] = []
    left_out: list[str] = []
    bounded = [one for one in measures if math.isfinite(one.figure.most)]
    if not bounded:
        left_out.append("similarity: no metric of metrics.report has a largest value")
    else:
        alike = bounded[-1]
        values = 100 / alike.figure.most * alike.of_sentences(output.scores[alike.name].statistics_NF)
        about = f"{alike.figure.label} of the sentence itself, of 100"
        found.append(_Property("similarity", name, about, FIFTHS, [_number(value) for value in values]))
    each("copied_words", "words left as the source has them, and no reference", FEW, copied)
    for by, kind in (("numbers", is_number), ("names", is_name)):
        about = f"{by} that source and a reference share"
        each(by, about, KEPT, partial(lost, kind))
    each("repeats", "pairs of words that come again, as in no reference", FEW, lambda _, hyp, ref: repeated(hyp, ref))
    traces = output.traces or [None] * len(rows)
    unknown = [float(has_unknown(line, trace)) for line, trace in zip(output.lines, traces, strict=True)]
    found.append(_Property("unknown_pieces", name, "whether a piece was unknown", UNKNOWNS, unknown))
    if output.traces:
        about = f"words of the source that got less than {UNSEEN:g} of a step's attention"
        looked = [None if trace is None else unseen(trace) for trace in output.traces]
        found.append(_Property("unseen_words", name, about, FEW, looked))
    else:
        left_out.append(f"unseen_words: no attention of {name} is known")
    return found, left_out


def _bins(one: _Property, systems: Sequence[System], measures: Sequence[Measure], draws: Draws) -> list[Bin]:
    return [Bin(label, rows, scores_of(rows, systems, measures, draws)) for label, rows in one.sorted().items()]


def scores_of(
    rows: Sequence[int], systems: Sequence[System], measures: Sequence[Measure], draws: Draws
) -> dict[str, dict[str, Figure]]:
    """Of those systems that have all scores, on the same resamples of these sentences."""
    runs = {
        (measure.name, system.name): [
            (one.scores[measure.name].statistics_NF[rows], measure.from_statistics) for one in system.outputs
        ]
        for measure in measures
        for system in systems
        if all(measure.name in one.scores for one in system.outputs)
    }
    drawn: dict[tuple[str, str], list[FloatArray]] = {key: [] for key in runs}
    for counts_KN in resample_counts(len(rows), draws.resamples, draws.seed):
        for key, several in runs.items():
            drawn[key].append(_mean(score(counts_KN @ one_NF) for one_NF, score in several))
    found: dict[str, dict[str, Figure]] = {}
    for key, several in runs.items():
        value = _mean(score(one_NF.sum(axis=0, keepdims=True)) for one_NF, score in several)[0]
        interval = percentile_interval(np.concatenate(drawn[key]), draws.confidence)
        # All resamples of one sentence are that sentence: they tell nothing of how sure its score is.
        low, high = (_number(interval.low), _number(interval.high)) if len(rows) > 1 else (None, None)
        figure = Figure(_number(value), low, high)
        found.setdefault(key[0], {})[key[1]] = figure
    return found


def _mean(several: Iterable[FloatArray]) -> FloatArray:
    mean_K: FloatArray = np.mean(list(several), axis=0)
    return mean_K


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
