"""Metrics of a language without word vectors."""

from __future__ import annotations

from nmt.config.metrics import MetricsConfig
from nmt.metrics.metric import Language, Metric, metric_class


def make_metric(name: str, **options) -> Metric:
    """With MetricsConfig(**options)."""
    return metric_class(name)(MetricsConfig(**options), Language("de"))
