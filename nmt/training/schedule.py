"""The learning rate as a function of the step."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from nmt.config.train import Schedule, TrainConfig


def learning_rate(config: TrainConfig, step: int, reductions: int) -> float:
    """Rate of step `step` (from 1): a linear warm-up, then what `train.schedule` says, never below the floor.

    constant       r
    inverse_sqrt   r sqrt(w / step)                                    (Vaswani et al. 2017, eq. 3)
    cosine         floor + (r - floor) (1 + cos(pi progress)) / 2      (Loshchilov & Hutter 2017, eq. 5)
    plateau        r factor^reductions                                 reductions: see `TrainingState`

    with w the warm-up steps (at least 1) and progress from 0 at its end to 1 at `train.max_steps`.
    """
    if step < config.warmup_steps:
        return config.learning_rate * step / config.warmup_steps
    return AFTER_WARMUP[config.schedule](config, step, reductions)


def _constant(config: TrainConfig, step: int, reductions: int) -> float:
    return config.learning_rate


def _inverse_sqrt(config: TrainConfig, step: int, reductions: int) -> float:
    return max(config.min_learning_rate, config.learning_rate * math.sqrt(max(1, config.warmup_steps) / step))


def _cosine(config: TrainConfig, step: int, reductions: int) -> float:
    rate, floor = config.learning_rate, config.min_learning_rate
    progress = min(1.0, (step - config.warmup_steps) / (config.max_steps - config.warmup_steps))
    return floor + (rate - floor) * (1 + math.cos(math.pi * progress)) / 2


def _plateau(config: TrainConfig, step: int, reductions: int) -> float:
    return max(config.min_learning_rate, config.learning_rate * config.plateau_factor**reductions)


AFTER_WARMUP: Mapping[Schedule, Callable[[TrainConfig, int, int], float]] = {
    Schedule.constant: _constant,
    Schedule.inverse_sqrt: _inverse_sqrt,
    Schedule.cosine: _cosine,
    Schedule.plateau: _plateau,
}
