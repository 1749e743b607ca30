"""Bags of words over one compact table of vectors.

N text, V word in use, D dimension of a vector
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from nmt.config.metrics import Norm
from nmt.errors import MetricError
from nmt.metrics.vector_table import WordVectors
from nmt.metrics.wmd.stack import FloatArray, IntArray, Stack

_LARGEST = 1e290  # in a vector: a sum of many distances between such is still a number

__all__ = ["Bag", "Bags", "FloatArray", "IntArray", "make_bags", "scaled", "stack"]


@dataclass(frozen=True)
class Bag:
    """How often each distinct known word of a text occurs, by its row in `Bags.vectors_VD` (rising).

    `num_words` counts all words that are no stop words, `num_known` those with a vector. Bags with equal `counts` have
    one identity.
    """

    identity: int
    counts: dict[int, int]
    num_words: int
    num_known: int

    @property
    def rows(self) -> list[int]:
        return list(self.counts)

    @property
    def mass_A(self) -> FloatArray:  # noqa: N802
        """Share of each row, adding up to 1; for bags with a known word."""
        return np.array(list(self.counts.values()), dtype=np.float64) / self.num_known

    @property
    def is_empty(self) -> bool:
        """No words at all."""
        return self.num_words == 0

    @property
    def is_unknown(self) -> bool:
        """Words, but not one with a vector."""
        return self.num_words > 0 and self.num_known == 0


@dataclass(frozen=True)
class Bags:
    """A corpus: `bags[i]` is text i. `vectors_VD` holds the words in use alone, in float64, scaled as asked.

    Identities number the bags that differ in their known words: two texts of one identity are at distance 0.
    """

    bags: list[Bag]
    words: list[str]
    vectors_VD: FloatArray

    @cached_property
    def stack(self) -> Stack:
        """The bags that differ, by their identity."""
        distinct = {bag.identity: bag for bag in self.bags}
        return stack([distinct[identity] for identity in range(len(distinct))])


def make_bags(texts: Iterable[Sequence[str]], vectors: WordVectors, norm: Norm) -> Bags:
    """Bags of texts that are given as lists of words (`words_for`)."""
    used: dict[str, int] = {}
    counted: list[tuple[dict[str, int], int]] = []
    table = vectors.rows
    for words in texts:
        counts: dict[str, int] = {}
        for word in words:
            if word in table:
                used.setdefault(word, len(used))
                counts[word] = counts.get(word, 0) + 1
        counted.append((counts, len(words)))
    identities: dict[tuple[tuple[int, int], ...], int] = {}
    bags = [_bag(counts, num_words, used, identities) for counts, num_words in counted]
    return Bags(bags, list(used), scaled(vectors.matrix_WD[[table[word] for word in used]], norm))


def stack(bags: Sequence[Bag]) -> Stack:
    """A bag without a known word has no place in it, and cannot be asked for."""
    sizes_N = np.array([len(bag.counts) for bag in bags])
    num_places = int(sizes_N.sum())
    return Stack(
        rows_T=np.fromiter(chain.from_iterable([bag.counts for bag in bags]), np.int64, num_places),
        counts_T=np.fromiter(chain.from_iterable([bag.counts.values() for bag in bags]), np.float64, num_places),
        starts_N=np.cumsum(sizes_N) - sizes_N,
        sizes_N=sizes_N,
        words_N=np.array([bag.num_known for bag in bags], dtype=np.float64),
    )


def scaled(vectors_VD: NDArray[np.floating], norm: Norm) -> FloatArray:
    """In float64; for Norm.unit each row divided by its length.

    Raises MetricError for Norm.raw and numbers so large that sums of distances would be no numbers.
    """
    exact_VD: FloatArray = np.ascontiguousarray(vectors_VD, dtype=np.float64)
    if norm is Norm.raw:
        largest = float(np.abs(exact_VD).max(initial=0.0))
        if largest > _LARGEST:
            raise MetricError(
                f"metrics.wmd.norm={norm.value}",
                found=f"a vector with a number of size {largest:.2g}",
                expected=f"at most {_LARGEST:g}",
                next_step=f"choose {Norm.unit.value}, or divide the vectors by a number",
            )
        return exact_VD
    # The largest entry comes first, so that squares of very small or large ones neither vanish nor overflow.
    largest_V1 = np.abs(exact_VD).max(axis=1, keepdims=True, initial=0.0)
    shrunk_VD: FloatArray = exact_VD / largest_V1
    shrunk_VD /= np.linalg.norm(shrunk_VD, axis=1, keepdims=True)
    return shrunk_VD


def _bag(
    counts: dict[str, int], num_words: int, used: dict[str, int], identities: dict[tuple[tuple[int, int], ...], int]
) -> Bag:
    pairs = tuple(sorted((used[word], count) for word, count in counts.items()))
    identity = identities.setdefault(pairs, len(identities))
    return Bag(identity, dict(pairs), num_words, sum(counts.values()))
