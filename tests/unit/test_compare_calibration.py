"""How often a test finds a difference where there is none, and one that was planted."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from nmt.compare.calibration import LEVEL, Pool, calibrate, calibration_png
from nmt.metrics.bootstrap import mean_from_statistics, mean_statistics


def pool(num: int = 60) -> Pool:
    generator = np.random.default_rng(5)
    one, two = generator.normal(size=(2, num))
    return Pool.of(mean_statistics(one), mean_statistics(two), mean_from_statistics, 1)


def test_a_pool_has_the_better_output_of_each_sentence_first():
    made = pool()
    assert (mean_from_statistics(made.better_NF) >= mean_from_statistics(made.worse_NF)).all()
    less = Pool.of(made.better_NF, made.worse_NF, mean_from_statistics, -1)
    assert_allclose(less.better_NF, made.worse_NF)


@pytest.mark.long
def test_false_alarms_are_as_promised_and_the_power_is_there():
    equal = calibrate(pool(), 1000, 3, 0.0, 1)
    as_sacrebleu, *others = equal.p_values
    for test in others:
        assert equal.rate(test) <= equal.most
    assert LEVEL < equal.rate(as_sacrebleu) < 0.14, "its p-values are about half of what they should be"
    apart = calibrate(pool(), 200, 3, 0.3, 1)
    assert apart.planted > 0
    assert all(apart.rate(test) > 0.7 for test in apart.p_values)


def test_a_few_simulations_give_a_rate_and_a_picture():
    found = calibrate(pool(20), 8, 2, 0.5, 1)
    assert all(len(values) == 8 for values in found.p_values.values())
    assert found.rate("paired randomisation") == 1.0  # all sentences are better
    assert found.most == pytest.approx(0.05 + 2 * np.sqrt(0.05 * 0.95 / 8))
    assert calibration_png(found).startswith(b"\x89PNG")
