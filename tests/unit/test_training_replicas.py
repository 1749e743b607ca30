# B batch, S source step, T target step
"""Shares of a batch by hand, what is refused, and what workers tell one another; two devices are in tests/system."""

from __future__ import annotations

import signal
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

from nmt.app import together
from nmt.app.together import SharedHooks, hurried, stopped_by, told_scores
from nmt.config.consistency import Consistency
from nmt.config.metrics import MetricsConfig
from nmt.config.precision import Precision
from nmt.config.root import Config
from nmt.config.train import Distribution, TrainConfig
from nmt.errors import ConfigError, DeviceError, WorkerLostError
from nmt.model.noise import Noise
from nmt.plumbing.signals import StopRequest
from nmt.training import placement
from nmt.training.device import Chosen
from nmt.training.gradients import Share, batch_gradients, count_tokens
from nmt.training.loop import train
from nmt.training.loss_scale import LossScale
from nmt.training.placement import num_devices, spread
from nmt.training.replicas import Replicas, StrategyReplicas, own_rows
from nmt.training.state import TrainingState
from tests.unit.model_tools import model_of, padded
from tests.unit.model_twins import tiny_config
from tests.unit.training_tools import FakeBatches, FakeHooks, FakeTrainer
from tests.unit.training_tools import config as train_config

SOURCE_BS = padded([[4, 3, 5, 2], [6, 2], [2], [3, 3, 2], [4, 7, 6, 5, 2]])
TARGET_BT = padded([[2], [2], [5, 4, 3, 7, 2], [3, 4, 2], [6, 2]])


def shares(count: int, rows: int = 5) -> list[Share]:
    return [Share(tf.constant(i), count, count_tokens(TARGET_BT[:rows])) for i in range(count)]


@pytest.mark.parametrize(
    "rows, count, sizes", [(5, 2, [3, 2]), (4, 2, [2, 2]), (2, 4, [1, 0, 1, 0]), (1, 3, [1, 0, 0])]
)
def test_shares_are_alike_and_one_without_a_sentence_has_no_word(rows, count, sizes):
    found = []
    for share in shares(count, rows):
        source_BS, target_BT = own_rows(SOURCE_BS[:rows], TARGET_BT[:rows], share)
        assert source_BS.shape[0] == target_BT.shape[0] >= 1
        found.append(0 if int(count_tokens(target_BT)) == 0 else target_BT.shape[0])
    assert found == sizes


RDROP = {"consistency": Consistency.rdrop}


@pytest.mark.parametrize(
    "count, options, passes", [(2, {}, {}), (3, {"micro_batch_sentences": 1}, {}), (7, {}, {}), (7, {}, RDROP)]
)
def test_the_sum_over_shares_is_the_whole_batchs_gradient(count, options, passes):
    model, _ = model_of(tiny_config(), dtype=tf.float32)
    noise, scale = Noise(tf.constant(1, tf.int64), tf.constant(1, tf.int64)), LossScale(Precision.float32)
    whole = batch_gradients(model, TrainConfig(**passes), scale, SOURCE_BS, TARGET_BT, noise)
    config = TrainConfig(**options, **passes)
    parts = [
        batch_gradients(model, config, scale, *own_rows(SOURCE_BS, TARGET_BT, share), noise, share)
        for share in shares(count)
    ]
    assert_allclose(sum(part.loss for part in parts), whole.loss, rtol=1e-6)
    assert_allclose(sum(part.nll for part in parts), whole.nll, rtol=1e-6)
    for place, expected in enumerate(whole.gradients):
        assert_allclose(sum(part.gradients[place] for part in parts), expected, atol=1e-6)


# ---- what is refused


CPU = Chosen("cpu", "CPU")


def sentence(config, chosen):
    with pytest.raises((ConfigError, DeviceError)) as caught:
        spread(config, chosen)
    return str(caught.value)


def test_one_device_needs_nothing():
    assert type(spread(TrainConfig(), CPU)) is Replicas
    assert num_devices(TrainConfig()) == 1
    assert num_devices(TrainConfig(distribution=Distribution.mirrored)) == 0


@pytest.mark.parametrize("kind", ["cpu", "gpu"])
def test_one_device_cannot_be_mirrored(kind):
    assert sentence(TrainConfig(distribution=Distribution.mirrored), Chosen(kind, "")) == (
        f"train.distribution=mirrored: found one device ({kind.upper()}), expected several; use "
        "train.distribution=one, or split a CPU with train.device=cpu train.devices=2."
    )


