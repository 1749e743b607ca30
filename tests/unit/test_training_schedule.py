"""The learning rate at chosen steps, by hand."""

from __future__ import annotations

import math

import pytest

from nmt.config.train import Schedule, TrainConfig
from nmt.training.schedule import learning_rate


def config(schedule: Schedule, **options) -> TrainConfig:
    return TrainConfig(**{"schedule": schedule, "learning_rate": 0.8, "warmup_steps": 100, "max_steps": 500, **options})


@pytest.mark.parametrize("schedule", Schedule)
@pytest.mark.parametrize("step, rate", [(1, 0.008), (50, 0.4), (99, 0.792), (100, 0.8)])
def test_every_schedule_warms_up_in_a_line(schedule, step, rate):
    assert learning_rate(config(schedule), step, 0) == pytest.approx(rate, rel=1e-12)


@pytest.mark.parametrize(
    "schedule, step, rate",
    [
        (Schedule.constant, 101, 0.8),
        (Schedule.constant, 500, 0.8),
        (Schedule.inverse_sqrt, 400, 0.4),
        (Schedule.inverse_sqrt, 10_000, 0.08),
        (Schedule.cosine, 200, 0.8 * (1 + math.sqrt(0.5)) / 2),
        (Schedule.cosine, 300, 0.4),
        (Schedule.cosine, 500, 0.0),
        (Schedule.cosine, 600, 0.0),
    ],
)
def test_what_follows_the_warm_up(schedule, step, rate):
    assert learning_rate(config(schedule), step, 0) == pytest.approx(rate, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("reductions, rate", [(0, 0.8), (1, 0.2), (3, 0.0125)])
def test_a_plateau_multiplies_the_rate_once_for_each_reduction(reductions, rate):
    assert learning_rate(config(Schedule.plateau, plateau_factor=0.25), 300, reductions) == pytest.approx(rate)


@pytest.mark.parametrize("schedule", [schedule for schedule in Schedule if schedule is not Schedule.plateau])
def test_reductions_are_for_the_plateau_schedule_only(schedule):
    assert learning_rate(config(schedule), 300, 5) == learning_rate(config(schedule), 300, 0)


@pytest.mark.parametrize(
    "schedule, step, rate",
    [
        (Schedule.inverse_sqrt, 10_000, 0.3),
        (Schedule.plateau, 10_000, 0.3),
        (Schedule.cosine, 300, 0.3 + 0.5 / 2),
        (Schedule.cosine, 500, 0.3),
    ],
)
def test_the_floor(schedule, step, rate):
    assert learning_rate(config(schedule, min_learning_rate=0.3), step, 4) == pytest.approx(rate)


@pytest.mark.parametrize(
    "schedule, rates",
    [
        (Schedule.constant, [0.8, 0.8]),
        (Schedule.plateau, [0.8, 0.8]),
        (Schedule.inverse_sqrt, [0.8, 0.4]),
        (Schedule.cosine, [0.8 * (1 + math.cos(math.pi / 500)) / 2, 0.8 * (1 + math.cos(math.pi * 4 / 500)) / 2]),
    ],
)
def test_no_warm_up(schedule, rates):
    without = config(schedule, warmup_steps=0)
    assert [learning_rate(without, step, 0) for step in (1, 4)] == pytest.approx(rates, rel=1e-12)
