# B batch, S source step, T target step
"""Two devices train as one does, and read a checkpoint's values.

TensorFlow divides a CPU only as it starts, so this is a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="a CPU of one core is not split")

# Batches of six sentences, of five, and of one, which leaves the other replica without any.
PROGRAM = """
import functools
import json
import numpy as np
import tensorflow as tf
from nmt.checkpoint.handover import LEAST, Blank, can_fill
from nmt.config.model import Cell, Decoder, ModelConfig, Tie
from nmt.config.precision import Precision
from nmt.config.train import Device, Distribution, Optimizer, TrainConfig
from nmt.model.noise import Noise
from nmt.model.seq2seq import Seq2Seq
from nmt.training.device import choose_device
from nmt.training.loss_scale import LossScale
from nmt.training.placement import num_devices, spread
from nmt.training.optimizer import variable_name
from nmt.training.replicas import Replicas
from nmt.training.step import Trainer

OPTIONS = {"optimizer": Optimizer.adamw, "average": 0.9, "device": Device.cpu, "threads": 2, "warmup_steps": 0}
SPREAD = TrainConfig(distribution=Distribution.mirrored, devices=2, **OPTIONS)
SIZES = {"embedding": 6, "encoder_units": 5, "units": 7, "attention_units": 4}
DROPPED = ("dropout_embedding", "dropout_state", "dropout_output", "dropout_source_words", "dropout_target_words")
DROPOUTS = dict.fromkeys(DROPPED, 0.3)
KINDS = {"cell": Cell.lstm, "decoder": Decoder.conditional, "tie": Tie.target}
NORMED = ModelConfig(**SIZES, layer_norm=True)
replicas = spread(SPREAD, choose_device(SPREAD.device, SPREAD.threads, num_devices(SPREAD)))

def trainer(config, replicas=None, **options):
    return Trainer(Seq2Seq(ModelConfig(**SIZES, **options), 11, 11, 1), config, 1, replicas)

def batch(rows):
    rng = np.random.default_rng(rows)
    ids = rng.integers(3, 11, (2, rows, 6)).astype(np.int32)
    lengths = rng.integers(1, 7, (2, rows, 1))
    return np.where(np.arange(6) < lengths - 1, ids, np.where(np.arange(6) == lengths - 1, 2, 0)).astype(np.int32)

def steps(one, graph=False):
    step = one.step if graph else functools.partial(Trainer.step.python_function, one)
    told = []
    for number, rows in enumerate((6, 5, 1), start=1):
        source, target = batch(rows)
        result = step(tf.constant(source), tf.constant(target), tf.constant(0.01), tf.constant(number, tf.int64))
        told.append([float(result.loss), float(result.nll), int(result.num_tokens), float(result.gradient_norm)])
        assert bool(result.applied)
    return np.array(told), {v.name.split(":")[0]: v.numpy() for v in one.variables}

def gradients(one, config, replicas):
    noise = Noise(tf.constant(1, tf.int64), tf.constant(1, tf.int64))
    def on_replica(*rows):
        return replicas.gradients(one, config, LossScale(Precision.float32), *rows, noise).gradients
    return [x.numpy() for x in replicas.run(on_replica, *map(tf.constant, batch(5)))]

def apart(first, second):
    assert first[1].keys() == second[1].keys()
    return max(float(np.abs(first[1][name] - second[1][name]).max()) for name in first[1]), float(
        np.abs(first[0] / second[0] - 1).max())

with replicas.scope():
    held = tf.Variable(np.zeros(LEAST, np.float32))
    both, dropped = trainer(SPREAD, replicas, **KINDS), trainer(SPREAD, replicas, **DROPOUTS)
found = steps(both, graph=True)
single = TrainConfig(**OPTIONS)
told = {"apart": apart(found, steps(trainer(single, **KINDS)))}
told["copies"] = max(
    float(np.abs(np.diff([x.numpy() for x in replicas.strategy.experimental_local_results(v)], axis=0)).max())
    for v in both.variables)
told["traces"] = both.step.experimental_get_tracing_count()
# A replica draws the masks of a micro-batch: three and three sentences, three and two, one and none.
halves = TrainConfig(micro_batch_sentences=3, **OPTIONS)
told["with dropout"] = apart(steps(dropped, graph=True), steps(trainer(halves, **DROPOUTS)))[0]

# In double precision, where the order of a sum shows in the last digits alone.
with replicas.scope():
    normed = Seq2Seq(NORMED, 11, 11, 1, tf.float64)
sums = gradients(normed, SPREAD, replicas), gradients(Seq2Seq(NORMED, 11, 11, 1, tf.float64), single, Replicas())
told["normed"] = max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in zip(*sums, strict=True))

# A value that is handed over is no memory that the replicas share.
assert can_fill(held, (LEAST,), np.dtype(np.float32))
blank = Blank((LEAST,), np.dtype(np.float32))
blank.array.fill(3)
held.assign(blank.tensor)
del blank
first, second = replicas.strategy.experimental_local_results(held)
first.assign_add(np.ones(LEAST, np.float32))
told["handed over"] = [float(first[5]), float(second[5])]
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told():
    answer = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert answer.returncode == 0, answer.stderr[-3000:]
    return json.loads(answer.stdout.splitlines()[-1])


def test_two_devices_take_the_steps_of_one(told):
    weights, results = told["apart"]
    assert weights < 1e-5
    assert results < 1e-5


def test_a_replica_drops_what_a_micro_batch_does(told):
    assert told["with dropout"] < 1e-5


def test_gains_and_biases_of_layer_norms_have_the_sum_over_devices(told):
    assert told["normed"] < 1e-12


def test_both_hold_the_same_to_the_last_bit(told):
    assert told["copies"] == 0


def test_batches_of_all_sizes_are_traced_once(told):
    assert told["traces"] == 1


def test_each_has_its_own_copy_of_a_value_that_was_handed_over(told):
    assert told["handed over"] == [4.0, 3.0]
