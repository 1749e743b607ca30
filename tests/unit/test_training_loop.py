"""The loop with stand-ins for the model and for what a run does beside training: what happens when, and only then."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest

from nmt.config.train import Schedule
from nmt.errors import TrainingError
from nmt.training.loop import perplexity, train
from nmt.training.state import TrainingState, Window
from tests.unit.training_tools import TOKENS, FakeBatches, FakeHooks, FakeTrainer, config, run


def test_everything_in_its_order():
    _, _, hooks = run(hooks=FakeHooks(losses=[3.0, 4.0]), max_steps=4, log_every=1, validate_every=2, save_every=3)
    assert hooks.told == [
        *["step 1", "train event 1"],
        *["step 2", "train event 2", "validate 2", "validate event 2", "save event 2", "save 2 best"],
        *["step 3", "train event 3", "save event 3", "save 3"],
        *["step 4", "train event 4", "validate 4", "validate event 4", "save event 4", "save 4", "end event 4"],
    ]


def test_every_validation_is_saved_where_checkpoints_are_averaged_at_the_end():
    _, _, hooks = run(hooks=FakeHooks(losses=[3.0, 4.0, 5.0]), max_steps=6, validate_every=2, final_average=2)
    saves = [told for told in hooks.told if told.startswith("save") and "event" not in told]
    assert saves == ["save 2 best", "save 4", "save 6"]


def test_a_run_ends_at_max_steps_logged_validated_and_saved_once():
    final, trainer, hooks = run(max_steps=6)
    assert [number for number, _, _ in trainer.steps] == [1, 2, 3, 4, 5, 6]
    assert [told for told in hooks.told if not told.startswith("step")] == [
        *["train event 6", "validate 6", "validate event 6", "save event 6", "save 6 best", "end event 6"],
    ]
    assert final == hooks.saved[0]
    assert (final.step, final.epoch, final.cursor, final.target_tokens) == (6, 1, 2, 6 * TOKENS)


def test_epochs_follow_one_another_whatever_their_length():
    final, trainer, _ = run(batches=FakeBatches(3, 1, 2), max_steps=7)
    assert [place for _, place, _ in trainer.steps] == [0, 1, 2, 100, 200, 201, 300]
    assert (final.epoch, final.cursor) == (3, 1)


def test_a_run_goes_on_in_the_middle_of_an_epoch():
    whole, trainer, _ = run(max_steps=9, schedule=Schedule.inverse_sqrt, warmup_steps=4)
    part, first, _ = run(max_steps=6, schedule=Schedule.inverse_sqrt, warmup_steps=4)
    again, rest, hooks = run(state=part, max_steps=9, schedule=Schedule.inverse_sqrt, warmup_steps=4)
    assert (part.epoch, part.cursor) == (1, 2)
    assert first.steps + rest.steps == trainer.steps
    assert again.target_tokens == whole.target_tokens
    assert again.seconds > part.seconds
    assert hooks.told[0] == "step 7"


def test_a_run_goes_on_at_the_end_of_an_epoch():
    part, _, _ = run(max_steps=4)
    assert (part.epoch, part.cursor) == (1, 0)
    _, rest, _ = run(state=part, max_steps=6)
    assert [place for _, place, _ in rest.steps] == [100, 101]


@pytest.mark.parametrize("cursor, places", [(3, [3, 100]), (4, [100, 101]), (9, [100, 101])])
def test_a_run_that_goes_on_with_fewer_batches_an_epoch_ends_the_epoch_and_not_in_a_loop(cursor, places):
    _, rest, hooks = run(state=TrainingState(step=20, cursor=cursor), max_steps=22)
    assert [place for _, place, _ in rest.steps] == places
    assert hooks.events[-1]["epoch"] == (1.25 if cursor == 3 else 1.5)


def test_a_run_that_has_ended_takes_no_step_and_saves_nothing():
    state = TrainingState(step=6, epoch=1, cursor=2)
    final, trainer, hooks = run(state=state)
    assert final == state
    assert trainer.steps == []
    assert hooks.told == ["end event 6"]
    assert hooks.events[0]["epoch"] == 1.5


def test_a_request_to_stop_saves_after_the_step_and_leaves():
    trainer = FakeTrainer()
    final, _, hooks = run(trainer, stop=lambda: len(trainer.steps) == 3)
    assert hooks.told == ["step 1", "step 2", "step 3", "save event 3", "save 3", "end event 3"]
    assert (final.step, final.cursor) == (3, 3)
    assert not final.history


def test_the_steps_are_done_before_the_last_save():
    trainer, hooks = FakeTrainer(), FakeHooks()

    def done() -> None:
        hooks.told.append("steps done")

    train(trainer, FakeBatches(4), config(), TrainingState(), hooks, lambda: len(trainer.steps) == 2, steps_done=done)
    assert hooks.told == ["step 1", "step 2", "steps done", "save event 2", "save 2", "end event 2"]


def test_a_request_to_stop_on_a_step_that_was_saved_saves_no_second_time():
    trainer = FakeTrainer()
    _, _, hooks = run(trainer, stop=lambda: len(trainer.steps) == 3, save_every=3)
    assert hooks.told[-3:] == ["save event 3", "save 3", "end event 3"]
    assert len(hooks.saved) == 1


def test_a_request_to_stop_before_the_first_step_leaves_at_once():
    final, trainer, hooks = run(stop=lambda: True)
    assert (final, trainer.steps, hooks.told) == (TrainingState(), [], ["end event 0"])


def test_early_stopping_ends_the_run_and_saves_where_it_stands():
    losses = [3.0, 2.0, 2.5, 2.0, 9.0]
    final, _, hooks = run(hooks=FakeHooks(losses), max_steps=50, validate_every=2, patience=2)
    assert final.step == 8
    assert [told for told in hooks.told if told.startswith("save") and "event" not in told] == [
        *["save 2 best", "save 4 best", "save 8"],
    ]
    assert (final.best_step, final.best_score) == (4, 2.0)
    assert hooks.saved[-1] == final
    assert hooks.told[-4:] == ["validate event 8", "save event 8", "save 8", "end event 8"]


def test_patience_0_never_stops_early():
    final, _, _ = run(hooks=FakeHooks([1.0, 2.0, 3.0, 4.0, 5.0]), max_steps=5, validate_every=1)
    assert final.step == 5


def test_a_plateau_lowers_the_rate_of_the_next_step():
    _, trainer, _ = run(
        hooks=FakeHooks([3.0, 3.0, 3.0]),
        max_steps=7,
        validate_every=2,
        schedule=Schedule.plateau,
        plateau_patience=1,
    )
    assert [rate for _, _, rate in trainer.steps] == [0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125]


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass only where the test says so."""
    now = [1000.0]
    monkeypatch.setattr("nmt.training.loop.time.perf_counter", lambda: now[0])
    return now


