"""A run that is left at any step, or within any validation, and goes on from its checkpoint is the run that stayed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nmt.config.train import Schedule
from nmt.training.state import TrainingState
from tests.unit.training_tools import FakeBatches, FakeHooks, FakeTrainer, run

LOSSES = [3.0, 2.0, 2.5, 2.0, 1.0, 1.0]
# Nothing falls on the same step as anything else more often than it must; an epoch has 4 batches.
EVERY = {"log_every": 3, "validate_every": 2, "save_every": 5, "max_steps": 11}
SCHEDULE = {"schedule": Schedule.plateau, "plateau_patience": 1, "warmup_steps": 0}
TIMES = ("seconds", "tokens_per_second", "waited_share")


def log_of(hooks: FakeHooks) -> list[dict[str, Any]]:
    return [{key: value for key, value in event.items() if key not in TIMES} for event in hooks.events]


def timeless(state: TrainingState) -> TrainingState:
    return replace(state, seconds=0.0, window=replace(state.window, seconds=0.0, waited_s=0.0))


@pytest.fixture(scope="module")
def whole():
    return run(hooks=FakeHooks(LOSSES), **EVERY, **SCHEDULE)


def go_on(state: TrainingState, before: FakeHooks, trainer: FakeTrainer, **options):
    """From the state as its checkpoint has it, with what the log keeps; -> final state, whole log, all steps."""
    state = TrainingState.from_json(state.to_json())
    kept = [event for event in log_of(before)[: state.events] if event["step"] <= state.step]
    hooks = FakeHooks(LOSSES[len(state.history) :])
    final, rest, hooks = run(state=state, hooks=hooks, **EVERY, **SCHEDULE, **options)
    steps = [step for step in trainer.steps if step[0] <= state.step] + rest.steps
    return final, kept + log_of(hooks), steps, hooks


def assert_same(whole, final, log, steps) -> None:
    assert timeless(final) == timeless(whole[0])
    assert steps == whole[1].steps
    assert log == log_of(whole[2])


@pytest.mark.parametrize("at", range(1, 11))
def test_asked_to_stop_after_a_step(whole, at):
    trainer, hooks = FakeTrainer(), FakeHooks(LOSSES)
    asked = lambda: len(trainer.steps) >= at and hooks.told[-1] != f"validate {at}"  # noqa: E731
    run(trainer, hooks=hooks, stop=asked, **EVERY, **SCHEDULE)
    assert hooks.saved[-1].step == at
    assert not hooks.saved[-1].validation_due
    assert_same(whole, *go_on(hooks.saved[-1], hooks, trainer)[:3])


@pytest.mark.parametrize("at", [2, 4, 6, 8, 10, 11])
def test_asked_to_stop_within_a_validation(whole, at):
    trainer, hooks = FakeTrainer(), FakeHooks(LOSSES)
    run(
        trainer, hooks=hooks, stop=lambda: hooks.told[-1:] == [f"validate {at}"] or late(hooks, at), **EVERY, **SCHEDULE
    )
    state = hooks.saved[-1]
    assert (state.step, state.validation_due) == (at, True)
    assert len(state.history) == at // 2 - (at % 2 == 0)
    assert hooks.told[-3:] == [f"save event {at}", f"save {at}", f"end event {at}"]
    final, log, steps, after = go_on(state, hooks, trainer)
    assert after.told[:2] == [f"validate {at}", f"validate event {at}"]
    assert not final.validation_due
    assert_same(whole, final, log, steps)


def late(hooks: FakeHooks, at: int) -> bool:
    return f"validate {at}" in hooks.told


def test_asked_again_within_the_validation_that_is_done_again(whole):
    trainer, hooks = FakeTrainer(), FakeHooks(LOSSES)
    run(trainer, hooks=hooks, stop=lambda: late(hooks, 4), **EVERY, **SCHEDULE)
    first = hooks.saved[-1]
    _, again, second = run(state=first, hooks=FakeHooks(LOSSES[1:]), stop=lambda: True, **EVERY, **SCHEDULE)
    assert again.steps == []
    assert timeless(second.saved[-1]) == timeless(first)
    assert second.saved[-1].validation_due


@pytest.mark.parametrize("number", range(4))
def test_killed_after_any_save(whole, number):
    """Everything after the save is lost but for what the log was told."""
    trainer, hooks = whole[1], whole[2]
    assert len(hooks.saved) >= 4
    state = hooks.saved[number]
    assert log_of(hooks)[state.events - 1] == {**log_of(hooks)[state.events - 1], "event": "save", "step": state.step}
    assert_same(whole, *go_on(state, hooks, trainer)[:3])


def test_what_the_next_train_event_has_to_tell_is_part_of_the_state(whole):
    """A save in the middle of the steps that one event sums up: steps 4 and 5 of 4, 5, 6, whose losses are 4, 5, 6."""
    state = next(state for state in whole[2].saved if state.step == 5)
    assert (state.window.steps, state.window.loss) == (2, 9.0)
    event = next(event for event in whole[2].events if (event["event"], event["step"]) == ("train", 6))
    assert event["loss"] == 5.0


def test_a_state_of_an_older_version_counts_no_lines():
    _, _, hooks = run(state=TrainingState(step=4, epoch=1, events=None), batches=FakeBatches(4), max_steps=6)
    assert [state.events for state in hooks.saved] == [None]
