"""Euclid's algorithm with its cuts, and what follows from it, by hand."""

from __future__ import annotations

import pytest

from nmt.arithmetic import Cut, euclid, even_rhythm, largest_divisor, reduce_ratio


def test_the_rectangle_of_the_article():
    """217 x 124: one square of 124, one of 93, three of 31."""
    divisor, cuts = euclid(217, 124)
    assert divisor == 31
    assert cuts == [Cut(217, 124, 1, 93), Cut(124, 93, 1, 31), Cut(93, 31, 3, 0)]
    assert euclid(124, 217) == (divisor, cuts)


@pytest.mark.parametrize(
    "a, b, divisor, cuts",
    [
        (0, 0, 0, []),
        (7, 0, 7, []),
        (0, 7, 7, []),
        (1, 1, 1, [Cut(1, 1, 1, 0)]),
        (12, 4, 4, [Cut(12, 4, 3, 0)]),
        (8, 5, 1, [Cut(8, 5, 1, 3), Cut(5, 3, 1, 2), Cut(3, 2, 1, 1), Cut(2, 1, 2, 0)]),
    ],
)
def test_zeros_ones_multiples_and_neighbours(a, b, divisor, cuts):
    assert euclid(a, b) == (divisor, cuts)


@pytest.mark.parametrize("a, b", [(-1, 2), (2, -1)])
def test_a_rectangle_has_no_negative_side(a, b):
    with pytest.raises(ValueError, match=rf"euclid\({a}, {b}\): lengths of a rectangle are not negative"):
        euclid(a, b)


@pytest.mark.parametrize(
    "parts, smallest",
    [
        ([217, 124], [7, 4]),
        ([217, 124, 31], [7, 4, 1]),
        ([6, 0, 4], [3, 0, 2]),
        ([5], [1]),
        ([0, 0], [0, 0]),
        ([], []),
    ],
)
def test_a_ratio_in_its_smallest_integers(parts, smallest):
    assert reduce_ratio(parts) == smallest


@pytest.mark.parametrize(
    "parts, cycle",
    [
        ([1, 1], [0, 1]),
        ([3, 1], [0, 0, 1, 0]),
        ([2, 0], [0, 0]),
        ([0, 3], [1, 1, 1]),
        ([1, 1, 1], [0, 1, 2]),
        # x . x x . x . x x . x: seven beats and four rests, nowhere two rests together
        ([7, 4], [0, 1, 0, 0, 1, 0, 1, 0, 0, 1, 0]),
        ([], []),
        ([0, 0], []),
    ],
)
def test_rhythms_by_hand(parts, cycle):
    assert even_rhythm(parts) == cycle


@pytest.mark.parametrize(
    "number, limit, largest", [(80, 50, 40), (80, 80, 80), (80, 500, 80), (80, 1, 1), (7, 6, 1), (1, 1, 1), (36, 10, 9)]
)
def test_the_largest_divisor_that_fits(number, limit, largest):
    assert largest_divisor(number, limit) == largest


@pytest.mark.parametrize("number, limit", [(0, 5), (5, 0), (-4, 2), (4, -2)])
def test_no_divisor_of_nothing(number, limit):
    with pytest.raises(ValueError, match=rf"largest_divisor\({number}, {limit}\): both must be at least 1"):
        largest_divisor(number, limit)