class Slow(FakeTrainer):
    def __init__(self, clock, seconds):
        super().__init__()
        self.clock, self.seconds = clock, seconds

    def step(self, *arguments):
        self.clock[0] += self.seconds
        return super().step(*arguments)


def test_max_hours_count_over_all_restarts(clock):
    first, _, _ = run(Slow(clock, 600.0), max_steps=50, max_hours=0.5)
    assert (first.step, first.seconds) == (3, 1800.0)
    clock[0] += 99_999  # between the runs nothing counts
    again, _, hooks = run(Slow(clock, 600.0), state=first, max_steps=50, max_hours=1.0)
    assert (again.step, again.seconds) == (6, 3600.0)
    assert hooks.told[-5:] == ["validate 6", "validate event 6", "save event 6", "save 6", "end event 6"]


def test_dollars_and_gpu_seconds_count_over_all_restarts_and_end_a_run(clock):
    price = {"max_steps": 50, "usd_per_hour": 1.0}
    first, _, _ = run(Slow(clock, 900.0), num_gpus=2, max_usd=0.75, **price)
    assert (first.step, first.gpu_seconds, first.usd) == (3, 5400.0, 0.75)
    clock[0] += 99_999  # between the runs nothing counts
    again, _, hooks = run(Slow(clock, 900.0), state=first, num_gpus=1, max_usd=1.5, **price)
    assert (again.step, again.gpu_seconds, again.usd) == (6, 8100.0, 1.5)
    assert hooks.told[-5:] == ["validate 6", "validate event 6", "save event 6", "save 6", "end event 6"]
    assert hooks.saved[-1] == again
    assert [event["usd"] for event in hooks.events] == [1.5] * 4


