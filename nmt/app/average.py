"""The end of a run with `train.final_average`: which of a few checkpoints and their averages becomes best.h5."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nmt.app.hooks import score_dev
from nmt.app.models import assign_best
from nmt.app.run import Run
from nmt.checkpoint.combination import average_files
from nmt.checkpoint.reader import open_checkpoint_file
from nmt.config.metrics import Figure
from nmt.training.candidates import BEST, candidates
from nmt.training.state import TrainingState

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Chosen:
    """What became best.h5: its name, the steps that it is the mean of, and its figures of the dev set."""

    name: str
    steps: tuple[int, ...]
    figures: Mapping[str, float]
    others: Mapping[str, float]  # the score of every candidate, by name
    by: Figure

    @property
    def score(self) -> float:
        return self.figures[self.by.key]

    def __str__(self) -> str:
        """`best.h5 is the average of the last 5 (steps 20, 25), by dev BLEU: the best checkpoint 30.12, ...`"""
        steps = ", ".join(f"{step:,}" for step in self.steps)
        scores = ", ".join(f"{name} {self.by.told(score)}" for name, score in self.others.items())
        return f"best.h5 is {self.name} (step{'s' * (len(self.steps) > 1)} {steps}), by dev {self.by.label}: {scores}"

    def as_json(self) -> dict[str, Any]:
        return {"chosen": self.name, "steps": list(self.steps), "by": self.by.key, "dev": dict(self.others)}


def choose_final(run: Run, state: TrainingState) -> Chosen | None:
    """Let the best of the candidates be best.h5, by the figure that chooses the best checkpoint, of the dev set alone.

    None where averaging is off. Each average is scored as a validation scores, of equal ones the lower loss wins, then
    the earlier candidate. Done again, as by a run that was killed here, it comes to the same.

    Raises CheckpointError where a file cannot be written.
    """
    found = candidates(state, run.config.train)
    if not found:
        return None
    figure, store = run.config.train.early_stopping.figure, run.store
    figures = {BEST: next(entry for entry in state.history if entry["step"] == state.best_step)}
    files = {BEST: store.step(state.best_step)}
    for number, (name, steps) in enumerate(found.items()):
        if name != BEST and (average := averaged(run, state, steps, store.average(number))) is not None:
            files[name], figures[name] = average, scored(run, average)
    chosen = min(figures, key=lambda name: (-figure.sign * figures[name][figure.key], figures[name]["loss"]))
    if files[chosen].exists():  # but for one that a full disk has not taken, where the run was to go on
        store.choose(files[chosen])
    for name in files.keys() - {BEST}:
        files[name].unlink()
    scores = {name: one[figure.key] for name, one in figures.items()}
    final = Chosen(chosen, found[chosen], {k: v for k, v in figures[chosen].items() if k != "step"}, scores, figure)
    log.info("%s", final)
    where = {"event": "average", "step": state.step, "epoch": float(state.epoch), **state.spent()}
    run.event({**where, **final.figures, **final.as_json()})
    return final


def averaged(run: Run, state: TrainingState, steps: tuple[int, ...], target: Path) -> Path | None:
    """`target`, the mean of the checkpoints of these steps; None where one of them is gone, which is said."""
    files = [run.store.step(step) for step in steps]
    if missing := [path.name for path in files if not path.exists()]:
        log.warning("no average of steps %s: %s is gone", ", ".join(map(str, steps)), missing[0])
        return None
    average_files(files, target, replace(run.bundle, state=state.to_json(), step=state.step).extras())
    return target


def scored(run: Run, path: Path) -> dict[str, float]:
    """Figures of the dev set with a checkpoint's weights, which the trainer's model is given."""
    with open_checkpoint_file(path) as file:
        assign_best(path, file, run.trainer.model)
    return score_dev(run, run.greedy)[0]
