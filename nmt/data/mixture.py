"""Several corpora at integer ratios, in an even rhythm that repeats exactly.

P place, C corpus
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nmt.arithmetic import even_rhythm, reduce_ratio

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]


class MixtureSchedule:
    """Which corpus, and which of its sentences, comes at each place of an endless training stream.

    217 : 124 is 7 : 4 by Euclid's algorithm, so the stream repeats every 11 places, with exactly 7 of one corpus and
    4 of the other in any 11 places in a row. All of it is a pure function of the place: resuming needs no memory.

    An epoch is as many whole cycles as the corpus with the most sentences for its part needs to be seen once;
    the others come round again within it.
    """

    def __init__(self, sizes: Sequence[int], ratio: Sequence[int]) -> None:
        """`sizes`: sentences of each corpus; `ratio`: parts of each, of which some but not all may be 0."""
        assert len(sizes) == len(ratio) > 0, (sizes, ratio)
        assert min(ratio) >= 0 < max(ratio), ratio
        assert all(size > 0 for size, part in zip(sizes, ratio, strict=True) if part), sizes
        self.ratio = reduce_ratio(ratio)
        self.cycle = sum(self.ratio)
        self._corpus_P: Int32 = np.array(even_rhythm(self.ratio), np.int32)
        is_corpus_PC = self._corpus_P[:, np.newaxis] == np.arange(len(ratio))
        self._before_PC: Int64 = np.zeros((self.cycle + 1, len(ratio)), np.int64)  # turns before a place of the cycle
        self._before_PC[1:] = np.cumsum(is_corpus_PC, axis=0)
        self._ratio_C: Int64 = np.array(self.ratio, np.int64)
        cycles = max(-(-size // part) for size, part in zip(sizes, self.ratio, strict=True) if part)
        self.places_in_epoch = cycles * self.cycle

    def corpus_of(self, place_P: Int64) -> Int32:
        """The number of the corpus at each place (from 0)."""
        corpus_P: Int32 = self._corpus_P[place_P % self.cycle]
        return corpus_P

    def turn_of(self, place_P: Int64) -> Int64:
        """How many earlier places had the same corpus."""
        cycle_P, within_P = np.divmod(place_P, self.cycle)
        corpus_P = self._corpus_P[within_P]
        turn_P: Int64 = cycle_P * self._ratio_C[corpus_P] + self._before_PC[within_P, corpus_P]
        return turn_P
