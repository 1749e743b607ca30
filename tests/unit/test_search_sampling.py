# B batch, M samples, S source step, T target step, V vocabulary
"""What is drawn is drawn by the probabilities it should be drawn by, the same whatever the batch."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import chisquare

from nmt.config.search import Normalisation, SearchConfig
from nmt.search.ensembles import Ensemble
from nmt.search.rules import Demands, Rules
from nmt.search.sampling import SampleSearch, cut, sample_keys, uniform
from tests.unit.search_models import EOS, PAD, Table, without_graphs

# After the start: 3, 4 or the end; after 3: 4 or the end; after 4 the end.
WALK = [[0.2] * 5, [0.0, 0.0, 0.2, 0.5, 0.3], [0.2] * 5, [0.0, 0.0, 0.6, 0.0, 0.4], [0.0, 0.0, 1.0, 0.0, 0.0]]
TEXTS = {(EOS,): 0.2, (3, EOS): 0.3, (3, 4, EOS): 0.2, (4, EOS): 0.3}
SAMPLES = 4_000


def texts(hypotheses, row: int = 0) -> list[tuple[int, ...]]:
    return [tuple(ids[ids != PAD].tolist()) for ids in hypotheses.tokens_BMT[row].numpy()]


def draws(model=None, **options):
    cfg = SearchConfig(samples=SAMPLES, normalisation=Normalisation.none, **options)
    return SampleSearch(model or Table(WALK), cfg)(tf.constant([[4, EOS]]))


@pytest.mark.parametrize("model", [Table(WALK), Ensemble([Table(WALK), Table(WALK)])], ids=["one", "two"])
@without_graphs()
def test_texts_come_as_often_as_they_are_likely(model):
    found = draws(model)
    counts = [texts(found).count(text) for text in TEXTS]
    assert sum(counts) == SAMPLES
    assert chisquare(counts, [SAMPLES * prob for prob in TEXTS.values()]).pvalue > 0.001
    assert_allclose(found.log_prob_BM[0], [np.log(TEXTS[text]) for text in texts(found)], rtol=1e-5)
    assert (np.diff(found.score_BM[0]) <= 0).all()


@without_graphs()
def test_a_temperature_sharpens_the_draws_and_leaves_the_scores_alone():
    found = draws(temperature=0.5)
    first = np.array([0.2, 0.5, 0.3]) ** 2
    share = np.mean([text[0] == 3 for text in texts(found)])
    assert share == pytest.approx(first[1] / first.sum(), abs=4 * np.sqrt(0.25 / SAMPLES))
    assert_allclose(found.log_prob_BM[0], [np.log(TEXTS[text]) for text in texts(found)], rtol=1e-5)


@pytest.mark.parametrize(
    "options, expected",
    [
        ({}, [0.4, 0.3, 0.2, 0.1]),
        ({"top_k": 2}, [4 / 7, 3 / 7, 0, 0]),
        ({"top_k": 9}, [0.4, 0.3, 0.2, 0.1]),
        ({"top_p": 0.39}, [1, 0, 0, 0]),
        ({"top_p": 0.41}, [4 / 7, 3 / 7, 0, 0]),
        ({"top_p": 0.71}, [4 / 9, 3 / 9, 2 / 9, 0]),
        ({"epsilon": 0.15}, [4 / 9, 3 / 9, 2 / 9, 0]),
        ({"epsilon": 0.9}, [1, 0, 0, 0]),
        ({"top_k": 3, "epsilon": 0.25}, [4 / 7, 3 / 7, 0, 0]),  # of 4/9, 3/9 and 2/9
        ({"temperature": 0.5}, [16 / 30, 9 / 30, 4 / 30, 1 / 30]),
    ],
)
def test_cuts_leave_what_their_definitions_leave(options, expected):
    logits_NV = tf.math.log(tf.constant([[0.4, 0.3, 0.2, 0.1]], tf.float64))
    assert_allclose(cut(logits_NV, SearchConfig(samples=1, **options)), [expected], atol=1e-12)


@without_graphs()
def test_the_same_sentence_has_the_same_samples_in_any_batch():
    model, cfg = Table([[0.0, 0.0, 0.1, 0.3, 0.3, 0.3]] * 6), SearchConfig(samples=3, nbest=3)
    search = SampleSearch(model, cfg)
    alone = search(tf.constant([[4, 5, EOS]]))
    together = search(tf.constant([[3, EOS, PAD, PAD], [4, 5, EOS, PAD], [5, 4, 3, EOS], [4, 5, EOS, PAD]]))
    assert texts(alone) == texts(together, 1) == texts(together, 3)
    assert texts(alone) != texts(together, 0)
    assert texts(SampleSearch(model, SearchConfig(samples=3, nbest=3, seed=2))(tf.constant([[4, 5, EOS]]))) != texts(
        alone
    )


def test_draws_are_spread_over_the_unit_interval():
    keys = sample_keys(tf.constant([[3, 4, EOS], [4, 3, EOS]]), 500, seed=7)
    assert len(np.unique(keys)) == 1_000
    numbers = np.stack([uniform(keys, tf.constant(step)) for step in range(10)])
    counts, _ = np.histogram(numbers, bins=20, range=(0, 1))
    assert chisquare(counts).pvalue > 0.001
    assert abs(np.corrcoef(numbers[:, :-1].ravel(), numbers[:, 1:].ravel())[0, 1]) < 0.04


@without_graphs()
def test_rules_hold_for_samples_too():
    model, rules = Table([[0.0, 0.0, 0.4, 0.2, 0.2, 0.2]] * 6), Rules(np.ones(6, bool), 2, 0)
    cfg = SearchConfig(samples=50, min_length=2, max_ratio=0.0, max_extra=5)
    demands = Demands(*(np.array(part, np.int32) for part in ([[4]], [[[3, 5]]], [[[5, 5]]])))
    for text in texts(SampleSearch(model, cfg, rules)(tf.constant([[4, EOS]]), demands)):
        pairs = list(pairwise(text))
        assert text[0] == 4
        assert (3, 5) in pairs
        assert (5, 5) not in pairs


@without_graphs()
def test_what_cannot_be_drawn_is_not_found():
    model, rules = Table(WALK), Rules(np.ones(5, bool), 0, 0)
    demands = Demands(*(np.array(part, np.int32) for part in ([[4]], [[[3]]], [[[3]]])))
    found = SampleSearch(model, SearchConfig(samples=2), rules)(tf.constant([[4, EOS]]), demands)
    assert_array_equal(found.length_BM, [[0, 0]])
