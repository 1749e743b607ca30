"""Euclid's algorithm and the even rhythm: laws that hold for all numbers."""

from __future__ import annotations

import math
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from nmt.arithmetic import euclid, even_rhythm, largest_divisor, reduce_ratio

fixed = settings(deadline=None, max_examples=200, derandomize=True)
lengths = st.integers(0, 10**30)


@fixed
@given(lengths, lengths)
def test_the_divisor_is_that_of_the_standard_library(a, b):
    assert euclid(a, b)[0] == math.gcd(a, b)


@fixed
@given(st.integers(1, 10**9), st.integers(1, 10**9))
def test_the_squares_fill_the_rectangle_and_get_smaller(a, b):
    divisor, cuts = euclid(a, b)
    assert sum(cut.count * cut.side**2 for cut in cuts) == a * b
    assert all(cut.length == cut.count * cut.side + cut.rest for cut in cuts)
    assert all(larger.side > smaller.side for larger, smaller in pairwise(cuts))
    assert cuts[-1].side == divisor


@fixed
@given(st.lists(st.integers(0, 10**12), max_size=6))
def test_a_reduced_ratio_is_the_same_ratio_without_a_common_divisor(parts):
    reduced, divisor = reduce_ratio(parts), math.gcd(*parts)
    assert [part * divisor for part in reduced] == parts
    assert math.gcd(*reduced) == (1 if any(parts) else 0)


@fixed
@given(st.lists(st.integers(0, 30), min_size=1, max_size=5))
def test_a_cycle_gives_each_part_exactly_its_turns(parts):
    cycle = even_rhythm(parts)
    assert [cycle.count(part) for part in range(len(parts))] == parts


@fixed
@given(st.integers(0, 60), st.integers(0, 60))
def test_two_parts_are_never_a_whole_turn_from_their_share(first, second):
    parts, turns = [first, second], [0, 0]
    for place, part in enumerate(even_rhythm(parts), start=1):
        turns[part] += 1
        # |turns - place * part / total| < 1, in integers
        assert all(
            abs(turn * sum(parts) - place * share) < sum(parts) for turn, share in zip(turns, parts, strict=True)
        )


@fixed
@given(st.integers(1, 2000), st.integers(1, 2500))
def test_the_largest_divisor_divides_fits_and_has_no_larger_rival(number, limit):
    found = largest_divisor(number, limit)
    assert number % found == 0
    assert found <= limit
    assert not any(number % other == 0 for other in range(found + 1, min(number, limit) + 1))
