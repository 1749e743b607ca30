"""What a sweep found, as numbers: means over seeds, importance of the parameters, the Pareto front."""

from __future__ import annotations

import math
import shlex
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nmt.config.metrics import Figure
from nmt.sweep.results import SEED, Result, chosen_by, reported, varying

MOST_VALUES = 6  # a numeric parameter with more is cut into BINS
BINS = 4
BRIEF = 6  # letters of a number that is shown as it is


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation (n - 1; None of a single value)."""

    mean: float
    deviation: float | None

    @staticmethod
    def of(values: Sequence[float]) -> Spread:
        """Of at least one value."""
        return Spread(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None)


@dataclass(frozen=True)
class Row:
    """One configuration, over its seeds."""

    name: str  # what it differs in
    label: str  # the same in short
    trials: tuple[Result, ...]  # finished ones, the best first
    planned: int  # trials of it that the sweep knows, whatever became of them
    dev: Spread
    tests: tuple[Spread | None, ...]  # of the test set, by the figures of the board
    seconds: float  # of training, mean
    usd: float | None  # mean; None where a price is not known

    @property
    def command(self) -> str:
        """Of its best trial, alone."""
        return shlex.join(["uv", "run", "train.py", *self.trials[0].flags, *self.trials[0].overrides])


@dataclass(frozen=True)
class Importance:
    """`share` of the variance of the score that a parameter explains on its own: 0 none, 1 all of it."""

    key: str
    share: float
    num_values: int


@dataclass(frozen=True)
class Board:
    """All of it."""

    figure: Figure  # what the trials were chosen by
    tests: tuple[Figure, ...]  # shown of the test set
    rows: tuple[Row, ...]  # the best first
    importance: tuple[Importance, ...]  # the largest first
    fronts: dict[str, tuple[str, ...]]  # "seconds", "usd" -> names on the Pareto front, cheapest first
    results: tuple[Result, ...]


def make_board(results: Sequence[Result]) -> Board:
    """Raises SweepError where trials were chosen by different metrics."""
    figure = chosen_by(results)
    all_figures = [facts.figure for facts in reported(results)]
    tests = [one for one in all_figures if one.brief] or all_figures
    rows = sorted(_rows(results, figure.sign, tests), key=lambda row: -figure.sign * row.dev.mean)
    fronts = {"seconds": front(rows, figure.sign, [row.seconds for row in rows])}
    prices = [row.usd for row in rows if row.usd is not None]
    if prices and len(prices) == len(rows):
        fronts["usd"] = front(rows, figure.sign, prices)
    return Board(figure, tuple(tests), tuple(rows), importances(results), fronts, tuple(results))


def _rows(results: Sequence[Result], sign: int, tests: Sequence[Figure]) -> list[Row]:
    keys = [key for key in varying(results) if key != SEED]
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(result.group, []).append(result)
    rows = []
    for members in groups.values():
        done = sorted((one for one in members if one.finished), key=lambda one: -sign * one.score)
        if not done:
            continue
        name = " ".join(f"{key}={done[0].values[key]}" for key in keys if key in done[0].values) or "one configuration"
        prices = [one.usd for one in done if one.usd is not None]
        rows.append(
            Row(
                name,
                label_of(done[0].values, keys),
                tuple(done),
                len(members),
                Spread.of([one.score for one in done]),
                tuple(_spread(_tests(done, figure.key)) for figure in tests),
                statistics.fmean(one.scores.seconds for one in done if one.scores is not None),
                statistics.fmean(prices) if len(prices) == len(done) else None,
            )
        )
    return rows


def label_of(values: Mapping[str, str], keys: Sequence[str]) -> str:
    """units=64 learning_rate=0.001893: the last part of each key, and no more digits than one reads."""
    words = (f"{key.rpartition('.')[2]}={brief(values[key])}" for key in keys if key in values)
    return " ".join(words) or "one configuration"


def brief(text: str) -> str:
    """0.018932155 -> 0.01893; what is no such number stays as it is."""
    found = numbers([text])
    return text if found is None or len(text) <= BRIEF else f"{found[0]:.{BRIEF - 2}g}"


def numbers(texts: Sequence[str]) -> list[float] | None:
    """Texts as numbers; None where one is none, or not finite."""
    try:
        found = [float(text) for text in texts]
    except ValueError:
        return None
    return found if all(map(math.isfinite, found)) else None


def _spread(values: Sequence[float]) -> Spread | None:
    return Spread.of(values) if values else None


def _tests(results: Sequence[Result], key: str) -> list[float]:
    return [one.scores.test[key] for one in results if one.scores is not None and key in one.scores.test]


def front(rows: Sequence[Row], sign: int, costs: Sequence[float]) -> tuple[str, ...]:
    """Names of the configurations that no other one beats in both quality and cost, the cheapest first."""
    order = sorted(range(len(rows)), key=lambda i: (costs[i], -sign * rows[i].dev.mean))
    kept: list[str] = []
    best = -math.inf
    for i in order:
        if sign * rows[i].dev.mean > best:
            best = sign * rows[i].dev.mean
            kept.append(rows[i].name)
    return tuple(kept)


def importances(results: Sequence[Result]) -> tuple[Importance, ...]:
    """Of every parameter that varies, the seed among them: what it explains tells how much is noise."""
    done = [result for result in results if result.finished]
    found = []
    for key in varying(done):
        labels = classes([result.values.get(key, "") for result in done])
        found.append(Importance(key, explained([result.score for result in done], labels), len(set(labels))))
    return tuple(sorted(found, key=lambda one: -one.share))


def classes(texts: Sequence[str]) -> list[str]:
    """Values as classes: as they are, but many different numbers are cut into BINS of about equal size."""
    if len(set(texts)) <= MOST_VALUES:
        return list(texts)
    found = numbers(texts)
    if found is None:
        return list(texts)
    cuts = statistics.quantiles(sorted(found), n=BINS, method="inclusive")
    return [str(sum(number > cut for cut in cuts)) for number in found]


def explained(scores: Sequence[float], labels: Sequence[str]) -> float:
    """Epsilon squared of a one-way analysis of variance (Kelley 1935): the share of the variance between classes, less
    what as many classes made by chance would have; never below 0."""
    groups: dict[str, list[float]] = {}
    for score, label in zip(scores, labels, strict=True):
        groups.setdefault(label, []).append(score)
    mean = statistics.fmean(scores)
    total = sum((score - mean) ** 2 for score in scores)
    within = sum(sum((score - statistics.fmean(group)) ** 2 for score in group) for group in groups.values())
    free = len(scores) - len(groups)
    if total <= 0 or free < 1:
        return 0.0
    return max(0.0, (total - within - (len(groups) - 1) * within / free) / total)
