"""Euclid's algorithm with its steps, and the even rhythm that follows from it.

A rectangle of 217 x 124 is cut into the largest squares that fit: one of 124, one of 93, three of 31.
The last side, 31, is the greatest common divisor, so 217 : 124 is 7 : 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce


@dataclass(frozen=True)
class Cut:
    """`count` squares of side `side` cut from what was left of the rectangle (`length` = count * side + rest)."""

    length: int
    side: int
    count: int
    rest: int


def euclid(a: int, b: int) -> tuple[int, list[Cut]]:
    """Greatest common divisor of two non-negative integers, and the squares cut on the way to it.

    Euclid, Elements VII, propositions 1 and 2. euclid(0, 0) is (0, []), as `math.gcd` has it.

    Raises ValueError for a negative number.
    """
    if a < 0 or b < 0:
        raise ValueError(f"euclid({a}, {b}): lengths of a rectangle are not negative")
    length, side = max(a, b), min(a, b)
    cuts: list[Cut] = []
    while side:
        count, rest = divmod(length, side)
        cuts.append(Cut(length, side, count, rest))
        length, side = side, rest
    return length, cuts


def reduce_ratio(parts: Sequence[int]) -> list[int]:
    """The same ratio in its smallest integers: [217, 124] -> [7, 4]. Zeros stay zeros."""
    divisor = reduce(lambda a, b: euclid(a, b)[0], parts, 0)
    return [part // divisor for part in parts] if divisor else list(parts)


def even_rhythm(parts: Sequence[int]) -> list[int]:
    """One cycle of `sum(parts)` places, part i filling `parts[i]` of them as evenly as possible.

    At each place the part that lags most behind its share goes next (ties: the first). For two parts this is
    Bresenham's line, the rhythm of Bjorklund (2003) up to rotation: after t places part i has had
    t * parts[i] / sum(parts) turns, to within one turn for two parts.
    """
    total = sum(parts)
    turns = [0] * len(parts)
    cycle: list[int] = []
    for place in range(1, total + 1):
        lag = [place * part - total * turn for part, turn in zip(parts, turns, strict=True)]
        chosen = lag.index(max(lag))
        turns[chosen] += 1
        cycle.append(chosen)
    return cycle


def largest_divisor(number: int, limit: int) -> int:
    """The largest divisor of `number` that is at most `limit` (80 with room for 50 gives 40).

    Raises ValueError unless both are at least 1.
    """
    if number < 1 or limit < 1:
        raise ValueError(f"largest_divisor({number}, {limit}): both must be at least 1")
    return next(size for size in range(min(number, limit), 0, -1) if number % size == 0)
