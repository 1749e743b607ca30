"""Training curves from the events of `metrics.jsonl`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

from nmt.config.metrics import LOSS, Figure
from nmt.report.plots import Curves, curves


def training_curves(events: Sequence[Mapping[str, Any]], score: Figure) -> list[Curves]:
    """Likelihood, perplexity, a score and learning rate over steps. What was not finite leaves a gap."""
    panels = {  # title -> (event, key) of each line, and the bounds of their values
        "negative log-likelihood (nats a piece)": ((("train", "nll"), ("validate", "loss")), LOSS.bounds),
        "perplexity (dev)": ((("validate", "perplexity"),), (1.0, inf)),
        f"{score.label} (dev)": ((("validate", score.key),), score.bounds),
        "learning rate": ((("train", "learning_rate"),), (0.0, inf)),
    }
    drawn = []
    for title, (lines, bounds) in panels.items():
        named = [
            (int(event == "validate"), "dev" if event == "validate" else "train", series(events, event, key))
            for event, key in lines
        ]
        drawn.append(curves(title, named, legend=len(lines) > 1, bounds=bounds))
    return [panel for panel in drawn if panel is not None]


def series(events: Sequence[Mapping[str, Any]], event: str, key: str) -> list[tuple[float, float]]:
    """Steps and values of `key` in events called `event`; null becomes NaN."""
    found = [(line["step"], line[key]) for line in events if line["event"] == event and key in line]
    return [(step, float("nan") if value is None else value) for step, value in found]
