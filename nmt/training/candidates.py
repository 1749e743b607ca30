"""What may become best.h5 at the end of a run: a function of its validations, so a killed run has the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nmt.config.train import TrainConfig
from nmt.training.state import TrainingState

BEST = "the best checkpoint"


def candidates(state: TrainingState, config: TrainConfig) -> dict[str, tuple[int, ...]]:
    """Name -> steps, rising: the best checkpoint, and the averages of the last and of the best K (train.final_average).

    Of as many as there are where the run has fewer validations. What averages the same checkpoints as one before it is
    left out, an average of one checkpoint too; nothing is a candidate where averaging is off or nothing was validated.
    """
    count, metric, sign = config.final_average, config.early_stopping.metric, config.early_stopping.figure.sign
    if not count or not state.history:
        return {}
    by_score = sorted(state.history, key=lambda entry: (-sign * entry[metric], entry["loss"], entry["step"]))
    found = {
        BEST: (state.best_step,),
        "the average of the last {}": _steps(state.history[-count:]),
        "the average of the best {}": _steps(by_score[:count]),
    }
    told: dict[str, tuple[int, ...]] = {}
    for name, steps in found.items():
        if steps not in told.values() and (name == BEST or len(steps) > 1):
            told[name.format(len(steps))] = steps
    return told


def needed(state: TrainingState, config: TrainConfig) -> set[int]:
    """Steps whose checkpoints are kept for that."""
    return {step for steps in candidates(state, config).values() for step in steps}


def _steps(entries: Sequence[Mapping[str, float]]) -> tuple[int, ...]:
    return tuple(sorted(int(entry["step"]) for entry in entries))
