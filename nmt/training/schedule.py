"""The learning rate as a function of the step."""

from __future__ import annotations

import math

from nmt.config.train import Schedule, TrainConfig


def learning_rate(config: TrainConfig, step: int, reductions: int) -> float:
    """Rate of step `step` (from 1): a linear warm-up, then what `train.schedule` says, never below the floor.

    constant       r
    inverse_sqrt   r sqrt(w / step)                                    (Vaswani et al. 2017, eq. 3)
    cosine         floor + (r - floor) (1 + cos(pi progress)) / 2      (Loshchilov & Hutter 2017, eq. 5)
    plateau        r factor^reductions                                 reductions: see `Plateau`

    with w the warm-up steps (at least 1) and progress from 0 at its end to 1 at `train.max_steps`.
    """
    rate, floor = config.learning_rate, config.min_learning_rate
    if step < config.warmup_steps:
        return rate * step / config.warmup_steps
    if config.schedule is Schedule.constant:
        return rate
    if config.schedule is Schedule.inverse_sqrt:
        return max(floor, rate * math.sqrt(max(1, config.warmup_steps) / step))
    if config.schedule is Schedule.plateau:
        return max(floor, rate * config.plateau_factor**reductions)
    progress = min(1.0, (step - config.warmup_steps) / (config.max_steps - config.warmup_steps))
    return floor + (rate - floor) * (1 + math.cos(math.pi * progress)) / 2
