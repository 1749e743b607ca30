"""Micro-batches that fit into memory, and XLA: found once a run, and kept for as long as it goes on."""

from __future__ import annotations

import logging
from dataclasses import replace
from types import SimpleNamespace

import pytest
import tensorflow as tf

from nmt.app import fitting
from nmt.checkpoint.bundle import Bundle
from nmt.config.model import ModelConfig
from nmt.config.precision import Precision
from nmt.config.root import Config
from nmt.config.subword import SubwordKind
from nmt.config.train import TrainConfig
from nmt.training.compiling import Measured, keep
from nmt.training.device import Chosen

CPU = Chosen("cpu", "CPU")
MODEL = SimpleNamespace(trainable_variables=[tf.Variable(tf.zeros([100, 10])), tf.Variable(tf.zeros([24]))])
BEFORE = Bundle("", SubwordKind.words, False, b"[]", b"[]")
TINY = ModelConfig(embedding=4, encoder_units=4, units=8, attention_units=4)


def config(**train):
    return Config(model=TINY, train=TrainConfig(**train))


@pytest.mark.parametrize("options", [{}, {"micro_batch_gb": 1.0, "micro_batch_tokens": 7}])
def test_nothing_is_found_where_nothing_is_asked_or_the_tokens_are_given(options):
    assert fitting.fit(config(**options), 100, MODEL, CPU, None) is None


def test_so_many_gigabytes(caplog):
    caplog.set_level(logging.INFO)
    small = fitting.fit(config(micro_batch_gb=0.001), 100, MODEL, CPU, None)
    large = fitting.fit(config(micro_batch_gb=0.002), 100, MODEL, CPU, None)
    assert 2 * small <= large <= 2 * small + 1
    assert f"micro-batches of at most {small:,} subwords a side, for 0.00 GB" in caplog.text


def test_what_is_free_less_the_weights(monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    asked = []
    monkeypatch.setattr(fitting, "free_gigabytes", lambda *given: asked.append(given) or 0.001)
    found = fitting.fit(config(micro_batch_gb=0), 100, MODEL, Chosen("cpu", "CPU", 2), None)
    assert asked == [("cpu", 2, 4 * 1_024)]
    assert found == fitting.fit(config(micro_batch_gb=0.001), 100, MODEL, CPU, None)
    assert "which are free" in caplog.text


def test_a_run_that_goes_on_keeps_what_it_began_with(monkeypatch):
    monkeypatch.setattr(fitting, "free_gigabytes", lambda *given: pytest.fail("it is known"))
    before = replace(BEFORE, micro_batch_tokens=1_234)
    assert fitting.fit(config(micro_batch_gb=0), 100, MODEL, CPU, before) == 1_234


def test_a_checkpoint_of_before_does_not_tell():
    assert fitting.fit(config(micro_batch_gb=0.001), 100, MODEL, CPU, BEFORE)


GPU = Chosen("gpu", "Tesla T4", 1, "Tesla T4", (7, 5))


@pytest.fixture
def compiled(monkeypatch, tmp_path):
    """The devices that XLA was told to compile for; XLA was measured to be faster on a T4."""
    devices = []
    monkeypatch.setattr(fitting, "use_xla", devices.append)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    keep(tmp_path / "nmt" / "xla.json", "Tesla T4", Precision.float32, Measured(1.0, 2.0, "2026-11-27"))
    return devices


def test_xla_compiles_where_that_is_faster(compiled, caplog):
    caplog.set_level(logging.INFO)
    assert fitting.compile_or_not(config(), GPU, None)
    assert compiled == [GPU]
    assert "XLA: on, 2.00 times as fast on Tesla T4, measured on 2026-11-27" in caplog.text
    assert not fitting.compile_or_not(config(xla=False), GPU, None)
    assert compiled == [GPU]


def test_a_cpu_is_not_told_about_xla(compiled, caplog):
    caplog.set_level(logging.INFO)
    assert not fitting.compile_or_not(config(), CPU, None)
    assert (compiled, caplog.text) == ([], "")


@pytest.mark.parametrize(("before", "devices"), [(False, []), (True, [GPU]), (None, [GPU])])
def test_a_run_that_goes_on_compiles_as_it_began(compiled, before, devices):
    assert fitting.compile_or_not(config(), GPU, replace(BEFORE, xla=before)) == bool(devices)
    assert compiled == devices
