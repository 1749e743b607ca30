"""Word Mover's Distance as a metric beside others: the mean similarity of a corpus."""

from __future__ import annotations

from collections.abc import Sequence

from nmt.config.metrics import METRICS, MetricsConfig
from nmt.metrics.bootstrap import FloatArray, mean_from_statistics, mean_statistics
from nmt.metrics.metric import Language, Metric, Plan, Score
from nmt.metrics.wmd.mover import WordMover


class Wmd(Metric):
    """Its signature tells the vectors: with others, scores cannot be compared."""

    facts = METRICS["wmd"]

    def __init__(self, cfg: MetricsConfig, language: Language) -> None:
        super().__init__(cfg, language)
        assert language.vectors is not None, "whoever makes a metric sees to its vectors"
        self.mover = WordMover(language.vectors, cfg.wmd, language.code)

    def _score(self, hypotheses: Sequence[str], references: Sequence[Sequence[str]], bootstrap: int) -> Score:
        found = self.mover.score(hypotheses, references)
        statistics_NF = mean_statistics(found.similarities_N)
        content = {
            "similarity": found.similarity,
            "distance": found.distance,
            "coverage": found.coverage,
            "num_empty": found.num_empty,
            "num_unknown": found.num_unknown,
            "signature": found.signature,
        }
        interval = self.interval(statistics_NF, bootstrap)
        return Score(found.similarity, found.signature, statistics_NF, content, interval)

    def plans(self, hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> Sequence[Plan | None]:
        found = self.mover.plans(hypotheses, references)
        return [None if plan is None else Plan(plan.distance, plan.moves()) for plan in found]

    @staticmethod
    def from_statistics(summed_KF: FloatArray) -> FloatArray:
        """Similarity [K], 0..1: the mean over sentences."""
        return mean_from_statistics(summed_KF)


METRIC = Wmd
