"""What a run folder says of its run: the best validation by the metric that chooses, the test set, the time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nmt.config.metrics import FIGURES, Figure
from nmt.config.saved import read_run_config
from nmt.config.train import EarlyStoppingConfig
from nmt.errors import NmtError
from nmt.report.events import read_events

EVENTS_FILE = "metrics.jsonl"
LAST_WRITTEN = "report.html"  # of a run that came to its end


@dataclass(frozen=True)
class Scores:
    chosen_by: Figure
    score: float | None  # best of the dev set, as it is (a loss is not negated); None before the first, or not finite
    step: int  # of the best
    dev: Mapping[str, float]  # figures of the best validation
    test: Mapping[str, float]  # ... of the test set; empty before the end
    seconds: float  # in training, over all restarts
    usd: float | None  # where the run knew its price
    complete: bool
    report: tuple[str, ...]  # names of its metrics


def read_scores(folder: Path) -> Scores | None:
    """None where there is no run that has logged anything readable yet."""
    try:
        config = read_run_config(folder)
        events = read_events(folder / EVENTS_FILE)
    except NmtError:
        return None
    stopping = config.train.early_stopping
    best = best_validation(events, stopping)
    score = best.get(stopping.metric)
    tests = [event for event in events if event["event"] == "test"]
    test = next((event for event in tests if event["data"] == "test"), tests[0] if tests else {})
    usd = [event["usd"] for event in events if event.get("usd") is not None]
    return Scores(
        stopping.figure,
        score,
        best["step"] if best else 0,
        figures(best),
        figures(test),
        max((event["seconds"] for event in events), default=0.0),
        max(usd, default=None),
        (folder / LAST_WRITTEN).exists(),
        tuple(config.metrics.report),
    )


def validations(folder: Path, figure: Figure) -> dict[int, float]:
    """Step -> score of the dev set, of a run under way or ended."""
    try:
        events = read_events(folder / EVENTS_FILE)
    except NmtError:  # it has not begun to log
        return {}
    scores = {event["step"]: event.get(figure.key) for event in events if event["event"] == "validate"}
    return {step: math.nan if score is None else score for step, score in scores.items()}


def best_validation(events: Sequence[Mapping[str, Any]], stopping: EarlyStoppingConfig) -> Mapping[str, Any]:
    """The event that the run itself holds for its best, by the rule of `train.early_stopping`; empty without any.

    What the end of a run chose (`train.final_average`) goes before all validations.
    """
    best: Mapping[str, Any] = {}
    for event in events:
        if event["event"] == "average":
            best = event
            break
        if event["event"] != "validate":
            continue
        if not best:
            best = event
            continue
        score, before = _value(event, stopping), _value(best, stopping)
        gained = stopping.figure.sign * (score - before) > stopping.min_delta
        if gained or (score == before and _number(event.get("loss")) < _number(best.get("loss"))):
            best = event
    return best


def figures(event: Mapping[str, Any]) -> dict[str, float]:
    """The loss and the scores of an event."""
    return {key: event[key] for key in FIGURES if event.get(key) is not None}


def _value(event: Mapping[str, Any], stopping: EarlyStoppingConfig) -> float:
    return _number(event.get(stopping.metric))


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)  # null: it was not finite
