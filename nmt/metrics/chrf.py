"""chrF of a corpus (Popović 2015, 2017).

F statistic (n-grams of hypothesis, of reference, and matches, for each order), K resample, O order
"""

from __future__ import annotations

import numpy as np
from sacrebleu.metrics.chrf import CHRF

from nmt.config.metrics import METRICS
from nmt.metrics.bootstrap import FloatArray
from nmt.metrics.sacre import SacreMetric

_BETA = 2  # recall weighs beta times as much as precision


class Chrf(SacreMetric):
    """`word_order` adds n-grams of words to those of letters (Popović 2017)."""

    facts = METRICS["chrf"]

    def sacre(self) -> CHRF:
        return CHRF(word_order=self.cfg.chrf.word_order, beta=_BETA)

    @staticmethod
    def from_statistics(summed_KF: FloatArray) -> FloatArray:
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


METRIC = Chrf
