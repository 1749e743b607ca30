"""What every metric is: statistics of sentences, and a score that follows from their sum.

That the two are apart makes resampling free: a resample of sentences is a sum of rows (sacreBLEU, Post 2018).

    N sentence, F statistic, K resample
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import ClassVar, NamedTuple, cast

from nmt.config.metrics import METRICS, Facts, MetricsConfig
from nmt.metrics.bootstrap import FloatArray, Interval, bootstrap_interval
from nmt.metrics.references import check_corpus
from nmt.metrics.vector_table import VectorSource


@dataclass(frozen=True)
class Score:
    """One metric of one set of sentences: `value` is the figure that stands for it."""

    value: float
    signature: str  # equal ones mean comparable values
    statistics_NF: FloatArray
    content: Mapping[str, object]  # what results.json says of it, its interval left out
    interval: Interval | None


class Plan(NamedTuple):
    """What a distance of two texts is made of: (word, word, mass, cost of a unit) of all that moves or stays."""

    distance: float
    moves: list[tuple[str, str, float, float]]


@dataclass(frozen=True)
class Language:
    """Of the texts that are scored: its code, and vectors of its words where a metric needs them."""

    code: str
    vectors: VectorSource | None = None


class Metric(ABC):
    """A metric with its settings fixed. The module `nmt.metrics.NAME` names its class `METRIC`."""

    facts: ClassVar[Facts]

    def __init__(self, cfg: MetricsConfig, language: Language) -> None:
        self.cfg, self.language = cfg, language

    def score(self, hypotheses: Sequence[str], references: Sequence[Sequence[str]], bootstrap: int) -> Score:
        """`references[i]` are those of sentence i; from `bootstrap` resamples comes the interval, None for 0.

        Raises MetricError for an empty corpus, unequal counts, or a sentence without reference.
        """
        check_corpus(self.facts.label, hypotheses, references)
        return self._score(hypotheses, references, bootstrap)

    @abstractmethod
    def _score(self, hypotheses: Sequence[str], references: Sequence[Sequence[str]], bootstrap: int) -> Score: ...

    def plans(self, hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> Sequence[Plan | None]:
        """How each text becomes its nearest reference, None where it cannot; nothing of metrics that move no words."""
        return ()

    @staticmethod
    @abstractmethod
    def from_statistics(summed_KF: FloatArray) -> FloatArray:
        """Summed statistics -> values [K]."""

    @classmethod
    def of_sentences(cls, statistics_NF: FloatArray) -> FloatArray:
        """Values [N] of single sentences, to look at: no score of a corpus follows from them."""
        return cls.from_statistics(statistics_NF)

    def interval(self, statistics_NF: FloatArray, bootstrap: int) -> Interval | None:
        """Percentile interval over resamples of the sentences."""
        cfg = self.cfg
        return bootstrap_interval(statistics_NF, self.from_statistics, bootstrap, cfg.confidence, cfg.seed)


def metric_class(name: str) -> type[Metric]:
    """Of one of METRICS. Its module is imported when it is first asked for: a solver of transport problems takes long
    to load, and most metrics have no use for it."""
    assert name in METRICS, f"no metric is called {name}"
    return cast("type[Metric]", import_module(f"nmt.metrics.{name}").METRIC)


class Scorer:
    """The metrics that `metrics.report` names, ready to score any number of systems alike."""

    def __init__(self, cfg: MetricsConfig, language: Language) -> None:
        self.cfg, self.language = cfg, language
        self.metrics = {name: metric_class(name)(cfg, language) for name in cfg.report}

    def score(self, hypotheses: Sequence[str], references: Sequence[Sequence[str]], bootstrap: int) -> dict[str, Score]:
        """By the names of the metrics. Raises MetricError as `Metric.score` does."""
        return {name: metric.score(hypotheses, references, bootstrap) for name, metric in self.metrics.items()}
