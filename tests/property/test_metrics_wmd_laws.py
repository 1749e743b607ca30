"""Word Mover's Distance is a metric on normalised bags, with its bounds below it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from nmt.config.metrics import Norm, WmdConfig
from nmt.metrics.vectors import word_vectors
from nmt.metrics.wmd import Bounds, WordMover, make_bags, pair_distances, transport_plan

WORDS = [f"w{number}" for number in range(12)]
# Two words share a vector; others lie on a grid, so that ties and repeated distances are common.
MATRIX_WD = np.array(
    [[1, 0], [2, 0], [0, 1], [0, 2], [1, 1], [2, 2], [-1, 0], [0, -1], [-1, 1], [3, 1], [1, 3], [1, 0]]
)
VECTORS = word_vectors(WORDS, MATRIX_WD.astype(np.float64), "grid")
TEXTS = st.lists(st.sampled_from([*WORDS, "unknown"]), min_size=1, max_size=12).filter(
    lambda words: any(word != "unknown" for word in words)
)
LAWS = settings(deadline=None, max_examples=150)


def distances(norm: Norm, *pairs: tuple[list[str], list[str]]) -> list[float]:
    bags = make_bags([text for pair in pairs for text in pair], VECTORS, norm)
    both = list(zip(bags.bags[::2], bags.bags[1::2], strict=True))
    return pair_distances(both, bags.vectors_VD).tolist()


@LAWS
@given(a=TEXTS, b=TEXTS, c=TEXTS, norm=st.sampled_from(Norm))
def test_metric_laws(a, b, c, norm):
    ab, ba, bc, ac, aa = distances(norm, (a, b), (b, a), (b, c), (a, c), (a, a))
    assert aa == 0.0
    assert ab == pytest.approx(ba, abs=1e-12)
    assert 0.0 <= ac <= ab + bc + 1e-12


@LAWS
@given(a=TEXTS, b=TEXTS, times=st.integers(2, 4))
def test_order_and_repetition_of_a_whole_text_change_nothing(a, b, times):
    plain, repeated = distances(Norm.unit, (a, b), (a[::-1] * times, b))
    assert repeated == pytest.approx(plain, abs=1e-12)


@LAWS
@given(a=TEXTS, b=TEXTS, norm=st.sampled_from(Norm))
def test_bounds_lie_below(a, b, norm):
    bags = make_bags([a, b], VECTORS, norm)
    query, other = bags.bags
    bounds = Bounds([other])
    distance = pair_distances([(query, other)], bags.vectors_VD)[0]
    cost_AV = cdist(bags.vectors_VD[query.rows], bags.vectors_VD)
    assert bounds.rwmd(query, cost_AV)[0] <= distance + 1e-12


@LAWS
@given(a=TEXTS, b=TEXTS, norm=st.sampled_from(Norm))
def test_a_plan_moves_all_mass_at_the_cost_of_the_distance(a, b, norm):
    bags = make_bags([a, b], VECTORS, norm)
    plan = transport_plan(bags.bags[0], bags.bags[1], bags)
    assert (plan.flow_AB >= 0).all()
    assert plan.flow_AB.sum(axis=1) == pytest.approx(plan.mass_a, abs=1e-12)
    assert plan.flow_AB.sum(axis=0) == pytest.approx(plan.mass_b, abs=1e-12)
    assert plan.mass_a.sum() == pytest.approx(1.0)
    (distance,) = distances(norm, (a, b))
    assert plan.distance == pytest.approx(distance, abs=1e-12)
    assert sum(mass * cost for _, _, mass, cost in plan.moves()) == pytest.approx(distance, abs=1e-9)


@settings(deadline=None, max_examples=40)
@given(candidates=st.lists(st.lists(TEXTS | st.just([]), min_size=2, max_size=4), min_size=1, max_size=5))
def test_a_corpus_scores_its_sentences_as_if_each_were_alone(candidates):
    mover = WordMover(VECTORS, WmdConfig(stop_words="none"), "en")
    lines = [[" ".join(words) for words in group] for group in candidates]
    together = mover.score([line[0] for line in lines], [line[1:] for line in lines])
    for line, sentence in zip(lines, together.sentences, strict=True):
        alone = mover.score(line[:1], [line[1:]])
        assert alone.similarity == pytest.approx(sentence.similarity, abs=1e-12)
        best = max(mover.score(line[:1], [[one]]).similarity for one in line[1:])
        assert alone.similarity == pytest.approx(best, abs=1e-12)
