"""Where a run stands: its bookkeeping by hand, and its JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from nmt.config.data import FilesConfig
from nmt.config.root import Config
from nmt.config.train import EarlyStoppingConfig, TrainConfig
from nmt.errors import CheckpointError
from nmt.metrics.metric import Language, Scorer
from nmt.metrics.vectors import word_vectors
from nmt.metrics.wmd import vocabulary_of
from nmt.training.state import TrainingState, Window

# Sentences without spaces, and translations of them that are better from one validation to the next, never quite right.
UNSPACED = {
    "zh": (
        ["一个狗在公园里睡觉。", "一个女人在房子里唱歌。"],
        [["在在在在", "一一一一"], ["一个狗在。", "女人看书。"], ["一个狗在公园里睡觉", "女人在房子里唱歌。"]],
    ),
    "ja": (
        ["彼はつらい人生を送った。", "私は少しも泳げない。"],
        [["ののののの", "たたた"], ["彼は、人生を。", "私は私は"], ["彼はつらい人生を送った", "私は少しも泳げない"]],
    ),
}


def config(metric: str = "bleu", **options) -> TrainConfig:
    min_delta = options.pop("min_delta", 0.0)
    return TrainConfig(early_stopping=EarlyStoppingConfig(metric=metric, min_delta=min_delta), **options)


def after(config: TrainConfig, metric: str, values: list[float], loss: float = 1.0) -> list[TrainingState]:
    """The state after each of the validations, 10 steps apart."""
    state, states = TrainingState(), []
    for number, value in enumerate(values, start=1):
        state = replace(state, step=10 * number).after_validation({"loss": loss, metric: value}, config)
        states.append(state)
    return states


def test_steps_epochs_and_words_are_counted():
    state, places = TrainingState(), []
    for tokens in (5, 7, 11, 13):
        state = state.after_step(num_batches=3, num_tokens=tokens)
        places.append((state.step, state.epoch, state.cursor, state.target_tokens))
    assert places == [(1, 0, 1, 5), (2, 0, 2, 12), (3, 1, 0, 23), (4, 1, 1, 36)]


def test_an_epoch_of_one_batch():
    state = TrainingState().after_step(1, 4).after_step(1, 4)
    assert (state.epoch, state.cursor) == (2, 0)


@pytest.mark.parametrize(
    "metric, values, best",
    [
        ("bleu", [10.0, 12.0, 11.0, 12.0, 12.5], [10, 20, 20, 20, 50]),
        ("chrf", [0.0, -1.0, 3.0], [10, 10, 30]),
        ("wmd_similarity", [0.5, 0.6, 0.4], [10, 20, 20]),
        ("loss", [3.0, 2.0, 2.5, 2.0, 1.0], [10, 20, 20, 20, 50]),
        ("ter", [80.0, 60.0, 70.0], [10, 20, 20]),
    ],
)
def test_the_best_is_the_highest_score_or_the_lowest_loss_and_the_first_of_equals(metric, values, best):
    states = after(config(metric), metric, values)
    assert [state.best_step for state in states] == best
    assert [state.is_best() for state in states] == [
        state.step == step for state, step in zip(states, best, strict=True)
    ]
    assert states[-1].best_score == (min if metric in ("loss", "ter") else max)(values)


@pytest.mark.parametrize("language", UNSPACED)
def test_every_metric_sees_a_text_without_spaces_get_better(language):
    """One token a sentence would be 0 for BLEU and unknown to WMD each time, and the first would stay the best."""
    references, validations = UNSPACED[language]
    metrics = Config(data=FilesConfig(tgt=language)).metrics
    words = sorted(vocabulary_of(references, metrics.wmd, language))
    scorer = Scorer(metrics, Language(language, word_vectors(words, np.eye(len(words)), "each apart from all others")))
    given = [[reference] for reference in references]
    scores = [scorer.score(lines, given, 0) for lines in validations]
    for name, metric in (("bleu", "bleu"), ("chrf", "chrf"), ("wmd", "wmd_similarity")):
        states = after(config(metric), metric, [score[name].value for score in scores])
        assert [state.best_step for state in states] == [10, 20, 30], name


@pytest.mark.parametrize(
    "losses, best", [([4.0, 3.0, 2.0], [10, 20, 30]), ([4.0, 2.0, 3.0], [10, 20, 20]), ([2.0, 2.0, 2.0], [10, 10, 10])]
)
def test_of_equal_scores_the_lower_loss_is_best_and_is_no_gain(losses, best):
    state, states = TrainingState(), []
    for number, loss in enumerate(losses, start=1):
        state = replace(state, step=10 * number).after_validation({"loss": loss, "bleu": 0.0}, config())
        states.append(state)
    assert [state.best_step for state in states] == best
    assert [state.validations_without_gain for state in states] == [0, 1, 2]
    assert TrainingState.from_json(states[1].to_json()) == states[1]


def test_validations_without_gain_are_counted_from_the_last_gain():
    states = after(config(), "bleu", [10.0, 9.0, 10.0, 11.0, 10.0])
    assert [state.validations_without_gain for state in states] == [0, 1, 2, 0, 1]


def test_a_gain_must_exceed_min_delta():
    states = after(config(min_delta=0.5), "bleu", [10.0, 10.5, 10.75])
    assert [state.validations_without_gain for state in states] == [0, 1, 0]
    assert [state.best_score for state in states] == [10.0, 10.0, 10.75]
    states = after(config("loss", min_delta=0.5), "loss", [3.0, 2.5, 2.25])
    assert [state.best_score for state in states] == [3.0, 3.0, 2.25]


def test_nothing_is_best_before_a_validation():
    assert not TrainingState().is_best()


def test_the_history_holds_every_validation():
    history = after(config(), "bleu", [10.0, 9.0])[-1].history
    assert history == ({"step": 10, "loss": 1.0, "bleu": 10.0}, {"step": 20, "loss": 1.0, "bleu": 9.0})


@pytest.mark.parametrize(
    "patience, reductions",
    # losses        3  2  2  2.5  1  1  1  1  1
    [(1, [0, 0, 1, 2, 2, 3, 4, 5, 6]), (2, [0, 0, 0, 1, 1, 1, 2, 2, 3]), (3, [0, 0, 0, 0, 0, 0, 0, 1, 1])],
)
def test_the_plateau_schedule_counts_validations_without_a_lower_loss(patience, reductions):
    """A reduction starts the count anew, a lower loss too."""
    losses = [3.0, 2.0, 2.0, 2.5, 1.0, 1.0, 1.0, 1.0, 1.0]
    states = after(config("loss", plateau_patience=patience), "loss", losses)
    assert [state.plateau_reductions for state in states] == reductions
    assert states[3].plateau_loss == 2.0


def test_the_plateau_follows_the_loss_whatever_chooses_the_best():
    states = after(config(plateau_patience=1), "bleu", [1.0, 2.0, 3.0], loss=1.0)
    assert [state.plateau_reductions for state in states] == [0, 1, 2]


def test_json_brings_back_the_same_state():
    state = after(config(plateau_patience=1), "bleu", [10.0, 9.0, 0.1 + 0.2])[-1]
    state = replace(state, seconds=1 / 3, epoch=2, cursor=7, target_tokens=2**40, window=Window(0.1 + 0.2, 3.3, 2, 9))
    assert TrainingState.from_json(state.to_json()) == state
    assert TrainingState.from_json(TrainingState().to_json()) == TrainingState()


def test_time_is_counted_for_each_gpu_and_priced_where_a_price_is_known():
    state = TrainingState().after_time(1800.0, num_gpus=0, usd_per_hour=None)
    assert (state.seconds, state.gpu_seconds, state.usd) == (1800.0, 0.0, None)
    assert state.spent() == {"seconds": 1800.0}
    state = state.after_time(3600.0, num_gpus=2, usd_per_hour=0.5)
    assert (state.seconds, state.gpu_seconds, state.usd) == (5400.0, 7200.0, 0.5)
    state = state.after_time(1800.0, num_gpus=1, usd_per_hour=2.0)  # the price may change when a run goes on
    assert (state.seconds, state.gpu_seconds, state.usd) == (7200.0, 9000.0, 1.5)
    state = state.after_time(1800.0, num_gpus=0, usd_per_hour=None)  # and may no longer be known
    assert state.spent() == {"seconds": 9000.0, "usd": 1.5}


def test_a_state_of_an_older_version_loads():
    """Before money and lines of the log were counted, and an open window kept."""
    fields = json.loads(TrainingState(step=7).to_json())
    for name in ("gpu_seconds", "usd", "window", "events", "validation_due"):
        del fields[name]
    assert TrainingState.from_json(json.dumps(fields)) == TrainingState(step=7, events=None)


@pytest.mark.parametrize(
    "change, told",
    [
        ({"speed": 3}, "an unknown speed"),
        ({"history": None}, "history: None"),
        ({"history": [{"loss": "low"}]}, "history: [{'loss': 'low'}]"),
        ({"window": {"steps": 0.5}}, "steps: 0.5"),
        ({"step": 10**400}, f"step: {10**400}"[:60]),
    ],
)
def test_json_of_something_else_is_refused(change, told):
    with pytest.raises(CheckpointError) as refused:
        TrainingState.from_json(json.dumps({**json.loads(TrainingState().to_json()), **change}), "a.h5")
    assert str(refused.value).startswith(f"a.h5: found something else at <state> ({told}")
    for text in ("[]", "[" * 100_000, "{", '"\\ud800"'):
        with pytest.raises(CheckpointError, match=r"^a\.h5: found something else at <state> \("):
            TrainingState.from_json(text, "a.h5")
