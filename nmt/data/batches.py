# B batch, S source step, T target step, N sentence pairs, P places of an epoch
"""Which sentences are trained on together, and when: a pure function of (seed, epoch).

So a run that was stopped continues with the very batch that would have come next, and needs no state of a random
generator for it, only the epoch and how many of its batches are done.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from nmt.data.encode import EncodedCorpus, Int32, Int64, Rows, pad_right
from nmt.data.mixture import MixtureSchedule
from nmt.data.subwords import EOS, Vocabularies

PLAN, ORDER, SAMPLE = 1, 2, 3  # what a random generator is for: different purposes share no numbers


@dataclass(frozen=True)
class Batch:
    """Sentence pairs padded on the right with PAD; both sides of each end in EOS."""

    source_BS: Int32
    target_BT: Int32
    index_B: Int64  # which pairs these are; of a mixture, counted through its corpora one after another


@dataclass(frozen=True)
class Sampling:
    """Segmentations are drawn anew each epoch, which takes the text itself."""

    texts: Sequence[tuple[Sequence[str], Sequence[str]]]  # of each corpus: all its source lines, its target lines
    vocabularies: Vocabularies
    rate: float  # subword.sampling


def plan_epoch(
    lengths_src: Int64,
    lengths_tgt: Int64,
    *,
    batch_tokens: int,
    batch_sentences: int | None,
    seed: int,
    epoch: int,
) -> list[Int64]:
    """Every pair of an epoch once, in batches of alike lengths that come in random order.

    Pairs are sorted by target length, then source length, ties at random; cut; and the batches shuffled. Either
    side of a batch, padding included, has at most `batch_tokens` subwords, unless one pair alone has more. If
    `batch_sentences` is given, batches are of so many pairs instead (the last one cut may have fewer).
    """
    rng = generator(PLAN, seed, epoch)
    order_N = _by_length(lengths_src, lengths_tgt, rng.permutation(len(lengths_src)))
    if batch_sentences is not None:
        batches = [order_N[i : i + batch_sentences] for i in range(0, len(order_N), batch_sentences)]
    else:
        batches = _cut(order_N, lengths_src, lengths_tgt, batch_tokens)
    return [batches[i] for i in rng.permutation(len(batches))]


def evaluation_batches(corpus: EncodedCorpus, batch_tokens: int) -> Iterator[Batch]:
    """Every pair once, alike lengths together, shortest first; `index_B` tells where each belongs."""
    order_N = _by_length(corpus.lengths_src, corpus.lengths_tgt, np.arange(len(corpus)))
    for row_B in _cut(order_N, corpus.lengths_src, corpus.lengths_tgt, batch_tokens):
        yield Batch(corpus.src.padded(row_B), corpus.tgt.padded(row_B), row_B)


def generator(purpose: int, seed: int, *place: int) -> np.random.Generator:
    """A generator of its own for each (purpose, seed, place)."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([purpose, seed % 2**64, *place])))


