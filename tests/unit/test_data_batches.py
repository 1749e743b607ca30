"""Encoding and batching, by hand."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from nmt.config.subword import SubwordConfig, SubwordKind
from nmt.data.batches import Sampling, TrainingBatches, evaluation_batches, plan_epoch
from nmt.data.encode import EncodedCorpus, Ragged, encode_corpus, pad_right
from nmt.data.subwords import EOS, PAD, Vocabularies, learn_vocabularies
from nmt.data.words import count_listed
from nmt.errors import DataError

MULTI30K = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "multi30k"
WORDS = SubwordKind.words


def words(*lines: str) -> Vocabularies:
    """a is 4, b is 5, ... as far as they are in the lines."""
    vocabulary = count_listed(WORDS, lines, size=100, min_count=1)
    return Vocabularies(vocabulary, vocabulary, joint=True)


def corpus_of_lengths(lengths_src, lengths_tgt) -> EncodedCorpus:
    """Pair i consists of ids i + 10, ending in EOS."""

    def rows(lengths) -> Ragged:
        ids = [[i + 10] * (length - 1) + [EOS] for i, length in enumerate(lengths)]
        return Ragged(np.array([i for row in ids for i in row], np.int32), np.cumsum([0, *lengths]))

    return EncodedCorpus(rows(lengths_src), rows(lengths_tgt), np.arange(len(lengths_src)))


def pair(corpus: EncodedCorpus, i: int) -> tuple[np.ndarray, np.ndarray]:
    """Source and target ids of pair i, unpadded."""
    src, tgt = (side.padded(np.array([i]))[0] for side in (corpus.src, corpus.tgt))
    return src, tgt


# ---- encoding


def test_both_sides_end_in_eos_which_counts():
    corpus = encode_corpus(["a b", "a"], ["b", "c a b"], words("a b c"))
    assert_array_equal(pair(corpus, 0)[0], [4, 5, EOS])
    assert_array_equal(pair(corpus, 0)[1], [5, EOS])
    assert_array_equal(pair(corpus, 1)[1], [6, 4, 5, EOS])
    assert_array_equal(corpus.lengths_src, [3, 2])
    assert_array_equal(corpus.lengths_tgt, [2, 4])
    assert isinstance(corpus.src, Ragged)
    assert (corpus.src.ids.dtype, corpus.src.offsets.dtype, len(corpus)) == (np.int32, np.int64, 2)
    assert (corpus.dropped, corpus.unknown_src, corpus.unknown_tgt) == ({}, 0, 0)


def test_without_limits_every_line_is_kept():
    corpus = encode_corpus(["", "a " * 500], ["a", ""], words("a"))
    assert_array_equal(corpus.lengths_src, [1, 501])
    assert_array_equal(corpus.lengths_tgt, [2, 1])


def test_pairs_are_dropped_for_a_reason_that_is_counted():
    src = ["a", "", "a", "a a a a", "a a a", "a", "z a"]
    tgt = ["a", "a", "", "a", "a a a", "a a a", "z"]
    corpus = encode_corpus(src, tgt, words("a"), max_length=3, max_ratio=2.5)
    assert corpus.dropped == {"empty side": 2, "too long": 1, "ratio": 1}
    assert_array_equal(corpus.line_N, [0, 4, 6])
    assert (corpus.unknown_src, corpus.unknown_tgt) == (1, 1)


def test_limits_hold_before_eos_is_added_and_include_themselves():
    kept = encode_corpus(["a a"], ["a"], words("a"), max_length=2, max_ratio=2.0)
    assert kept.dropped == {}


def test_each_limit_works_alone():
    assert encode_corpus(["a", "a a"], ["a", "a"], words("a"), max_length=1).dropped == {"too long": 1}
    assert encode_corpus(["a", "a a"], ["a", "a"], words("a"), max_ratio=1.5).dropped == {"ratio": 1}


def test_nothing_left_is_an_error():
    with pytest.raises(DataError) as error:
        encode_corpus(["a a", "", "a a"], ["a", "a", "a"], words("a"), max_length=1, max_ratio=9.0)
    assert str(error.value) == (
        "the training set: found no sentence pair to keep of 3 (empty side: 1, too long: 2), expected some within "
        "data.max_length=1 and data.max_ratio=9.0; raise these limits, or check that line n of one file translates "
        "line n of the other."
    )
    with pytest.raises(DataError) as error:
        encode_corpus([], [], words("a"), name="the dev set")
    assert str(error.value) == "the dev set: found no sentence pairs, expected at least one; check its files."


def test_padding_is_on_the_right():
    assert_array_equal(pad_right([[5, 2], [2], [6, 7, 2]]), [[5, 2, PAD], [2, PAD, PAD], [6, 7, 2]])
    assert pad_right([[5]]).dtype == np.int32
    rows = encode_corpus(["a a", "", "a"], [""] * 3, words("a")).src
    assert_array_equal(rows.padded(np.array([2, 1])), [[4, EOS], [EOS, PAD]])
    assert rows.padded(np.array([], np.int64)).shape == (0, 0)


# ---- planning


def plan(lengths_src, lengths_tgt, batch_tokens=10, batch_sentences=None, seed=1, epoch=0):
    return plan_epoch(
        np.array(lengths_src),
        np.array(lengths_tgt),
        batch_tokens=batch_tokens,
        batch_sentences=batch_sentences,
        seed=seed,
        epoch=epoch,
    )


def as_sets(batches):
    return {frozenset(batch.tolist()) for batch in batches}


def test_alike_lengths_go_together_as_long_as_the_budget_allows():
    # Targets 2 2 2 | 5 5 | 9: three of 2 and a 5 would be 4 * 5 > 10.
    assert as_sets(plan([1] * 6, [2, 5, 2, 9, 5, 2])) == {frozenset({0, 2, 5}), frozenset({1, 4}), frozenset({3})}


def test_the_source_side_has_the_same_budget():
    assert as_sets(plan([2, 5, 2, 9, 5, 2], [1] * 6)) == {frozenset({0, 2, 5}), frozenset({1, 4}), frozenset({3})}


def test_a_pair_over_the_budget_is_a_batch_of_its_own():
    assert as_sets(plan([3, 3, 3], [50, 3, 4])) == {frozenset({0}), frozenset({1, 2})}


def test_batches_of_so_many_pairs():
    batches = plan([3] * 5, [4, 1, 9, 9, 2], batch_sentences=2)
    assert as_sets(batches) == {frozenset({1, 4}), frozenset({0, 2}), frozenset({3})} or as_sets(batches) == {
        frozenset({1, 4}),
        frozenset({0, 3}),
        frozenset({2}),
    }


def test_sources_rise_and_fall_in_turn():
    # By target, then source: (4, 1) (4, 9), then target 5 with falling source: (5, 9) (5, 1).
    assert as_sets(plan([1, 9, 1, 9], [4, 4, 5, 5], batch_tokens=20, batch_sentences=1)) == as_sets(
        [np.array([i]) for i in range(4)]
    )
    corpus = corpus_of_lengths([1, 9, 1, 9], [4, 4, 5, 5])
    assert [i for batch in evaluation_batches(corpus, 9) for i in batch.index_B] == [0, 1, 3, 2]


def test_epochs_and_seeds_differ_and_are_the_same_each_time():
    lengths = [5] * 60
    plans = {
        key: [b.tolist() for b in plan(lengths, lengths, seed=key[0], epoch=key[1])]
        for key in [(1, 0), (1, 1), (2, 0), (-1, 0)]
    }
    assert len({str(batches) for batches in plans.values()}) == 4
    assert [b.tolist() for b in plan(lengths, lengths, seed=1, epoch=1)] == plans[1, 1]


# ---- batches


def test_a_batch_holds_the_pairs_it_names():
    corpus = corpus_of_lengths([2, 3, 2, 4], [3, 2, 2, 6])
    for batch in TrainingBatches([corpus], seed=1, batch_tokens=8).batches(0):
        assert (batch.source_BS.dtype, batch.target_BT.dtype, batch.index_B.dtype) == (np.int32, np.int32, np.int64)
        for source, target, index in zip(batch.source_BS, batch.target_BT, batch.index_B, strict=True):
            assert_array_equal(source[source != PAD], pair(corpus, index)[0])
            assert_array_equal(target[target != PAD], pair(corpus, index)[1])
            assert not np.any(np.diff(source != PAD) & (source[1:] != PAD))  # padding on the right only


def test_a_cursor_leads_to_the_very_batches_that_were_left():
    corpus = corpus_of_lengths(range(1, 40), range(1, 40))
    batches = TrainingBatches([corpus], seed=3, batch_tokens=60)
    whole = [batch.index_B.tolist() for batch in batches.batches(5)]
    assert len(whole) == batches.num_batches(5)
    again = TrainingBatches([corpus], seed=3, batch_tokens=60)
    for start in (0, 1, 7, len(whole)):
        assert [batch.index_B.tolist() for batch in again.batches(5, start)] == whole[start:]


def test_evaluation_goes_from_short_to_long_and_tells_where_each_belongs():
    corpus = corpus_of_lengths([4, 1, 3], [9, 2, 3])
    batches = list(evaluation_batches(corpus, 6))
    assert [batch.index_B.tolist() for batch in batches] == [[1, 2], [0]]
    assert_array_equal(batches[0].source_BS, [[EOS, PAD, PAD], [12, 12, EOS]])
    assert_array_equal(batches[1].target_BT, [[10] * 8 + [EOS]])


# ---- mixtures


def test_two_corpora_at_3_to_1():
    # Corpus 0 has 6 pairs, corpus 1 has 3: an epoch is 3 cycles of 4, as many as corpus 1 needs, so 9 and 3.
    corpora = [corpus_of_lengths([2] * 6, [2] * 6), corpus_of_lengths([3] * 3, [3] * 3)]
    batches = TrainingBatches(corpora, ratio=[6, 2], seed=1, batch_tokens=6)
    used = [np.concatenate([batch.index_B for batch in batches.batches(epoch)]) for epoch in (0, 1)]
    for index in used:
        assert [np.count_nonzero(index < 6), np.count_nonzero(index >= 6)] == [9, 3]
        assert sorted(index[index >= 6]) == [6, 7, 8]
    assert np.bincount(np.concatenate(used), minlength=9).tolist() == [3] * 6 + [2] * 3  # 18 turns of 6 pairs
    for batch in batches.batches(0):
        for source, index in zip(batch.source_BS, batch.index_B.tolist(), strict=True):
            source_of = pair(corpora[0], index) if index < 6 else pair(corpora[1], index - 6)
            assert_array_equal(source[source != PAD], source_of[0])


def test_a_corpus_without_a_part_is_not_used():
    corpora = [corpus_of_lengths([2] * 4, [2] * 4), corpus_of_lengths([2] * 9, [2] * 9)]
    batches = TrainingBatches(corpora, ratio=[5, 0], seed=1, batch_tokens=8)
    assert sorted(i for batch in batches.batches(7) for i in batch.index_B) == [0, 1, 2, 3]


# ---- sampling


@pytest.fixture
def sampled(tmp_path):
    words = ["low", "lower", "lowest", "new", "newer", "newest", "wide", "wider", "widest"]
    lines = [f"the {word} house is newer" for word in words] * 3
    cfg = SubwordConfig(kind=SubwordKind.bpe, size=45, joint=True, sampling=0.4, cache=str(tmp_path))
    vocabularies = learn_vocabularies(cfg, lines, lines)
    src, tgt = ["", *lines], ["x", *reversed(lines)]  # the first line is dropped, so lines and pairs part ways
    corpus = encode_corpus(src, tgt, vocabularies, max_length=100, max_ratio=9.0)

    def batches(seed: int = 1) -> TrainingBatches:
        return TrainingBatches([corpus], seed=seed, batch_tokens=99, sampling=Sampling([(src, tgt)], vocabularies, 0.4))

    return batches, vocabularies, src, tgt, corpus


def test_sampled_batches_say_the_same_in_other_pieces(sampled):
    batches, vocabularies, src, tgt, corpus = sampled
    differ = 0
    for batch in batches().batches(0):
        for source, target, index in zip(batch.source_BS, batch.target_BT, batch.index_B, strict=True):
            line = corpus.line_N[index]
            assert (vocabularies.src.decode(source), vocabularies.tgt.decode(target)) == (src[line], tgt[line])
            assert source[source != PAD][-1] == EOS
            assert target[target != PAD][-1] == EOS
            differ += list(source[source != PAD]) != list(pair(corpus, index)[0])
    assert differ > len(corpus) / 2


def test_segmentations_are_a_pure_function_of_seed_epoch_and_pair(sampled):
    def drawn(seed: int, epoch: int, start: int = 0):
        return [batch.source_BS.tolist() for batch in sampled[0](seed).batches(epoch, start)]

    def by_pair(seed: int, epoch: int):
        return {
            int(index): tuple(row[row != PAD])
            for batch in sampled[0](seed).batches(epoch)
            for index, row in zip(batch.index_B, batch.source_BS, strict=True)
        }

    assert drawn(1, 2, start=3) == drawn(1, 2)[3:]
    first = by_pair(1, 0)
    assert by_pair(1, 0) == first
    for other in (by_pair(1, 1), by_pair(2, 0)):
        assert sum(other[pair] != first[pair] for pair in first) > len(first) / 2


def test_sampling_of_a_mixture_reads_the_text_of_each_corpus(tmp_path):
    texts = [(["low lower"] * 3, ["wide"] * 3), (["newest newer"] * 2, ["widest"] * 2)]
    cfg = SubwordConfig(kind=SubwordKind.bpe, size=26, joint=True, sampling=0.9, cache=str(tmp_path))
    vocabularies = learn_vocabularies(cfg, *([line for text in texts for line in text[side]] for side in (0, 1)))
    corpora = [encode_corpus(src, tgt, vocabularies) for src, tgt in texts]
    # 5 : 2, so corpus 0 comes five times in an epoch: the same pair twice, differently cut
    batches = TrainingBatches(
        corpora, ratio=[5, 2], seed=1, batch_tokens=999, sampling=Sampling(texts, vocabularies, 0.9)
    )
    cuts = set()
    for batch in batches.batches(0):
        for source, target, index in zip(batch.source_BS, batch.target_BT, batch.index_B.tolist(), strict=True):
            src, tgt = texts[0 if index < 3 else 1]
            assert (vocabularies.src.decode(source), vocabularies.tgt.decode(target)) == (src[0], tgt[0])
            cuts.add((index, tuple(source[source != PAD])))
    assert len(cuts) > 5


# ---- Multi30k


@pytest.fixture(scope="module")
def multi30k(tmp_path_factory) -> EncodedCorpus:
    if not MULTI30K.is_dir():
        pytest.skip("the Multi30k files are not beside the checkout")

    def lines(side: str) -> list[str]:
        return gzip.decompress((MULTI30K / f"train.lc.norm.tok.{side}.gz").read_bytes()).decode().split("\n")[:-1]

    src, tgt = lines("en"), lines("de")
    cfg = SubwordConfig(kind=WORDS, cache=str(tmp_path_factory.mktemp("cache")))
    return encode_corpus(src, tgt, learn_vocabularies(cfg, src, tgt), max_length=100, max_ratio=9.0)


@pytest.mark.slow
@pytest.mark.parametrize("batch_sentences", [None, 80])
def test_padding_on_multi30k_is_under_ten_percent(multi30k, batch_sentences):
    cells = real = 0
    for batch in TrainingBatches([multi30k], seed=1, batch_tokens=2048, batch_sentences=batch_sentences).batches(0):
        for ids in (batch.source_BS, batch.target_BT):
            cells, real = cells + ids.size, real + int(np.count_nonzero(ids))
    assert len(multi30k) == 29_000
    assert 1 - real / cells < 0.10
