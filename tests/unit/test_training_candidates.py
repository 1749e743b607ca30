"""Which checkpoints the end of a run averages, by hand."""

from __future__ import annotations

import pytest

from nmt.config.train import EarlyStoppingConfig, TrainConfig
from nmt.training.candidates import BEST, candidates, needed
from nmt.training.state import TrainingState


def after(
    *figures: tuple[float, float], count: int, metric: str = "bleu", **options
) -> tuple[TrainingState, TrainConfig]:
    """The state after validations 10 steps apart, each with a BLEU and a loss."""
    stopping = EarlyStoppingConfig(metric=metric, **options)
    state, config = TrainingState(), TrainConfig(final_average=count, early_stopping=stopping)
    for number, (bleu, loss) in enumerate(figures, start=1):
        state = TrainingState(**{**vars(state), "step": 10 * number})
        state = state.after_validation({"bleu": bleu, "loss": loss}, config)
    return state, config


def test_the_last_and_the_best():
    state, config = after((3, 1), (5, 1), (4, 1), (1, 1), (2, 1), count=2)
    assert candidates(state, config) == {
        BEST: (20,),
        "the average of the last 2": (40, 50),
        "the average of the best 2": (20, 30),
    }
    assert needed(state, config) == {20, 30, 40, 50}


def test_a_low_loss_is_a_good_one_and_decides_between_equal_scores():
    state, config = after((0, 5), (0, 2), (0, 3), (0, 9), count=2, metric="loss")
    assert candidates(state, config)["the average of the best 2"] == (20, 30)
    state, config = after((7, 5), (7, 2), (7, 3), (6, 9), count=2)
    assert candidates(state, config) == {
        BEST: (20,),
        "the average of the last 2": (30, 40),
        "the average of the best 2": (20, 30),
    }


def test_the_best_is_kept_where_a_gain_too_small_to_count_came_after_it():
    state, config = after((5, 1), (5.1, 1), (5.2, 1), count=2, min_delta=1)
    assert candidates(state, config) == {BEST: (10,), "the average of the last 2": (20, 30)}
    assert needed(state, config) == {10, 20, 30}


@pytest.mark.parametrize(
    ("figures", "names"),
    [
        ([], []),
        ([(3, 1)], [BEST]),
        ([(3, 1), (2, 1)], [BEST, "the average of the last 2"]),
        ([(3, 1), (2, 1), (1, 1)], [BEST, "the average of the last 3"]),
    ],
)
def test_fewer_validations_than_asked_for_and_nothing_twice(figures, names):
    assert list(candidates(*after(*figures, count=5))) == names


def test_nothing_where_averaging_is_off():
    state, config = after((3, 1), (5, 1), count=0)
    assert candidates(state, config) == {}
    assert needed(state, config) == set()