def test_speed_and_loss_are_of_the_steps_since_the_last_event_without_validations_and_saves(clock):

    def take_an_hour():
        clock[0] += 3600

    hooks = FakeHooks(validate=take_an_hour, save=take_an_hour)
    final, _, _ = run(Slow(clock, 2.0), hooks=hooks, max_steps=6, log_every=3, validate_every=2, save_every=1)
    first, second = (event for event in hooks.events if event["event"] == "train")
    assert (first["loss"], second["loss"]) == (2.0, 5.0)  # the fake losses are 1, 2, 3 and 4, 5, 6
    assert first["tokens_per_second"] == second["tokens_per_second"] == TOKENS / 2.0
    assert first["nll"] == 2.0
    assert first["waited_share"] == 0.0
    assert (first["target_tokens"], second["target_tokens"]) == (15, 30)
    assert hooks.windows == [(steps, steps * TOKENS) for steps in (1, 2, 3, 1, 2, 3)]
    assert final.seconds == 6 * 2.0 + (3 + 5) * 3600  # of the state; the last save is after it


def test_events_have_the_documented_keys():
    _, _, hooks = run(max_steps=3, log_every=3)
    common = {"event", "step", "epoch", "seconds"}
    train_keys = {"loss", "nll", "learning_rate", "target_tokens", "tokens_per_second", "waited_share"}
    assert {event["event"]: set(event) - common for event in hooks.events} == {
        "train": train_keys,
        "validate": {"loss", "bleu"},
        "save": set(),
        "end": set(),
    }
    assert all(common <= set(event) for event in hooks.events)
    assert [event["epoch"] for event in hooks.events] == [0.75] * 4
    assert hooks.events[0]["learning_rate"] == 0.5


@pytest.mark.parametrize("number", [1, 3])
def test_a_step_that_is_not_finite_ends_the_run_unsaved_and_is_named(number):
    trainer, hooks = FakeTrainer(not_finite_at=number), FakeHooks()
    with pytest.raises(TrainingError) as caught:
        run(trainer, hooks=hooks)
    assert str(caught.value) == (
        f"step {number}: found loss nan and gradient norm inf, expected finite numbers; "
        "the weights were left as before it; lower train.learning_rate or train.clip_norm."
    )
    assert hooks.told == [f"step {n}" for n in range(1, number)]


def test_a_step_left_out_for_its_loss_scale_counts_but_its_loss_does_not():
    _, trainer, hooks = run(trainer=FakeTrainer(overflows_at=2), max_steps=4, log_every=4)
    assert [number for number, _, _ in trainer.steps] == [1, 2, 3, 4]
    (event,) = (event for event in hooks.events if event["event"] == "train")
    assert event["loss"] == (1 + 3 + 4) / 3
    assert (event["nll"], event["overflowed"]) == (2.0, 1)


def test_an_error_in_the_batches_reaches_the_caller():
    class Broken(FakeBatches):
        def batches(self, epoch, start=0):
            yield from super().batches(epoch, 2)
            raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        run(batches=Broken(4))


def test_an_epoch_without_batches_or_with_too_few_is_our_own_mistake():
    class Short(FakeBatches):
        def num_batches(self, epoch):
            return 9

        def batches(self, epoch, start=0):
            return iter(list(FakeBatches(4).batches(epoch, start)))

    with pytest.raises(AssertionError, match="an epoch without batches never ends"):
        run(batches=FakeBatches(0))
    with pytest.raises(AssertionError, match="an epoch ended before its last batch"):
        run(batches=Short(4), max_steps=50)


def test_no_thread_is_left_behind_when_a_run_stops_in_mid_epoch():
    run(batches=FakeBatches(1000), max_steps=2)
    assert not [thread for thread in threading.enumerate() if thread.name == "prefetch"]


@pytest.mark.parametrize("loss, expected", [(0.0, 1.0), (np.log(20.0), 20.0), (1e4, np.inf)])
def test_perplexity(loss, expected):
    assert perplexity(loss) == pytest.approx(expected)


def test_an_empty_window_has_no_loss_and_no_speed():
    window = Window()
    assert (window.mean_loss, window.tokens_per_second) == (0.0, 0.0)


def test_a_state_is_a_value():
    state = TrainingState()
    run(state=state)
    assert state == replace(state) == TrainingState()
