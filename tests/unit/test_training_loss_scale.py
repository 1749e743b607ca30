"""The dynamic loss scale: by hand, and in a step that overflows."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from nmt.config.precision import Precision
from nmt.config.train import TrainConfig
from nmt.training import loss_scale
from nmt.training.loss_scale import FIRST, LARGEST, LossScale
from nmt.training.step import Trainer
from tests.unit.model_tools import model_of, name_of, padded
from tests.unit.model_twins import tiny_config


def updated(scale: LossScale, *finite: bool) -> list[bool]:
    return [bool(scale.update(tf.constant(one))) for one in finite]


def test_it_is_halved_at_once_and_doubled_after_patience(monkeypatch):
    monkeypatch.setattr(loss_scale, "PATIENCE", 3)
    scale = LossScale(Precision.float16)
    assert updated(scale, False, True, True, False) == [True, False, False, True]
    assert float(scale.values["scale"]) == FIRST / 4
    assert updated(scale, True, True, True, True) == [False] * 4
    assert float(scale.values["scale"]) == FIRST / 2
    assert int(scale.values["finite_steps"]) == 1


def test_at_scale_1_it_is_not_the_scales_fault(monkeypatch):
    monkeypatch.setattr(loss_scale, "PATIENCE", 1)
    scale = LossScale(Precision.float16)
    scale.values["scale"].assign(1.0)
    assert updated(scale, False) == [False]
    assert float(scale.values["scale"]) == 1.0
    scale.values["scale"].assign(LARGEST)
    assert updated(scale, True) == [False]
    assert float(scale.values["scale"]) == LARGEST


@pytest.mark.parametrize("precision", [Precision.float32, Precision.bfloat16])
def test_other_precisions_have_none(precision):
    scale, loss = LossScale(precision), tf.constant(2.0)
    assert scale.values == {}
    assert scale.up(loss) is loss
    assert scale.down([loss]) == [loss]
    assert updated(scale, False, True) == [False, False]


def trainer(precision: Precision) -> Trainer:
    model, _ = model_of(tiny_config(), dtype=tf.float32)
    return Trainer(model.computing_in(tf.as_dtype(precision.value)), TrainConfig(precision=precision), 1)


def step(trainer: Trainer, number: int = 1):
    batch = padded([[4, 3, 5, 2], [6, 2]]), padded([[5, 2], [3, 4, 2]])
    return Trainer.step.python_function(trainer, *batch, tf.constant(0.01), tf.constant(number, tf.int64))


@pytest.mark.parametrize("precision", [Precision.bfloat16, Precision.float16])
def test_a_step_in_16_bits_is_near_that_in_float32(precision):
    exact, rough = step(trainer(Precision.float32)), step(trainer(precision))
    assert bool(rough.applied)
    assert not bool(rough.overflowed)
    assert_allclose(rough.loss, exact.loss, rtol=2e-2)
    assert_allclose(rough.gradient_norm, exact.gradient_norm, rtol=5e-2)
    assert float(rough.gradient_norm) != float(exact.gradient_norm)


def test_a_step_that_overflows_changes_the_scale_alone():
    one = trainer(Precision.float16)
    one.loss_scale.values["scale"].assign(1e30)
    before = {name_of(v): v.numpy() for v in one.variables}
    result = step(one)
    assert (bool(result.applied), bool(result.overflowed)) == (False, True)
    for variable in one.variables:
        name = name_of(variable)
        if name == "loss_scale/scale":
            assert_allclose(variable, 5e29)
        else:
            assert_array_equal(variable, before[name], err_msg=name)
    one.loss_scale.values["scale"].assign(2.0**19)  # halved a few times more, and not ninety
    result = step(one)
    assert bool(result.overflowed)
    while bool(result.overflowed):
        result = step(one)
    assert bool(result.applied)
    assert np.isfinite(float(result.gradient_norm))
