"""Sentences and seeds resampled together: by hand where that can be done, else by what must hold."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from nmt.metrics.bootstrap import mean_from_statistics, mean_statistics
from nmt.metrics.hierarchy import compare_groups

OPTIONS = {"resamples": 4000, "confidence": 0.95, "seed": 3}


def constant(value: float, num: int = 30) -> np.ndarray:
    return mean_statistics(np.full(num, value))


def test_without_differences_between_sentences_it_is_students_t_over_seeds():
    """Each seed has one score on all sentences: Welch's test of (1, 2, 3) against (4, 6)."""
    groups = [[constant(v) for v in (1.0, 2.0, 3.0)], [constant(v) for v in (4.0, 6.0)]]
    scores, (compared,) = compare_groups(groups, mean_from_statistics, **OPTIONS)
    assert_allclose([scores[0].score, scores[0].deviation], [2.0, 1.0])
    assert_allclose([scores[1].score, scores[1].deviation], [5.0, np.sqrt(2)])
    expected = stats.ttest_ind([4.0, 6.0], [1.0, 2.0, 3.0], equal_var=False)
    assert compared.difference == pytest.approx(3.0)
    assert compared.p_value == pytest.approx(expected.pvalue, rel=0.05)  # 4,000 draws
    interval = expected.confidence_interval()
    assert_allclose([compared.interval.low, compared.interval.high], [interval.low, interval.high], rtol=0.1)


def test_of_one_seed_each_it_is_the_error_over_sentences():
    generator = np.random.default_rng(1)
    one, two = generator.normal(size=200), generator.normal(0.2, size=200)
    groups = [[mean_statistics(one)], [mean_statistics(two)]]
    scores, (compared,) = compare_groups(groups, mean_from_statistics, **OPTIONS)
    assert [score.deviation for score in scores] == [None, None]
    expected = stats.ttest_rel(two, one)
    assert compared.p_value == pytest.approx(expected.pvalue, rel=0.2)


def test_equal_groups_do_not_differ():
    group = [constant(1.0), constant(2.0)]
    _, (compared,) = compare_groups([group, group], mean_from_statistics, **OPTIONS)
    assert (compared.difference, compared.p_value) == (0.0, 1.0)
    _, (single,) = compare_groups([[constant(1.0)], [constant(1.0)]], mean_from_statistics, **OPTIONS)
    assert single.p_value == 1.0


def test_more_seeds_make_a_difference_surer():
    few = [[constant(v) for v in (1.0, 2.0)], [constant(v) for v in (2.0, 3.0)]]
    many = [[constant(v) for v in (1.0, 2.0) * 5], [constant(v) for v in (2.0, 3.0) * 5]]
    p_few, p_many = (compare_groups(groups, mean_from_statistics, **OPTIONS)[1][0].p_value for groups in (few, many))
    assert p_many < 0.01 < 0.2 < p_few
