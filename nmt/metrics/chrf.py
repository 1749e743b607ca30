"""chrF of a corpus (Popović 2015, 2017) by sacreBLEU, with the statistics behind it.

N sentence, F statistic (n-grams of hypothesis, of reference, and matches, for each order), K resample, O order
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sacrebleu.metrics.chrf import CHRF

from nmt.config.metrics import ChrfConfig
from nmt.metrics.bootstrap import FloatArray, Interval, bootstrap_interval
from nmt.metrics.references import check_corpus, reference_streams

_BETA = 2  # recall weighs beta times as much as precision


@dataclass(frozen=True)
class ChrfScore:
    """`score` in 0..100."""

    score: float
    signature: str
    interval: Interval | None
    statistics_NF: FloatArray


def chrf(
    hypotheses: Sequence[str],
    references: Sequence[Sequence[str]],
    cfg: ChrfConfig,
    bootstrap: int,
    confidence: float,
    seed: int,
) -> ChrfScore:
    """sacreBLEU's chrF (chrF++ with word_order 2), to the last digit; `references[i]` are those of sentence i.

    Raises MetricError for an empty corpus, unequal counts, or a sentence without reference.
    """
    check_corpus("chrF", hypotheses, references)
    metric = CHRF(word_order=cfg.word_order, beta=_BETA)
    # Not public in sacreBLEU, but all it has for statistics by sentence; a test holds it to corpus_score.
    statistics = metric._extract_corpus_statistics(hypotheses, reference_streams(references))
    statistics_NF = np.asarray(statistics, dtype=np.float64)
    signature = metric.get_signature()
    if bootstrap:
        signature.update("bs", bootstrap)
        signature.update("seed", seed)
    return ChrfScore(
        score=float(metric._aggregate_and_compute(statistics).score),
        signature=str(signature),
        interval=bootstrap_interval(statistics_NF, chrf_from_statistics, bootstrap, confidence, seed),
        statistics_NF=statistics_NF,
    )


def chrf_from_statistics(summed_KF: FloatArray) -> FloatArray:
    """chrF [K], 0..100, of corpora given by their summed statistics.

        chrF = 100 (1 + beta^2) P R / (beta^2 P + R)        beta = 2

    P and R are means over the orders that both sides have n-grams of; 0 where there is no such order or no match.
    """
    hyp_KO, ref_KO, match_KO = summed_KF[:, 0::3], summed_KF[:, 1::3], summed_KF[:, 2::3]
    both_KO = (hyp_KO > 0) & (ref_KO > 0)
    num_orders_K = np.maximum(1, both_KO.sum(axis=1))
    precision_K = np.where(both_KO, match_KO / np.where(both_KO, hyp_KO, 1.0), 0.0).sum(axis=1) / num_orders_K
    recall_K = np.where(both_KO, match_KO / np.where(both_KO, ref_KO, 1.0), 0.0).sum(axis=1) / num_orders_K
    weighted_K = _BETA**2 * precision_K + recall_K
    chrf_K: FloatArray = 100.0 * (1 + _BETA**2) * precision_K * recall_K / np.where(weighted_K > 0, weighted_K, 1.0)
    return chrf_K
