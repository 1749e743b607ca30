"""Memory of a step: the formula against what TensorFlow counts, and what is free."""

from __future__ import annotations

import pytest
import tensorflow as tf

from nmt.config.consistency import Consistency
from nmt.config.model import Attention, Cell, Decoder, ModelConfig
from nmt.config.precision import Precision
from nmt.config.train import TrainConfig
from nmt.errors import DeviceError
from nmt.model.noise import Noise
from nmt.model.seq2seq import Seq2Seq
from nmt.training import footprint
from nmt.training.gradients import batch_gradients
from nmt.training.loss_scale import LossScale

SMALL = {"embedding": 256, "encoder_units": 256, "units": 512, "attention_units": 256, "output_units": 512}
OTHERS = [kind.value for kind in Attention if kind is not Attention.bahdanau]
MORE = ["LSTM, two layers, layer norm", "deep, bfloat16"]
PASSES = ["large vocabulary", "two passes", "two passes, small vocabulary", "two passes, bfloat16"]
ROWS, WIDTH = 40, 30
MEASURED = {name: size // 2 for name, size in SMALL.items()}  # what is counted grows alike with both


def measured(config, vocabulary, precision, consistency):
    """Peak of a step's gradients in bytes, and bytes of the weights."""
    compute = None if precision is Precision.float32 else tf.as_dtype(precision.value)
    model = Seq2Seq(config, vocabulary, vocabulary, 1, tf.float32, compute)

    train = TrainConfig(precision=precision, consistency=consistency)

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32)], autograph=False)
    def step(ids_BT):
        noise = Noise(tf.constant(1, tf.int64), tf.constant(1, tf.int64))
        found = batch_gradients(model, train, LossScale(precision), ids_BT, ids_BT, noise)
        return tf.add_n([tf.reduce_sum(gradient) for gradient in found.gradients])

    ids_BT = tf.random.stateless_uniform([ROWS, WIDTH], [1, 2], 3, vocabulary, tf.int32)
    step(ids_BT[:1, :2])  # what is allocated once
    before = tf.config.experimental.get_memory_info("CPU:0")["current"]
    tf.config.experimental.reset_memory_stats("CPU:0")
    step(ids_BT)
    peak = tf.config.experimental.get_memory_info("CPU:0")["peak"] - before
    return peak, 4 * sum(int(weight.shape.num_elements()) for weight in model.trainable_variables)


@pytest.mark.parametrize(
    "more, vocabulary, precision, consistency",
    [
        ({}, 4_000, Precision.float32, Consistency.none),
        ({}, 4_000, Precision.float32, Consistency.rdrop),
        ({}, 100, Precision.float32, Consistency.simcut),
        ({}, 4_000, Precision.bfloat16, Consistency.rdrop),
        ({}, 100, Precision.float32, Consistency.none),
        ({}, 4_000, Precision.bfloat16, Consistency.none),
        ({"decoder": Decoder.conditional, "encoder_layers": 2}, 100, Precision.float32, Consistency.none),
        ({"cell": Cell.lstm, "decoder_layers": 2}, 100, Precision.float32, Consistency.none),
        ({"cell": Cell.lstm, "decoder_layers": 2, "layer_norm": True}, 100, Precision.float32, Consistency.none),
        ({"transition_depth": 3}, 100, Precision.bfloat16, Consistency.none),
        *(
            ({"attention": kind}, 100, Precision.float32, Consistency.none)
            for kind in Attention
            if kind is not Attention.bahdanau
        ),
    ],
    ids=[*PASSES, "small vocabulary", "bfloat16", "conditional, two layers", "LSTM, two layers", *MORE, *OTHERS],
)
def test_a_step_takes_what_the_formula_says(more, vocabulary, precision, consistency):
    try:
        tf.config.experimental.get_memory_info("CPU:0")
    except ValueError as error:
        pytest.skip(f"this TensorFlow does not count a CPU's memory: {error}")
    config = ModelConfig(**{**MEASURED, **more})
    peak, weights = measured(config, vocabulary, precision, consistency)
    told = ROWS * WIDTH * footprint.bytes_a_token(config, vocabulary, precision, consistency.passes)
    assert 0.4 * told < peak - weights < 1.1 * told


def test_tokens_grow_with_memory_and_shrink_with_the_model():
    def tokens(gigabytes, **more):
        return footprint.micro_batch_tokens(gigabytes, ModelConfig(**{**SMALL, **more}), 8_000, Precision.float32)

    assert tokens(0.4) == 2_574
    assert tokens(0.8) - 2 * 2_574 in (0, 1)
    assert tokens(0.4, units=1_024) < tokens(0.4)
    assert tokens(0.4, layer_norm=True) < tokens(0.4)
    assert tokens(0.4, transition_depth=2) < tokens(0.4)
    assert footprint.micro_batch_tokens(0.4, ModelConfig(**SMALL), 8_000, Precision.bfloat16) > tokens(0.4)


def test_less_than_one_subword_is_refused():
    with pytest.raises(
        DeviceError, match=r"micro_batch_gb: found 0.000100 GB for a micro-batch, expected at least 0.0001"
    ):
        footprint.micro_batch_tokens(0.0001, ModelConfig(**SMALL), 8_000, Precision.float32)


@pytest.fixture
def memory(tmp_path, monkeypatch):
    """Writes what the system tells: free memory in kB, and the limit and use of the process's group in bytes."""

    def tell(free_kb, limit="max", used=0):
        (tmp_path / "meminfo").write_text(f"MemTotal: 99 kB\nMemAvailable: {free_kb} kB\n" if free_kb else "")
        (tmp_path / "memory.max").write_text(f"{limit}\n")
        (tmp_path / "memory.current").write_text(f"{used}\n")
        monkeypatch.setattr(footprint, "MEMINFO", tmp_path / "meminfo")
        monkeypatch.setattr(footprint, "CGROUP", tmp_path)

    return tell


def test_free_memory_of_the_machine_and_of_its_group(memory):
    memory(4_000_000)
    assert footprint.free_gigabytes("cpu", 1, 0) == pytest.approx(0.9 * 4.096)
    assert footprint.free_gigabytes("cpu", 2, 0) == pytest.approx(0.9 * 2.048)
    assert footprint.free_gigabytes("cpu", 1, 10**9) == pytest.approx(0.9 * 4.096 - 3)
    memory(4_000_000, limit=3 * 10**9, used=2 * 10**9)
    assert footprint.free_gigabytes("cpu", 1, 0) == pytest.approx(0.9)


def test_free_memory_that_nobody_tells(memory):
    memory(None)
    with pytest.raises(DeviceError, match=r"found no MemAvailable in .*meminfo.*such as train.micro_batch_gb=4"):
        footprint.free_gigabytes("cpu", 1, 0)


def test_the_gpu_with_the_least_free_memory_counts(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeviceError, match="nvidia-smi does not tell a GPU's free memory"):
        footprint.free_gigabytes("gpu", 1, 0)
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho 11000\necho 10000\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    assert footprint.free_gigabytes("gpu", 2, 0) == pytest.approx(0.9 * 10_000 * 2**20 / 1e9)
