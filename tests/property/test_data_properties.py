"""Subwords and batches, for any text and any lengths."""

from __future__ import annotations

import functools
import tempfile
import unicodedata
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nmt.config.subword import SubwordConfig, SubwordKind
from nmt.data.batches import TrainingBatches, evaluation_batches, plan_epoch
from nmt.data.encode import EncodedCorpus, Ragged
from nmt.data.standins import StandIns
from nmt.data.subwords import PAD, UNK, Subwords, learn_vocabularies, subwords_from_bytes
from nmt.errors import DataError

LEARNT = (SubwordKind.bpe, SubwordKind.unigram)
LINES = [
    "Zwei junge weiße Männer sind im Freien in der Nähe vieler Büsche.",
    "Mehrere Männer mit Schutzhelmen bedienen ein Antriebsradsystem.",
    "Ein kleines Mädchen klettert in ein Spielhaus aus Holz.",
    'Ein Mann in einem blauen Hemd steht auf einer Leiter und putzt ein Fenster, sagt er: "Nein!"',
    "Two young, White males are outside near many bushes.",
    "A man in a blue shirt is standing on a ladder cleaning a window (100 %).",
]
quick = settings(deadline=None, max_examples=60)
# Any Unicode scalar value, and often those that a library or we ourselves keep for something.
RESERVED = st.sampled_from(
    [*"▁▅\t\0\r￭⁇ ", "<unk>", "<s>", "</s>", "<pad>", "\ufdd0", "\ufdd1", "\ufdd3", "\ufdd4", "\ufdd6", "\ufdef"]
)
SCALARS = st.characters(exclude_categories=["Cs"])
TEXT = st.text(SCALARS, max_size=30) | st.lists(RESERVED | SCALARS, max_size=12).map("".join)
ORDINARY = st.lists(st.sampled_from(" ".join(LINES).split()), max_size=12).map(" ".join)
LIKELY = st.text(st.sampled_from(sorted(set(" ".join(LINES)))), max_size=40)  # known characters in any order
ANY = TEXT | ORDINARY | LIKELY


@functools.cache
def learnt(kind: SubwordKind) -> Subwords:
    with tempfile.TemporaryDirectory() as cache:
        cfg = SubwordConfig(kind=kind, size=100 if kind in LEARNT else 300, joint=True, cache=cache)
        return learn_vocabularies(cfg, LINES * 3, []).src


@pytest.mark.parametrize("kind", LEARNT)
@settings(deadline=None, max_examples=40)
@given(text=ANY, long=st.booleans())
@example(text="\ufdef<unk>", long=False)  # as the name of the unknown piece itself
@example(text="\ufdd6<unk> \ufdef\ufdef</s>\ufdef", long=False)
def test_text_that_was_learnt_from_comes_back_as_it_is(kind, text, long):
    line = f"{text} {text}{LINES[0]}" * 60 if long else text  # over 4,192 bytes with the first of LINES
    size = 100 + len(set(line)) + 2  # a mark and a stand-in beside the characters themselves
    with tempfile.TemporaryDirectory() as cache:
        cfg = SubwordConfig(kind=kind, size=size, joint=True, cache=cache)
        try:
            vocabulary = learn_vocabularies(cfg, [*LINES * 3, line], []).src
        except DataError as error:  # so little text does not yield so many pieces
            cfg.size = int(error.next_step.rpartition("=")[2])
            vocabulary = learn_vocabularies(cfg, [*LINES * 3, line], []).src
    assert vocabulary.decode(vocabulary.encode(line)) == line
    assert vocabulary.unknown(line) == []


@given(text=TEXT)
def test_hidden_text_has_nothing_reserved_and_shows_again(text):
    stand_ins = StandIns("▁▅\t\0")
    hidden = stand_ins.hide(text)
    assert not set(hidden) & set("▁▅\t\0")
    assert stand_ins.show(hidden) == text
    assert "\ufdef<" not in hidden
    assert "\ufdef\ufdef" not in hidden


