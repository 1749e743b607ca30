"""Training curves from the events of `metrics.jsonl`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from nmt.config.metrics import Figure
from nmt.report.figures import new_figure, png_bytes

_TRAIN, _DEV = "#0969da", "#bc4c00"


def training_curves(events: Sequence[Mapping[str, Any]], score: Figure) -> bytes:
    """PNG of likelihood, perplexity, a score and learning rate over steps. What was not finite leaves a gap."""
    panels = {  # title -> (event, key) of each line
        "negative log-likelihood (nats a piece)": (("train", "nll"), ("validate", "loss")),
        "perplexity (dev)": (("validate", "perplexity"),),
        f"{score.label} (dev)": (("validate", score.key),),
        "learning rate": (("train", "learning_rate"),),
    }
    figure = new_figure(8.0, 5.2)
    for place, (title, lines) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(2, 2, place)
        drawn = [_line(axes, events, event, key) for event, key in lines]
        axes.set_title(title, fontsize=10, loc="left")
        axes.grid(color="#d0d7de", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
        axes.set_xlabel("step", fontsize=8)
        if not any(drawn):
            axes.text(0.5, 0.5, "nothing logged", ha="center", va="center", transform=axes.transAxes, color="#57606a")
        elif len(lines) > 1:
            axes.legend(frameon=False, fontsize=8)
    return png_bytes(figure)


def series(events: Sequence[Mapping[str, Any]], event: str, key: str) -> tuple[list[int], list[float]]:
    """Steps and values of `key` in events called `event`; null becomes NaN."""
    found = [(line["step"], line[key]) for line in events if line["event"] == event and key in line]
    return [step for step, _ in found], [float("nan") if value is None else value for _, value in found]


def _line(axes: Axes, events: Sequence[Mapping[str, Any]], event: str, key: str) -> bool:
    steps, values = series(events, event, key)
    training = event == "train"
    axes.plot(
        steps,
        values,
        color=_TRAIN if training else _DEV,
        label="train" if training else "dev",
        marker=None if training and len(steps) > 1 else "o",
        markersize=3,
        linewidth=1.3,
    )
    return bool(steps)
