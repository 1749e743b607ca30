"""All scores of one test set as the content of `results.json`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nmt.config.metrics import MetricsConfig
from nmt.metrics.bootstrap import Interval
from nmt.metrics.metric import Score


def results(
    *,
    checkpoint: str,
    data: str,
    sentences: int,
    seconds: float,
    scores: Mapping[str, Score],
    cfg: MetricsConfig,
) -> dict[str, Any]:
    """Plain, and without numbers that JSON does not have.

    `seconds` is the time that translating and scoring took. An interval's key names its confidence: `ci95`, unless
    `metrics.confidence` says else; its value is [low, high], or null for `metrics.bootstrap=0`.
    """
    interval = f"ci{100 * cfg.confidence:g}"
    return {
        "checkpoint": checkpoint,
        "data": data,
        "sentences": sentences,
        "seconds": round(seconds, 3),
        **{name: {**score.content, interval: _bounds(score.interval)} for name, score in scores.items()},
    }


def _bounds(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.low, interval.high]
