# C text, G n-gram, O order
"""How alike texts are by BLEU, chrF or WMD, each against each: what a choice by agreement asks, in matrices.

Sentence by sentence as sacreBLEU has it: BLEU with smoothing "exp" and effective order, chrF with 6 character orders.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from nmt.config.metrics import BleuConfig, ChrfConfig
from nmt.metrics.bleu import sacre_bleu
from nmt.metrics.chrf import Chrf
from nmt.metrics.wmd import WordMover

FloatArray = np.ndarray
_BLEU_ORDERS = range(1, 5)
_CHRF_ORDERS = range(1, 7)


class NgramCounts:
    """Counts of n-grams of each text, an order a matrix [C, G]."""

    def __init__(self, units: Sequence[Sequence[str]], orders: range) -> None:
        self.length_C = np.array([len(text) for text in units], np.float64)
        self.orders = [_counted(units, order) for order in orders]

    def matches(self, reference: int, candidates_C: np.ndarray) -> FloatArray:
        """[C, O]: n-grams that each candidate shares with the reference, clipped."""
        return np.stack(
            [np.minimum(count_CG[candidates_C], count_CG[reference]).sum(axis=1) for count_CG in self.orders], axis=1
        )

    def totals(self, texts: np.ndarray | int) -> FloatArray:
        """[C, O] or [O]: n-grams of texts."""
        return np.stack([count_CG[texts].sum(axis=-1) for count_CG in self.orders], axis=-1)


class BleuLikeness:
    """Sentence BLEU over 100 (Papineni et al. 2002; smoothing of Chen & Cherry 2014, effective order)."""

    def __init__(self, texts: Sequence[str], cfg: BleuConfig) -> None:
        tokenizer = sacre_bleu(cfg).tokenizer
        lowered = [text.lower() if cfg.lowercase else text for text in texts]
        self.counts = NgramCounts([tokenizer(text.rstrip()).split() for text in lowered], _BLEU_ORDERS)

    def __call__(self, reference: int, candidates_C: np.ndarray) -> FloatArray:
        match_CO = self.counts.matches(reference, candidates_C)
        total_CO = self.counts.totals(candidates_C)
        length_C = self.counts.length_C[candidates_C]
        halvings_CO = np.cumsum((match_CO == 0) & (total_CO > 0), axis=1)
        smoothed_CO = np.where(match_CO == 0, 0.5**halvings_CO, match_CO)
        real_CO = total_CO > 0
        log_CO = np.where(real_CO, np.log(smoothed_CO / np.where(real_CO, total_CO, 1.0)), 0.0)
        mean_C = np.exp(log_CO.sum(axis=1) / np.maximum(real_CO.sum(axis=1), 1))
        short_C = np.minimum(0.0, 1.0 - self.counts.length_C[reference] / np.maximum(length_C, 1.0))
        return np.where(match_CO.any(axis=1), mean_C * np.exp(short_C), 0.0)


class ChrfLikeness:
    """Sentence chrF over 100 (Popović 2015): characters without white space."""

    def __init__(self, texts: Sequence[str], cfg: ChrfConfig) -> None:
        self.counts = NgramCounts(["".join(text.split()) for text in texts], _CHRF_ORDERS)

    def __call__(self, reference: int, candidates_C: np.ndarray) -> FloatArray:
        match_CO = self.counts.matches(reference, candidates_C)
        hyp_CO, ref_O = self.counts.totals(candidates_C), self.counts.totals(reference)
        statistics_COF = np.stack(np.broadcast_arrays(hyp_CO, ref_O, match_CO), axis=2)
        return Chrf.from_statistics(statistics_COF.reshape(len(candidates_C), -1)) / 100


class WmdLikeness:
    """exp(-WMD / sigma), as the score has it."""

    def __init__(self, texts: Sequence[str], mover: WordMover) -> None:
        self.texts, self.mover = list(texts), mover

    def __call__(self, reference: int, candidates_C: np.ndarray) -> FloatArray:
        hypotheses = [self.texts[place] for place in candidates_C]
        return np.asarray(self.mover.score(hypotheses, [[self.texts[reference]]] * len(hypotheses)).similarities_N)


def _counted(units: Sequence[Sequence[str]], order: int) -> FloatArray:
    """[C, G] for the n-grams of one order."""
    counts = [Counter(tuple(text[i : i + order]) for i in range(len(text) - order + 1)) for text in units]
    column = {ngram: number for number, ngram in enumerate(dict.fromkeys(n for count in counts for n in count))}
    count_CG = np.zeros((len(units), len(column)))
    for row, count in enumerate(counts):
        for ngram, times in count.items():
            count_CG[row, column[ngram]] = times
    return count_CG
