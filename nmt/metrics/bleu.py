"""BLEU of a corpus (Papineni et al. 2002) by sacreBLEU (Post 2018), with the statistics behind it.

N sentence, F statistic (hypothesis length, reference length, 4 matches, 4 totals), K resample, O order 1..4
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sacrebleu.metrics.bleu import BLEU

from nmt.config.metrics import AUTO, BleuConfig
from nmt.errors import MetricError
from nmt.metrics.bootstrap import FloatArray, Interval, bootstrap_interval
from nmt.metrics.references import check_corpus, reference_streams

_ORDER = 4


@dataclass(frozen=True)
class BleuScore:
    """`score` in 0..100; `ref_len` in tokens, which shows whether two figures are of the same test set."""

    score: float
    signature: str
    ref_len: int
    interval: Interval | None
    statistics_NF: FloatArray


def bleu(
    hypotheses: Sequence[str],
    references: Sequence[Sequence[str]],
    cfg: BleuConfig,
    bootstrap: int,
    confidence: float,
    seed: int,
) -> BleuScore:
    """sacreBLEU's score, to the last digit; `references[i]` are those of sentence i.

    The signature is sacreBLEU's too: with `bootstrap` resamples it names their number and the seed.

    Raises MetricError for an empty corpus, unequal counts, a sentence without reference, or a tokenizer whose
    package is not installed.
    """
    check_corpus("BLEU", hypotheses, references)
    metric = _metric(cfg)
    # Not public in sacreBLEU, but all it has for statistics by sentence; a test holds it to corpus_score.
    statistics = metric._extract_corpus_statistics(hypotheses, reference_streams(references))
    total = metric._aggregate_and_compute(statistics)
    statistics_NF = np.asarray(statistics, dtype=np.float64)
    signature = metric.get_signature()
    if bootstrap:
        signature.update("bs", bootstrap)
        signature.update("seed", seed)
    return BleuScore(
        score=float(total.score),
        signature=str(signature),
        ref_len=int(total.ref_len),
        interval=bootstrap_interval(statistics_NF, bleu_from_statistics, bootstrap, confidence, seed),
        statistics_NF=statistics_NF,
    )


def bleu_from_statistics(summed_KF: FloatArray) -> FloatArray:
    """BLEU [K], 0..100, of corpora given by their summed statistics.

        BLEU = min(1, e^(1 - r/c)) * (p_1 p_2 p_3 p_4)^(1/4)

    Smoothing "exp" (NIST's): the k-th order without a match counts 1 / 2^k. 0 where an order has no n-gram at all, or
    no order has a match.
    """
    hyp_len_K, ref_len_K = summed_KF[:, 0], summed_KF[:, 1]
    matches_KO, totals_KO = summed_KF[:, 2 : 2 + _ORDER], summed_KF[:, 2 + _ORDER :]
    halvings_KO = np.cumsum(matches_KO == 0, axis=1)
    smoothed_KO = np.where(matches_KO == 0, 0.5**halvings_KO, matches_KO)
    defined_K = (totals_KO > 0).all(axis=1) & (matches_KO > 0).any(axis=1)
    precision_KO = 100.0 * smoothed_KO / np.where(totals_KO > 0, totals_KO, 1.0)
    brevity_K = np.exp(np.minimum(0.0, 1.0 - ref_len_K / np.where(hyp_len_K > 0, hyp_len_K, 1.0)))
    return np.where(defined_K, brevity_K * np.exp(np.log(precision_KO).mean(axis=1)), 0.0)


def _metric(cfg: BleuConfig) -> BLEU:
    try:
        # `auto` has become that of the language by now (nmt/config/root.py); without one it is sacreBLEU's own default.
        tokenize = None if cfg.tokenize == AUTO else cfg.tokenize
        # force: text that is tokenised already is scored as it is, without a warning. That is a setting of the
        # literature, chosen by tokenize=none and named in the signature.
        return BLEU(lowercase=cfg.lowercase, tokenize=tokenize, force=True)
    except (ImportError, RuntimeError) as error:  # tokenizers of Japanese and Korean live in packages of their own
        raise MetricError(
            "metrics.bleu.tokenize",
            found=f"{cfg.tokenize}, whose package is not installed",
            expected="a tokenizer that can be loaded",
            next_step=f"install sacrebleu[{cfg.tokenize.partition('-')[0]}], or choose another tokenizer",
        ) from error