@pytest.mark.parametrize("kind", LEARNT)
@quick
@given(text=ANY)
def test_only_unknown_characters_are_lost_and_they_are_seen(kind, text):
    vocabulary = learnt(kind)
    known = set("".join(LINES))
    expected = "".join(c if c in known else "⁇" for c in text)
    while "⁇⁇" in expected:  # one for each run
        expected = expected.replace("⁇⁇", "⁇")
    assert vocabulary.decode(vocabulary.encode(text)) == expected
    assert "".join(vocabulary.unknown(text)) == "".join(c for c in text if c not in known)


@quick
@given(text=ANY)
def test_characters_come_back_one_by_one(text):
    vocabulary = learnt(SubwordKind.characters)
    known = set("".join(LINES))
    assert vocabulary.decode(vocabulary.encode(text)) == "".join(c if c in known else "⁇" for c in text)


@quick
@given(text=ANY)
def test_words_come_back_with_single_spaces(text):
    with tempfile.TemporaryDirectory() as cache:
        cfg = SubwordConfig(kind=SubwordKind.words, cache=cache, joint=True)
        vocabulary = learn_vocabularies(cfg, [text, "a word"], []).src
    assert vocabulary.decode(vocabulary.encode(text)) == " ".join(text.split())


@pytest.mark.parametrize("kind", LEARNT)
@quick
@given(text=ANY, seed=st.integers(0, 9), rate=st.sampled_from([0.01, 0.1, 0.5, 0.95]))
def test_sampled_pieces_decode_to_the_same_text(kind, text, seed, rate):
    vocabulary = learnt(kind)
    sampled = vocabulary.encode_sampled(text, rate, np.random.default_rng(seed))
    assert vocabulary.decode(sampled) == vocabulary.decode(vocabulary.encode(text))
    assert sampled == vocabulary.encode_sampled(text, rate, np.random.default_rng(seed))


@pytest.mark.parametrize("kind", LEARNT)
@quick
@given(text=ANY)
def test_rate_0_is_the_one_best_segmentation(kind, text):
    assert learnt(kind).encode_sampled(text, 0.0, np.random.default_rng(0)) == learnt(kind).encode(text)


@quick
@given(text=ANY)
def test_our_merges_without_dropout_are_those_of_sentencepiece(text):
    rate = 1e-300  # takes the way of sampling, and leaves nothing out
    vocabulary = learnt(SubwordKind.bpe)
    assert vocabulary.encode_sampled(text, rate, np.random.default_rng(0)) == vocabulary.encode(text)


@quick
@given(text=ORDINARY)
def test_the_best_way_through_our_lattice_is_that_of_sentencepiece(text):
    """With alpha = 1 the chance of a draw is its probability, so none is likelier than SentencePiece's own."""
    vocabulary: Any = learnt(SubwordKind.unigram)
    scores = {name: vocabulary._processor.get_score(i) for i, name in enumerate(vocabulary._names)}

    def score(ids):
        return sum(scores[vocabulary._names[i]] for i in ids if i != UNK)

    best = score(vocabulary.encode(text))
    draws = [vocabulary.encode_sampled(text, 1e-9, np.random.default_rng(seed)) for seed in range(20)]
    assert all(score(ids) <= best + 1e-4 for ids in draws)


@pytest.mark.parametrize("kind", list(SubwordKind))
@quick
@given(text=ANY)
def test_bytes_bring_back_the_same_vocabulary(kind, text):
    vocabulary = learnt(kind)
    again = subwords_from_bytes(kind, vocabulary.to_bytes())
    assert again.encode(text) == vocabulary.encode(text)
    assert all(0 <= i < vocabulary.size for i in vocabulary.encode(text))
    labels = vocabulary.pieces(vocabulary.encode(text))
    assert len(labels) == len(vocabulary.encode(text))


# ---- batches

LENGTHS = st.lists(st.tuples(st.integers(1, 80), st.integers(1, 80)), min_size=1, max_size=120)


def corpus_of(lengths) -> EncodedCorpus:
    """Pair i is made of ids i + 4."""

    def rows(side: int) -> Ragged:
        sizes = [pair[side] for pair in lengths]
        return Ragged(np.repeat(np.arange(len(sizes), dtype=np.int32) + 4, sizes), np.cumsum([0, *sizes]))

    return EncodedCorpus(rows(0), rows(1), np.arange(len(lengths)))


