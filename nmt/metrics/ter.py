"""Translation edit rate of a corpus (Snover et al. 2006).

F statistic (edits, words of the reference), K resample
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sacrebleu.metrics.ter import TER

from nmt.config.metrics import METRICS
from nmt.metrics.bootstrap import FloatArray
from nmt.metrics.sacre import SacreMetric


class Ter(SacreMetric):
    """Less is better."""

    facts = METRICS["ter"]

    def sacre(self) -> TER:
        cfg = self.cfg.ter
        return TER(cfg.normalized, cfg.no_punct, cfg.asian_support, cfg.case_sensitive)

    def remarks(self, total: Any) -> dict[str, object]:
        return {"num_edits": int(total.num_edits), "ref_len": float(total.ref_length)}

    @staticmethod
    def from_statistics(summed_KF: FloatArray) -> FloatArray:
        """TER [K] of corpora given by their summed statistics, at least 0.

            TER = 100 edits / words of the reference

        A sentence counts its nearest reference's edits and its references' mean length. Without a word in any
        reference it is 100, or 0 where there is no edit either.
        """
        edits_K, ref_len_K = summed_KF[:, 0], summed_KF[:, 1]
        return np.where(ref_len_K > 0, 100.0 * edits_K / np.where(ref_len_K > 0, ref_len_K, 1.0), 100.0 * (edits_K > 0))


METRIC = Ter