def test_a_worker_without_tf_config(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert sentence(TrainConfig(distribution=Distribution.multi_worker), CPU).startswith(
        "train.distribution=multi_worker: found no TF_CONFIG, expected it in the environment of every worker; "
    )


def test_a_worker_on_a_cpu_in_parts(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}')
    config = TrainConfig(distribution=Distribution.multi_worker, devices=2)
    assert sentence(config, Chosen("cpu", "CPU", 2)) == (
        "train.devices: found 2 with train.distribution=multi_worker on a CPU, expected 0 or 1; a worker has one CPU "
        "or any number of GPUs."
    )


def test_workers_that_do_not_come_together(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}')
    before, seen = signal.getsignal(signal.SIGTERM), []

    def fails():
        seen.extend(signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM))
        raise tf.errors.UnknownError(None, None, "Could not start gRPC server")

    monkeypatch.setattr(placement, "meet", lambda cluster, wait_s: None)  # they did, and then the port is taken
    monkeypatch.setattr(tf.distribute, "MultiWorkerMirroredStrategy", fails)
    assert sentence(TrainConfig(distribution=Distribution.multi_worker), CPU) == (
        "train.distribution=multi_worker: found that the 2 workers do not come together (UnknownError), expected a "
        "free port at b:1, and the others within reach; check TF_CONFIG, firewalls, and whether an earlier run still "
        "holds the port."
    )
    assert seen == [signal.SIG_DFL] * 2, "whoever waits in vain can be stopped"
    assert signal.getsignal(signal.SIGTERM) is before


def test_fewer_sentences_than_replicas(monkeypatch):
    monkeypatch.setattr(placement, "_mirrored", lambda chosen: SimpleNamespace(count=4))
    config = {"distribution": Distribution.mirrored}
    assert sentence(TrainConfig(batch_sentences=3, **config), CPU) == (
        "train.batch_sentences: found 3, expected at least one sentence for each of the 4 replicas; use 4 or more: a "
        "batch is that of all replicas together."
    )
    assert spread(TrainConfig(batch_sentences=4, **config), CPU).count == 4


# ---- what workers tell one another


class Pair(StrategyReplicas):
    """This worker and another, which answers with what the test says; no TensorFlow between them."""

    def __init__(self, is_chief=True, other=()):
        self.num_workers, self.is_chief, self.count = 2, is_chief, 2
        self.other = list(other)

    def total(self, values):
        return [a + b for a, b in zip(values, self.other.pop(0), strict=True)]


def test_any_is_anyones():
    assert Pair(other=[[1.0]]).any(False)
    assert Pair(other=[[0.0]]).any(True)
    assert not Pair(other=[[0.0]]).any(False)


def test_the_chiefs_values_are_everyones():
    assert Pair(True, [[0.0, 0.0]]).from_chief({"a": 1.5, "b": -2.0}, ["a", "b"]) == {"a": 1.5, "b": -2.0}
    assert Pair(False, [[1.5, -2.0]]).from_chief(None, ["a", "b"]) == {"a": 1.5, "b": -2.0}


@pytest.mark.parametrize(
    "number, elsewhere, status",
    [(None, 0.0, 0), (signal.SIGINT, 0.0, 130), (signal.SIGINT, 1.0, 130), (None, 1.0, 143)],
)
def test_a_signal_to_one_is_an_exit_status_for_all(number, elsewhere, status):
    request = StopRequest()
    request.number = number
    assert stopped_by(request, Pair(other=[[elsewhere]])) == status
    if not elsewhere:
        assert stopped_by(request, Replicas()) == status


def test_a_worker_that_waits_for_the_chiefs_checkpoint_is_in_no_hurry(monkeypatch):
    acts, told = [], []
    monkeypatch.setattr(together, "overdue", lambda act: nullcontext(acts.append(act)))
    with hurried(SimpleNamespace(hurry=told.append)) as trained:
        acts[0](signal.SIGTERM)
        assert told == [signal.SIGTERM], "another worker may be gone in the middle of a step"
        trained.set()
        monkeypatch.setattr(together, "SAVING_S", 0.0)
        acts[0](signal.SIGTERM)
        assert told == [signal.SIGTERM] * 2, "nor does it wait for ever"
    monkeypatch.setattr(together, "SAVING_S", 600.0)
    acts[0](signal.SIGTERM)
    assert told == [signal.SIGTERM] * 2, "the chief was done in time"


@pytest.mark.parametrize("is_chief", [True, False])
def test_workers_that_differ_are_refused_and_told_in_what(is_chief):
    first = [0.0, 0.0] if is_chief else [7.0, 8.0]
    Pair(is_chief, [first, [0.0, 0.0]]).agree({"text": 7, "vocabulary": 8})
    mine = 8 if is_chief else 9
    with pytest.raises(DeviceError) as caught:
        Pair(is_chief, [first, [0.0, float(is_chief)]]).agree({"text": 7, "vocabulary": mine})
    assert str(caught.value) == (
        "train.distribution=multi_worker: found workers with another vocabulary than the chief, expected the same on "
        "all; give every worker the same command line and the same files."
    )