class TrainingBatches:
    """The batches of every epoch of a training set: one corpus, or several in a ratio that each epoch keeps.

    An epoch of a single corpus has each of its pairs once; for a mixture see `MixtureSchedule`, and a corpus that
    comes round within an epoch does so in another order. With `sampling` the segmentation of a pair is a pure
    function of (seed, how often the pair came before, pair); batches are planned by the lengths without it, so
    sampled ones may exceed their budget by what sampling adds.
    """

    def __init__(
        self,
        corpora: Sequence[EncodedCorpus],
        *,
        seed: int,
        batch_tokens: int,
        batch_sentences: int | None = None,
        ratio: Sequence[int] = (1,),
        sampling: Sampling | None = None,
    ) -> None:
        assert len(corpora) == len(ratio), "one part of the ratio for each corpus"
        assert sampling is None or len(sampling.texts) == len(corpora), "one text for each corpus"
        self._seed, self._batch_tokens, self._batch_sentences = seed, batch_tokens, batch_sentences
        self._sampling = sampling
        self._schedule = MixtureSchedule([len(corpus) for corpus in corpora], ratio)
        self._sizes = np.array([len(corpus) for corpus in corpora], np.int64)
        self._starts = np.cumsum(self._sizes) - self._sizes
        self._src = _joined([corpus.src for corpus in corpora])
        self._tgt = _joined([corpus.tgt for corpus in corpora])
        self._lines = [corpus.line_N for corpus in corpora]
        self._plan = lru_cache(maxsize=1)(self._plan_anew)

    def num_batches(self, epoch: int) -> int:
        """How many batches epoch number `epoch` (from 0) has."""
        return len(self._plan(epoch).batches)

    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from number `start` (from 0) on; those before it cost nothing."""
        plan = self._plan(epoch)
        return (self._batch(plan, place_B) for place_B in plan.batches[start:])

    def _plan_anew(self, epoch: int) -> _Plan:
        pair_P, pass_P = self._draw(epoch)
        batches = plan_epoch(
            self._src.lengths[pair_P],
            self._tgt.lengths[pair_P],
            batch_tokens=self._batch_tokens,
            batch_sentences=self._batch_sentences,
            seed=self._seed,
            epoch=epoch,
        )
        return _Plan(pair_P, pass_P, batches)

    def _draw(self, epoch: int) -> tuple[Int64, Int64 | None]:
        """Which pair stands at each place of the epoch, and, for sampling, how often all of its corpus came before."""
        count = self._schedule.places_in_epoch
        place_P = np.arange(epoch * count, (epoch + 1) * count, dtype=np.int64)
        corpus_P, turn_P = self._schedule.corpus_of(place_P), self._schedule.turn_of(place_P)
        pair_P = np.empty(count, np.int64)
        for corpus in np.unique(corpus_P).tolist():
            here_P = corpus_P == corpus
            turns = turn_P[here_P]  # without a gap
            pair_P[here_P] = self._starts[corpus] + self._order(corpus, int(turns[0]), len(turns))
        return pair_P, None if self._sampling is None else turn_P // self._sizes[corpus_P]

    def _order(self, corpus: int, first: int, count: int) -> Int64:
        """Pairs that a corpus gives at its turns from `first` on: all of them in one order, then in another, ..."""
        size = int(self._sizes[corpus])
        passes = range(first // size, (first + count - 1) // size + 1)
        orders = [generator(ORDER, self._seed, corpus, passed).permutation(size) for passed in passes]
        start = first - passes[0] * size
        taken: Int64 = np.concatenate(orders)[start : start + count]
        return taken

    def _batch(self, plan: _Plan, place_B: Int64) -> Batch:
        pair_B = plan.pair_P[place_B]
        if self._sampling is None or plan.pass_P is None:
            return Batch(self._src.padded(pair_B), self._tgt.padded(pair_B), pair_B)
        passes = plan.pass_P[place_B].tolist()
        sampled = [self._sample(self._sampling, *where) for where in zip(pair_B.tolist(), passes, strict=True)]
        return Batch(pad_right([src for src, _ in sampled]), pad_right([tgt for _, tgt in sampled]), pair_B)

    def _sample(self, sampling: Sampling, pair: int, passed: int) -> tuple[list[int], list[int]]:
        corpus = int(np.searchsorted(self._starts, pair, side="right")) - 1
        texts, line = sampling.texts[corpus], int(self._lines[corpus][pair - self._starts[corpus]])
        rng = generator(SAMPLE, self._seed, passed, pair)
        src = sampling.vocabularies.src.encode_sampled(texts[0][line], sampling.rate, rng)
        tgt = sampling.vocabularies.tgt.encode_sampled(texts[1][line], sampling.rate, rng)
        return [*src, EOS], [*tgt, EOS]


@dataclass(frozen=True)
class _Plan:
    """One epoch."""

    pair_P: Int64
    pass_P: Int64 | None
    batches: list[Int64]  # of places


def _by_length(lengths_src: Int64, lengths_tgt: Int64, order_N: Int64) -> Int64:
    """`order_N` sorted by target length, then source length; what is alike stays in order.

    Source lengths rise and fall in turn from one target length to the next, so that a batch that spans two target
    lengths still holds like sources.
    """
    src_N, tgt_N = lengths_src[order_N], lengths_tgt[order_N]
    rising_N = np.where(tgt_N % 2 == 0, src_N, -src_N)
    sorted_N: Int64 = order_N[np.lexsort((rising_N, tgt_N))]
    return sorted_N


def _cut(order_N: Int64, lengths_src: Int64, lengths_tgt: Int64, batch_tokens: int) -> list[Int64]:
    """Pieces of `order_N` as long as the budget allows."""
    cuts, start, longest = [], 0, 0
    each_N = np.maximum(lengths_src, lengths_tgt)[order_N].tolist()
    for place, length in enumerate(each_N):
        longest = max(longest, length)
        if place > start and (place - start + 1) * longest > batch_tokens:
            cuts.append(place)
            start, longest = place, length
    return np.split(order_N, cuts) if len(order_N) else []


class _Joined:
    """Rows of several corpora, one after another."""

    def __init__(self, parts: Sequence[Rows]) -> None:
        self._parts = parts
        self._starts = np.cumsum([0, *(len(part) for part in parts[:-1])])

    @property
    def lengths(self) -> Int64:
        """[N], the end mark included."""
        return np.concatenate([part.lengths for part in self._parts])

    def padded(self, row_B: Int64) -> Int32:
        """[B, longest] of the rows asked for, padded with PAD (0)."""
        part_B = np.searchsorted(self._starts, row_B, side="right") - 1
        pieces = {}
        for part in np.unique(part_B).tolist():
            pieces[part] = self._parts[part].padded(row_B[part_B == part] - self._starts[part])
        longest = max((piece_BS.shape[1] for piece_BS in pieces.values()), default=0)
        padded_BS = np.zeros((len(row_B), longest), np.int32)
        for part, piece_BS in pieces.items():
            padded_BS[part_B == part, : piece_BS.shape[1]] = piece_BS
        return padded_BS


def _joined(parts: Sequence[Rows]) -> Rows | _Joined:
    """One after another; a single one is what it was."""
    return parts[0] if len(parts) == 1 else _Joined(parts)
