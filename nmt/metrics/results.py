"""All scores of one test set as the content of `results.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nmt.config.metrics import MetricsConfig
from nmt.metrics.bootstrap import Interval
from nmt.metrics.metric import Score, metric_class


def results(
    *,
    checkpoint: str,
    data: str,
    sentences: int,
    seconds: float,
    scores: Mapping[str, Score],
    cfg: MetricsConfig,
    leaked: Sequence[int] = (),
) -> dict[str, Any]:
    """Plain, and without numbers that JSON does not have.

    `seconds` is the time that translating and scoring took. An interval's key names its confidence: `ci95`, unless
    `metrics.confidence` says else; its value is [low, high], or null for `metrics.bootstrap=0`. Where sentences
    (`leaked`, from 0) stand in the training text, the scores of the others are told too, null where there are none.
    """
    interval = f"ci{100 * cfg.confidence:g}"
    return {
        "checkpoint": checkpoint,
        "data": data,
        "sentences": sentences,
        "seconds": round(seconds, 3),
        **{name: {**score.content, interval: _bounds(score.interval)} for name, score in scores.items()},
        **({"leaked": _leaked(scores, leaked)} if leaked else {}),
    }


def _leaked(scores: Mapping[str, Score], leaked: Sequence[int]) -> dict[str, Any]:
    without: dict[str, float | None] = {}
    for name, score in scores.items():
        others_NF = np.delete(score.statistics_NF, list(leaked), axis=0)
        summed_KF = others_NF.sum(axis=0, keepdims=True)
        without[name] = float(metric_class(name).from_statistics(summed_KF)[0]) if len(others_NF) else None
    return {"sentences": len(leaked), "without": without}


def _bounds(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.low, interval.high]
