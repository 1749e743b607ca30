"""What the metrics that sacreBLEU computes (Post 2018) share: its statistics, its score, its signature."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import sacrebleu.metrics.base

from nmt.config.metrics import MetricsConfig
from nmt.metrics.metric import Language, Metric, Score
from nmt.metrics.references import reference_streams


class SacreMetric(Metric):
    """A metric of sacreBLEU. With resamples the signature names their number and the seed, as sacreBLEU's does."""

    def __init__(self, cfg: MetricsConfig, language: Language) -> None:
        super().__init__(cfg, language)
        self.sacre()  # what it lacks shows here, before anything is trained or translated

    @abstractmethod
    def sacre(self) -> sacrebleu.metrics.base.Metric:
        """sacreBLEU's own object: a new one, since it keeps what it last scored."""

    def remarks(self, total: Any) -> dict[str, object]:
        """What results.json says beside score and signature, from sacreBLEU's score of the corpus."""
        return {}

    def _score(self, hypotheses: Sequence[str], references: Sequence[Sequence[str]], bootstrap: int) -> Score:
        metric = self.sacre()
        # Not public in sacreBLEU, but all it has for statistics by sentence; a test holds it to corpus_score.
        statistics = metric._extract_corpus_statistics(hypotheses, reference_streams(references))
        total = metric._aggregate_and_compute(statistics)
        statistics_NF = np.asarray(statistics, dtype=np.float64)
        signature = metric.get_signature()
        if bootstrap:
            signature.update("bs", bootstrap)
            signature.update("seed", self.cfg.seed)
        value = float(total.score)
        content = {"score": value, "signature": str(signature), **self.remarks(total)}
        return Score(value, str(signature), statistics_NF, content, self.interval(statistics_NF, bootstrap))
