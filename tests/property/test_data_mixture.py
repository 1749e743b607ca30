"""The schedule of a mixture: exact over every cycle, even, a pure function of the place.

P place
"""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nmt.data.mixture import MixtureSchedule

quick = settings(deadline=None, max_examples=60)
ratios = st.lists(st.integers(0, 12), min_size=1, max_size=4).filter(any)


def test_217_to_124_is_7_to_4_in_cycles_of_11():
    schedule = MixtureSchedule([1_000, 1_000], [217, 124])
    assert schedule.ratio == [7, 4]
    assert schedule.cycle == 11
    corpus_P = schedule.corpus_of(np.arange(22))
    # By hand, at places 1 to 11: 7t - 11 * turns against 4t - 11 * turns, the larger goes.
    assert corpus_P.tolist() == [0, 1, 0, 0, 1, 0, 1, 0, 0, 1, 0] * 2
    assert corpus_P.dtype == np.int32
    assert schedule.turn_of(np.arange(6)).tolist() == [0, 0, 1, 2, 1, 3]


def test_an_epoch_covers_each_corpus_in_whole_cycles():
    # 100 sentences at 7 a cycle need 15 cycles, 40 at 4 need 10.
    assert MixtureSchedule([100, 40], [7, 4]).places_in_epoch == 15 * 11
    assert MixtureSchedule([9], [5]).places_in_epoch == 9
    assert MixtureSchedule([9, 0], [5, 0]).places_in_epoch == 9, "a corpus of no part is never asked for"


@quick
@given(ratio=ratios, start=st.integers(0, 10**12), size=st.integers(1, 40))
def test_any_cycle_in_a_row_holds_each_corpus_by_its_parts(ratio, start, size):
    schedule = MixtureSchedule([size] * len(ratio), ratio)
    corpus_P = schedule.corpus_of(np.arange(start, start + schedule.cycle))
    assert np.bincount(corpus_P, minlength=len(ratio)).tolist() == schedule.ratio


@quick
@given(ratio=ratios, places=st.integers(0, 80))
def test_turns_are_those_of_counting_one_by_one(ratio, places):
    schedule = MixtureSchedule([1] * len(ratio), ratio)
    seen: Counter[int] = Counter()
    turns = []
    corpora = schedule.corpus_of(np.arange(places)).tolist()
    for corpus in corpora:
        turns.append(seen[corpus])
        seen[corpus] += 1
    assert schedule.turn_of(np.arange(places)).tolist() == turns


@quick
@given(first=st.integers(0, 30), second=st.integers(1, 30), places=st.integers(0, 200))
def test_two_corpora_are_never_more_than_a_turn_from_their_share(first, second, places):
    corpus_P = MixtureSchedule([1, 1], [first, second]).corpus_of(np.arange(places))
    counts = np.bincount(corpus_P, minlength=2)
    assert abs(counts[0] - places * first / (first + second)) <= 1


@quick
@given(ratio=ratios, sizes=st.lists(st.integers(1, 50), min_size=4, max_size=4))
def test_an_epoch_is_whole_cycles_and_holds_every_sentence(ratio, sizes):
    sizes = sizes[: len(ratio)]
    schedule = MixtureSchedule(sizes, ratio)
    assert schedule.places_in_epoch % schedule.cycle == 0
    corpus_P = schedule.corpus_of(np.arange(schedule.places_in_epoch))
    counts = np.bincount(corpus_P, minlength=len(ratio))
    assert all(count >= size for count, size, part in zip(counts, sizes, ratio, strict=True) if part)
    short = np.bincount(corpus_P[: -schedule.cycle], minlength=len(ratio))
    assert any(count < size for count, size, part in zip(short, sizes, ratio, strict=True) if part), "no cycle too many"


@pytest.mark.parametrize(("sizes", "ratio"), [([1, 1], [0, 0]), ([1], [-1]), ([1], [1, 1]), ([0, 1], [1, 1]), ([], [])])
def test_what_the_configuration_rules_out_is_a_bug_here(sizes, ratio):
    with pytest.raises((AssertionError, ValueError)):
        MixtureSchedule(sizes, ratio)
