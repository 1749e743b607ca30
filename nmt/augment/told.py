"""What the loop tells at its end: what was kept, what was left out, where the text lies, how good the models are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from nmt.plumbing.tables import table
from nmt.sweep.outcome import Scores

HEADER = ("method", "model", "read", "kept", "left out")


def told(provenance: Path, finals: Sequence[tuple[Path, Scores | None]]) -> str:
    """From the files that the last stages wrote."""
    sum = json.loads(provenance.read_bytes())
    rows = []
    for part in sum["parts"]:
        numbers = ", ".join(str(one["model"]) for one in (part, *part.get("together_with", ())))
        model = f"{part['direction']} {numbers} of round {part['round']}"
        why = ", ".join(f"{count:,} {reason}" for reason, count in part["dropped"].items())
        rows.append((part["method"], model, f"{part['read']:,}", f"{part['kept']:,}", why or "none"))
    times = "" if sum["real"]["times"] == 1 else f", {sum['real']['times']} times"
    lines = [
        table(rows, HEADER, right=(2, 3)),
        "",
        f"{sum['pairs']:,} pairs; {sum['real']['pairs']:,} real ones{times}",
    ]
    lines += [f"{provenance.parent / name}  SHA-256 {file['sha256']}" for name, file in sum["files"].items()]
    for folder, scores in finals:
        if scores is not None:
            parts = [("dev", scores.dev), ("test", scores.test)]
            shown = "; ".join(f"{name} {_figures(figures)}" for name, figures in parts if figures)
            lines.append(f"{folder / 'checkpoints' / 'best.h5'}  {shown}")
    return "\n".join(lines)


def _figures(figures: object) -> str:
    assert isinstance(figures, dict)
    return ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
