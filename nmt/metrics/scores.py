"""All scores of one test set, and the `results.json` they become."""

from __future__ import annotations

import math
from typing import Any, Protocol

from nmt.config.metrics import MetricsConfig
from nmt.metrics.bleu import BleuScore, bleu, bleu_from_statistics
from nmt.metrics.bootstrap import (
    FloatArray,
    Interval,
    bootstrap_interval,
    mean_from_statistics,
    mean_statistics,
)
from nmt.metrics.chrf import ChrfScore, chrf, chrf_from_statistics

__all__ = [
    "BleuScore",
    "ChrfScore",
    "Interval",
    "bleu",
    "bleu_from_statistics",
    "chrf",
    "chrf_from_statistics",
    "results",
]


class SimilarityScore(Protocol):
    """What `results` reads of a score by Word Mover's Distance."""

    @property
    def similarity(self) -> float: ...
    @property
    def distance(self) -> float | None: ...
    @property
    def coverage(self) -> float: ...
    @property
    def signature(self) -> str: ...
    @property
    def num_empty(self) -> int: ...
    @property
    def num_unknown(self) -> int: ...
    @property
    def similarities_N(self) -> FloatArray: ...  # noqa: N802


def results(
    *,
    checkpoint: str,
    data: str,
    sentences: int,
    seconds: float,
    bleu: BleuScore,
    chrf: ChrfScore,
    wmd: SimilarityScore,
    cfg: MetricsConfig,
) -> dict[str, Any]:
    """The content of `results.json`: plain, and without numbers that JSON does not have.

    `seconds` is the time that translating and scoring took. An interval's key names its confidence: `ci95`, unless
    `metrics.confidence` says else; its value is [low, high], or null for `metrics.bootstrap=0`.
    """
    interval = bootstrap_interval(
        mean_statistics(wmd.similarities_N), mean_from_statistics, cfg.bootstrap, cfg.confidence, cfg.seed
    )
    key = f"ci{100 * cfg.confidence:g}"
    return {
        "checkpoint": checkpoint,
        "data": data,
        "sentences": sentences,
        "seconds": round(seconds, 3),
        "bleu": {
            "score": bleu.score,
            "signature": bleu.signature,
            "ref_len": bleu.ref_len,
            key: _bounds(bleu.interval),
        },
        "chrf": {"score": chrf.score, "signature": chrf.signature, key: _bounds(chrf.interval)},
        "wmd": {
            "similarity": wmd.similarity,
            "distance": _finite(wmd.distance),
            "coverage": wmd.coverage,
            "num_empty": wmd.num_empty,
            "num_unknown": wmd.num_unknown,
            "signature": wmd.signature,
            key: _bounds(interval),
        },
    }


def _bounds(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.low, interval.high]


def _finite(value: float | None) -> float | None:
    """JSON has no NaN: a distance that no sentence has is null."""
    return value if value is not None and math.isfinite(value) else None
