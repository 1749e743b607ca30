"""What one system writes more often than another, and a reference has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from nmt.compare.sentences import words
from nmt.compare.systems import References, System

ORDERS = (1, 2, 3, 4)
MOST = 20  # to each side
Ngram = tuple[str, ...]


@dataclass(frozen=True)
class Differing:
    """An n-gram, and how often each system has it right; of several runs the mean."""

    ngram: str
    baseline: float
    system: float


def right(lines: Sequence[str], references: References) -> Counter[Ngram]:
    """How often each n-gram of words stands where a reference of the same sentence has it; in each sentence at most as
    often as in the reference that has it most, as in BLEU."""
    found = Counter[Ngram]()
    for line, several in zip(lines, references, strict=True):
        there = Counter[Ngram]()
        for reference in several:
            there |= _ngrams(reference)
        found += _ngrams(line) & there
    return found


def differing(baseline: System, system: System) -> tuple[list[Differing], list[Differing]]:
    """The MOST n-grams that `system` has right more often, and those that it has right less often.

    The largest difference first, of equal ones the longer n-gram, then by the alphabet.
    """
    ours, theirs = _mean(system), _mean(baseline)
    apart = {ngram: ours.get(ngram, 0.0) - theirs.get(ngram, 0.0) for ngram in ours.keys() | theirs.keys()}

    def first(sign: int) -> list[Differing]:
        chosen = [ngram for ngram, difference in apart.items() if sign * difference > 0]
        chosen.sort(key=lambda ngram: (-abs(apart[ngram]), -len(ngram), ngram))
        return [Differing(" ".join(one), theirs.get(one, 0.0), ours.get(one, 0.0)) for one in chosen[:MOST]]

    return first(+1), first(-1)


def _mean(system: System) -> dict[Ngram, float]:
    total = Counter[Ngram]()
    for one in system.outputs:
        total += right(one.lines, system.references)
    return {ngram: count / len(system.outputs) for ngram, count in total.items()}


def _ngrams(line: str) -> Counter[Ngram]:
    found = words(line)
    return Counter(found[at : at + order] for order in ORDERS for at in range(len(found) - order + 1))
