"""chrF++ of a corpus (Popović 2017): chrF with n-grams of one and two words beside those of letters."""

from __future__ import annotations

from sacrebleu.metrics.chrf import CHRF

from nmt.config.metrics import METRICS
from nmt.metrics.chrf import Chrf


class ChrfPlusPlus(Chrf):
    """As chrF, to be reported beside it."""

    facts = METRICS["chrfpp"]

    def sacre(self) -> CHRF:
        return CHRF(word_order=CHRF.WORD_ORDER + 2)


METRIC = ChrfPlusPlus
