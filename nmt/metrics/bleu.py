"""BLEU of a corpus (Papineni et al. 2002).

F statistic (hypothesis length, reference length, 4 matches, 4 totals), K resample, N sentence, O order 1..4
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.tokenizers import tokenizer_spm

from nmt.config.metrics import AUTO, FLORES, METRICS, BleuConfig
from nmt.errors import MetricError
from nmt.metrics.bootstrap import FloatArray
from nmt.metrics.sacre import SacreMetric

_ORDER = 4


def sacre_bleu(cfg: BleuConfig) -> BLEU:
    """sacreBLEU's own object. Raises MetricError for a tokenizer whose package or model is not here."""
    model = _model_file(cfg.tokenize) if cfg.tokenize in FLORES else None
    if model is not None and not (model.is_file() and model.stat().st_size):
        raise _no_model(cfg.tokenize, model)  # sacreBLEU would download it; a score asks nothing of a network
    try:
        # `auto` has become that of the language by now (nmt/config/root.py); without one it is sacreBLEU's default.
        tokenize = None if cfg.tokenize == AUTO else cfg.tokenize
        # force: text that is tokenised already is scored as it is, without a warning. That is a setting of the
        # literature, chosen by tokenize=none and named in the signature.
        return BLEU(lowercase=cfg.lowercase, tokenize=tokenize, force=True)
    except (ImportError, RuntimeError) as error:  # tokenizers of Japanese and Korean live in packages of their own
        if model is not None:
            raise _no_model(cfg.tokenize, model) from error
        raise MetricError(
            "metrics.bleu.tokenize",
            found=f"{cfg.tokenize}, whose package is not installed",
            expected="a tokenizer that can be loaded",
            next_step=f"install sacrebleu[{cfg.tokenize.partition('-')[0]}], or choose another tokenizer",
        ) from error


def _model_file(tokenize: str) -> Path:
    return Path(tokenizer_spm.SACREBLEU_DIR, "models", Path(tokenizer_spm.SPM_MODELS[tokenize]["url"]).name)


def _no_model(tokenize: str, model: Path) -> MetricError:
    there = model.exists()
    fetch = f"sacrebleu REFERENCE -i OUTPUT --tokenize {tokenize}"
    return MetricError(
        "metrics.bleu.tokenize",
        found=f"{tokenize}, whose model {'cannot be read from' if there else 'is not in'} {model}",
        expected="that file, since nothing is downloaded for a score",
        next_step=f"{'remove it and ' if there else ''}let sacreBLEU's own command fetch it "
        f"{'again' if there else 'once'} ({fetch}), or choose another",
    )


class Bleu(SacreMetric):
    """`ref_len`, in tokens, shows whether two scores are of the same test set."""

    facts = METRICS["bleu"]

    def sacre(self) -> BLEU:
        return sacre_bleu(self.cfg.bleu)

    def remarks(self, total: Any) -> dict[str, object]:
        return {"ref_len": int(total.ref_len)}

    @staticmethod
    def from_statistics(summed_KF: FloatArray) -> FloatArray:
        """BLEU [K], 0..100, of corpora given by their summed statistics.

            BLEU = min(1, e^(1 - r/c)) * (p_1 p_2 p_3 p_4)^(1/4)

        Smoothing "exp" (NIST's): the k-th order without a match counts 1 / 2^k. 0 where an order has no n-gram at all,
        or no order has a match.
        """
        has_all_K = (summed_KF[:, 2 + _ORDER :] > 0).all(axis=1)
        return np.where(has_all_K, Bleu.of_sentences(summed_KF), 0.0)

    @classmethod
    def of_sentences(cls, statistics_NF: FloatArray) -> FloatArray:
        """As sacreBLEU's sentence_bleu: over the orders that a sentence has ("effective order"), two of two words."""
        hyp_len_N, ref_len_N = statistics_NF[:, 0], statistics_NF[:, 1]
        matches_NO, totals_NO = statistics_NF[:, 2 : 2 + _ORDER], statistics_NF[:, 2 + _ORDER :]
        halvings_NO = np.cumsum(matches_NO == 0, axis=1)
        smoothed_NO = np.where(matches_NO == 0, 0.5**halvings_NO, matches_NO)
        precision_NO = 100.0 * smoothed_NO / np.where(totals_NO > 0, totals_NO, 1.0)
        log_N = np.where(totals_NO > 0, np.log(precision_NO), 0.0).sum(axis=1)
        orders_N = np.maximum(1, (totals_NO > 0).sum(axis=1))
        brevity_N = np.exp(np.minimum(0.0, 1.0 - ref_len_N / np.where(hyp_len_N > 0, hyp_len_N, 1.0)))
        return np.where((matches_NO > 0).any(axis=1), brevity_N * np.exp(log_N / orders_N), 0.0)


METRIC = Bleu