@quick
@given(lengths=LENGTHS, budget=st.integers(1, 2048), seed=st.integers(-5, 2**70), epoch=st.integers(0, 1000))
def test_a_plan_uses_each_pair_once_and_keeps_to_the_budget(lengths, budget, seed, epoch):
    src, tgt = np.array(lengths).T
    keys = {"batch_tokens": budget, "batch_sentences": None, "seed": seed, "epoch": epoch}
    plan = plan_epoch(src, tgt, **keys)
    assert sorted(i for batch in plan for i in batch) == list(range(len(lengths)))
    for batch in plan:
        assert len(batch) == 1 or len(batch) * max(src[batch].max(), tgt[batch].max()) <= budget
    assert [b.tolist() for b in plan_epoch(src, tgt, **keys)] == [b.tolist() for b in plan]


@quick
@given(lengths=LENGTHS, size=st.integers(1, 50), seed=st.integers(0, 5))
def test_batches_of_so_many_pairs_use_each_once(lengths, size, seed):
    src, tgt = np.array(lengths).T
    plan = plan_epoch(src, tgt, batch_tokens=1, batch_sentences=size, seed=seed, epoch=0)
    assert sorted(i for batch in plan for i in batch) == list(range(len(lengths)))
    assert sorted(len(batch) for batch in plan)[1:] == [size] * (len(plan) - 1)


@quick
@given(lengths=LENGTHS, budget=st.integers(1, 500), epoch=st.integers(0, 5), data=st.data())
def test_resuming_at_a_cursor_continues_with_the_same_batches(lengths, budget, epoch, data):
    corpus = corpus_of(lengths)
    whole = list(TrainingBatches([corpus], seed=1, batch_tokens=budget).batches(epoch))
    start = data.draw(st.integers(0, len(whole)))
    rest = list(TrainingBatches([corpus], seed=1, batch_tokens=budget).batches(epoch, start))
    assert len(rest) == len(whole) - start
    for one, other in zip(rest, whole[start:], strict=True):
        assert one.source_BS.tolist() == other.source_BS.tolist()
        assert one.target_BT.tolist() == other.target_BT.tolist()
        assert one.index_B.tolist() == other.index_B.tolist()


@quick
@given(lengths=LENGTHS, budget=st.integers(1, 500))
def test_evaluation_restores_every_pair(lengths, budget):
    corpus = corpus_of(lengths)
    seen = {}
    for batch in evaluation_batches(corpus, budget):
        assert len(batch.index_B) == 1 or max(batch.source_BS.size, batch.target_BT.size) <= budget
        for source, target, index in zip(batch.source_BS, batch.target_BT, batch.index_B.tolist(), strict=True):
            assert index not in seen
            seen[index] = (source[source != PAD].tolist(), target[target != PAD].tolist())
    assert seen == {
        i: tuple(side.padded(np.array([i]))[0].tolist() for side in (corpus.src, corpus.tgt))
        for i in range(len(lengths))
    }


@quick
@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=3),
    parts=st.lists(st.integers(1, 6), min_size=3, max_size=3),
    seed=st.integers(0, 5),
)
def test_a_mixture_keeps_its_ratio_and_uses_the_pairs_of_each_corpus_evenly(sizes, parts, seed):
    parts = parts[: len(sizes)]
    corpora = [corpus_of([(3, 3)] * size) for size in sizes]
    batches = TrainingBatches(corpora, ratio=parts, seed=seed, batch_tokens=30)
    used = np.zeros(sum(sizes), int)
    for epoch in range(3):
        before = used.copy()
        for batch in batches.batches(epoch):
            np.add.at(used, batch.index_B, 1)
        shares = [each.sum() for each in np.split(used - before, np.cumsum(sizes)[:-1])]
        assert all(share * parts[0] == shares[0] * part for share, part in zip(shares, parts, strict=True))
        for each in np.split(used, np.cumsum(sizes)[:-1]):
            assert each.max() - each.min() <= 1


def test_the_stand_in_is_no_character():
    assert unicodedata.category("\ufdd0") == "Cn"