def test_an_error_of_tensorflow_among_workers_is_told_as_a_lost_one():
    with pytest.raises(WorkerLostError) as caught, Pair().together():
        raise tf.errors.UnavailableError(None, None, "Connection reset by peer.\nAdditional lines")
    assert str(caught.value) == (
        "train.distribution=multi_worker: found that one of 2 workers is gone or cannot be reached (UnavailableError), "
        "expected all of them until the run ends; the chief has saved the last step: go on "
        "from its run folder with resume=FOLDER, on one machine with train.distribution=one."
    )
    early = Pair()
    early.strategy = tf.distribute.get_strategy()
    with pytest.raises(WorkerLostError, match="; start all of them again"), early.scope():
        raise tf.errors.UnavailableError(None, None, "as the first values of a variable are sent")
    alone = Pair()
    alone.num_workers = 1
    with pytest.raises(tf.errors.UnavailableError), alone.together():
        raise tf.errors.UnavailableError(None, None, "ours")


class Validating:
    def __init__(self, scores):
        self.scores, self.told = scores, []

    def validate(self, state, stop_requested):
        return self.scores

    def event(self, event):
        self.told.append("event")

    def progress(self, state, window):
        self.told.append("progress")

    def save(self, state, best):
        self.told.append("save")


def test_only_the_chief_validates_logs_and_saves_and_all_have_its_scores():
    names = told_scores(Config(metrics=MetricsConfig(report=["ter", "bleu", "wmd"])))
    scores = {"loss": 1.0, "perplexity": 2.5, "ter": 30.0, "bleu": 40.0, "wmd_similarity": 0.5}
    assert names == list(scores)
    state, none = TrainingState(), [0.0] * 6
    hooks = Validating(scores)
    chief = SharedHooks(hooks, Pair(True, [none]), names)
    worker = SharedHooks(None, Pair(False, [[1.0, *scores.values()]]), names)
    assert chief.validate(state, bool) == worker.validate(state, bool) == scores
    for shared in (chief, worker):
        shared.event({}), shared.progress(state, state.window), shared.save(state, True)
    assert hooks.told == ["event", "progress", "save"]
    assert SharedHooks(Validating(None), Pair(True, [none]), names).validate(state, bool) is None
    assert SharedHooks(None, Pair(False, [none]), names).validate(state, bool) is None


# ---- the loop


class Fragile(StrategyReplicas):
    """Loses the other worker at a given step, or hears a request of it there."""

    def __init__(self, steps, lost_at=0, asked_at=0):
        self.num_workers, self.is_chief, self.count = 2, True, 2
        self.steps, self.lost_at, self.asked_at = steps, lost_at, asked_at

    def total(self, values):
        return [values[0] + (len(self.steps) == self.asked_at and self.asked_at > 0)]

    def lose(self):
        with self.together():
            raise tf.errors.UnavailableError(None, None, "gone")


def trained(replicas_options, trainer=None, hooks=None, **options):
    trainer, hooks = trainer or FakeTrainer(), hooks or FakeHooks()
    trainer.replicas = replicas = Fragile(trainer.steps, **replicas_options)
    settings = train_config(**options)
    if replicas.lost_at:
        whole = trainer.step

        def step(*arguments):
            if int(arguments[3]) == replicas.lost_at:
                raise tf.errors.UnavailableError(None, None, "gone")
            return whole(*arguments)

        trainer.step = step
    try:
        final = train(trainer, FakeBatches(4), settings, TrainingState(), hooks, bool)
    except WorkerLostError as lost:
        return lost, hooks
    return final, hooks


def test_a_worker_lost_in_a_step_ends_the_run_with_what_was_done_saved():
    lost, hooks = trained({"lost_at": 3})
    assert isinstance(lost, WorkerLostError)
    assert hooks.told == ["step 1", "step 2", "save event 2", "save 2", "end event 2"]
    assert (hooks.saved[-1].step, hooks.saved[-1].cursor) == (2, 2)


def test_a_request_to_another_worker_ends_this_run_too():
    final, hooks = trained({"asked_at": 3})
    assert final.step == 3
    assert hooks.told == ["step 1", "step 2", "step 3", "save event 3", "save 3", "end event 3"]


def test_a_worker_lost_while_scores_are_told_leaves_the_validation_to_the_run_that_goes_on(monkeypatch):
    hooks = FakeHooks()
    monkeypatch.setattr(hooks, "validate", lambda state, stop_requested: Fragile([]).lose())
    lost, hooks = trained({}, hooks=hooks, validate_every=2)
    assert isinstance(lost, WorkerLostError)
    assert hooks.told == ["step 1", "step 2", "save event 2", "save 2", "end event 2"]
    assert hooks.saved[-1].validation_due


@pytest.mark.parametrize("validate_every", [2, 3])
def test_a_worker_lost_while_clocks_are_compared_leaves_a_due_validation_too(monkeypatch, validate_every):
    whole = Fragile.total

    def total(self, values):
        if len(self.steps) == 2:
            self.lose()
        return whole(self, values)

    monkeypatch.setattr(Fragile, "total", total)
    lost, hooks = trained({}, max_hours=1.0, validate_every=validate_every)
    assert isinstance(lost, WorkerLostError)
    assert hooks.told == ["step 1", "step 2", "save event 2", "save 2", "end event 2"]
    assert hooks.saved[-1].validation_due == (validate_every == 2)
