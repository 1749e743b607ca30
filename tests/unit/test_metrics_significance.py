"""Paired tests: by hand on tiny inputs, and the same numbers as sacreBLEU for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.significance import PairedTest

from nmt.errors import MetricError
from nmt.metrics import bootstrap
from nmt.metrics.bleu import Bleu
from nmt.metrics.bootstrap import (
    Interval,
    bootstrap_interval,
    mean_from_statistics,
    mean_statistics,
    percentile_interval,
    resample_counts,
    row_blocks,
)
from nmt.metrics.chrf import Chrf
from nmt.metrics.significance import holm, paired_bootstrap, paired_randomisation
from tests.unit.metrics_tools import make_metric

SEED = 12345  # sacreBLEU's own


def corpus(num=60):
    """A baseline, a system much like it and a clearly better one, with their references."""
    words = ["der", "die", "ein", "hund", "mann", "frau", "läuft", "sitzt", "rot", "blau", "auf", "weg", "park"]
    references = [" ".join(words[(i * 7 + j * (1 + i % 4)) % len(words)] for j in range(6 + i % 5)) for i in range(num)]

    def spoil(every, shift):
        return [
            " ".join("x" if (i + j + shift) % every == 0 else word for j, word in enumerate(text.split()))
            for i, text in enumerate(references)
        ]

    return references, [spoil(4, 0), spoil(5, 1), spoil(9, 0)]


@pytest.fixture(scope="module")
def statistics():
    references, systems = corpus()
    paired = [[text] for text in references]
    return {
        "BLEU": ([make_metric("bleu").score(s, paired, 0).statistics_NF for s in systems], Bleu.from_statistics),
        "chrF2": ([make_metric("chrf").score(s, paired, 0).statistics_NF for s in systems], Chrf.from_statistics),
    }


def sacrebleu_results(test_type, num):
    references, systems = corpus()
    named = [(f"system {i}", system) for i, system in enumerate(systems)]
    test = PairedTest(named, {"BLEU": BLEU(), "chrF": CHRF()}, [references], test_type, n_samples=num)
    return test()[1]


@pytest.mark.parametrize("metric", ["BLEU", "chrF2"])
def test_paired_bootstrap_gives_sacrebleus_numbers(statistics, metric):
    (baseline, *systems), score = statistics[metric]
    found = paired_bootstrap(baseline, systems, score, resamples=500, confidence=0.95, seed=SEED)
    for ours, theirs in zip(found, sacrebleu_results("bs", 500)[metric][1:], strict=True):
        assert ours.score == pytest.approx(theirs.score, abs=1e-9)
        assert ours.p_value == theirs.p_value
        assert ours.mean == pytest.approx(theirs.mean, abs=1e-3)  # float32 there
        assert (ours.interval.high - ours.interval.low) / 2 == pytest.approx(theirs.ci, abs=1e-3)
    assert found[1].p_value < 0.05
    assert found[1].wins > 0.99
    assert found[1].difference_interval.low > 0


@pytest.mark.parametrize("metric", ["BLEU", "chrF2"])
def test_paired_randomisation_gives_sacrebleus_numbers(statistics, metric):
    (baseline, *systems), score = statistics[metric]
    found = paired_randomisation(baseline, systems, score, trials=1000, seed=SEED)
    for ours, theirs in zip(found, sacrebleu_results("ar", 1000)[metric][1:], strict=True):
        assert ours.score == pytest.approx(theirs.score, abs=1e-9)
        assert ours.p_value == theirs.p_value
    assert found[1].p_value < 0.05


def test_a_system_does_not_differ_from_itself(statistics):
    (baseline, *_), score = statistics["BLEU"]
    (again,) = paired_bootstrap(baseline, [baseline], score, resamples=100, confidence=0.95, seed=SEED)
    assert (again.difference, again.p_value, again.wins) == (0.0, 1.0, 0.0)
    assert paired_randomisation(baseline, [baseline], score, trials=100, seed=SEED)[0].p_value == 1.0


def test_two_sentences_cannot_make_a_difference_significant():
    # Of the four swaps of two sentences, two keep |difference| = 0.4 and two make it 0: p is near one half.
    baseline, system = mean_statistics(np.array([0.1, 0.3])), mean_statistics(np.array([0.5, 0.7]))
    (found,) = paired_randomisation(baseline, [system], mean_from_statistics, trials=4000, seed=1)
    assert found.difference == pytest.approx(0.4)
    assert found.p_value == pytest.approx(0.5, abs=0.03)


def test_bootstrap_of_a_constant_lead_wins_always():
    values = np.arange(20, dtype=np.float64)
    baseline, system = mean_statistics(values), mean_statistics(values + 3.0)
    (found,) = paired_bootstrap(baseline, [system], mean_from_statistics, resamples=99, confidence=0.95, seed=1)
    assert found.difference == pytest.approx(3.0)
    assert found.difference_interval.low == pytest.approx(3.0)
    assert found.difference_interval.high == pytest.approx(3.0)
    assert found.wins == 1.0
    assert found.p_value == pytest.approx(1 / 100)  # no shifted difference reaches 3: only the observed one counts


def test_a_mean_leaves_out_what_is_not_there():
    statistics_NF = mean_statistics(np.array([1.0, np.nan, 2.0]))
    assert_allclose(statistics_NF, [[1, 1], [0, 0], [2, 1]])
    assert_allclose(mean_from_statistics(statistics_NF.sum(0, keepdims=True)), [1.5])
    assert_allclose(mean_from_statistics(np.zeros((1, 2))), [np.nan])


@pytest.mark.parametrize(
    ("confidence", "low", "high"), [(0.95, 25.0, 974.0), (0.9, 50.0, 949.0), (0.5, 250.0, 749.0), (0.999, 0.0, 999.0)]
)
def test_an_interval_cuts_equally_many_off_both_ends(confidence, low, high):
    assert percentile_interval(np.arange(1000.0)[::-1], confidence) == Interval(low, high, confidence)


def test_no_resamples_no_interval():
    assert bootstrap_interval(np.ones((3, 2)), mean_from_statistics, 0, 0.95, 1) is None


def test_draws_in_blocks_are_one_large_draw(monkeypatch):
    whole = np.concatenate(list(resample_counts(7, 200, 5)))
    drawn = np.random.default_rng(5).choice(7, size=(200, 7), replace=True)
    assert_array_equal(whole, [np.bincount(row, minlength=7) for row in drawn])
    baseline, system = mean_statistics(np.arange(7.0)), mean_statistics(np.arange(7.0)[::-1] * 1.3)
    before = paired_randomisation(baseline, [system], mean_from_statistics, trials=200, seed=5)
    monkeypatch.setattr(bootstrap, "_DRAWS", 1)
    assert list(row_blocks(200, 7)) == [32] * 6 + [8]
    assert_array_equal(np.concatenate(list(resample_counts(7, 200, 5))), whole)
    assert paired_randomisation(baseline, [system], mean_from_statistics, trials=200, seed=5) == before


@pytest.mark.parametrize("sizes", [(3, 2), (0, 0)])
def test_systems_of_different_test_sets_are_refused(sizes):
    baseline, system = (np.ones((size, 2)) for size in sizes)
    expected = (
        f"significance: found systems scored on {sizes[0]}, {sizes[1]} sentences, expected the same test set for all, "
        "of at least 1 sentence; score them on the same data."
    )
    with pytest.raises(MetricError) as caught:
        paired_bootstrap(baseline, [system], mean_from_statistics, resamples=1, confidence=0.9, seed=1)
    assert str(caught.value) == expected
    with pytest.raises(MetricError) as caught:
        paired_randomisation(baseline, [system], mean_from_statistics, trials=1, seed=1)
    assert str(caught.value) == expected


def test_a_test_without_draws_is_refused():
    with pytest.raises(MetricError) as caught:
        paired_bootstrap(np.ones((1, 2)), [], mean_from_statistics, resamples=0, confidence=0.9, seed=1)
    assert str(caught.value) == (
        "significance: found 0 draws, expected at least 1; set metrics.bootstrap to 1000, or compare without a test."
    )


def test_one_draw_is_enough_for_a_test():
    baseline, system = mean_statistics(np.arange(4.0)), mean_statistics(np.arange(4.0) + 1)
    (found,) = paired_bootstrap(baseline, [system], mean_from_statistics, resamples=1, confidence=0.9, seed=1)
    assert found.p_value == 1 / 2  # the only shifted difference is 0, so the observed one alone reaches it


def test_the_centred_test_is_of_differences_with_their_sign():
    baseline, system = np.array([0.0, 4.0, 1.0, 2.0]), np.array([3.0, 1.0, 2.0, 4.0])
    systems, draws = [mean_statistics(system)], {"resamples": 400, "seed": 3}
    (found,) = paired_bootstrap(mean_statistics(baseline), systems, mean_from_statistics, confidence=0.9, **draws)
    counts_KN = np.concatenate(list(resample_counts(4, 400, 3)))
    apart_K = counts_KN @ (system - baseline) / 4
    for p_value, shifted_K in (
        (found.p_centred, np.abs(apart_K - apart_K.mean())),
        (found.p_value, np.abs(apart_K) - np.abs(apart_K).mean()),
    ):
        assert p_value == (1 + np.count_nonzero(shifted_K >= 0.75 - 1e-9)) / 401
    assert found.p_centred != found.p_value


def test_p_values_do_not_depend_on_the_scale_of_a_score():
    def p_value(scale):
        first, second = (
            mean_statistics(np.array(values) * scale) for values in ([0.1, 0.3, 0.2, 0.5], [0.2, 0.2, 0.5, 0.4])
        )
        (found,) = paired_randomisation(first, [second], mean_from_statistics, trials=500, seed=2)
        return found.p_value

    assert p_value(2.0**-40) == p_value(1.0) == p_value(2.0**40)
    assert p_value(1.0) < 1.0


def test_an_adjusted_p_value_is_a_probability():
    assert holm([0.6, None, 0.9]) == [1.0, None, 1.0]  # twice 0.6 is no probability
