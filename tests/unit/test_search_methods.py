# B batch, M hypotheses, S source step, T target step, N rows
"""Scores by hand, single steps of a search, and the ends of sentences."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from nmt.config.model import ModelConfig
from nmt.config.search import Normalisation, SearchConfig
from nmt.errors import CheckpointError
from nmt.model.seq2seq import Seq2Seq
from nmt.search.beam import BeamSearch
from nmt.search.ensembles import Ensemble
from nmt.search.greedy import GreedySearch
from nmt.search.likelihood import Scorer
from nmt.search.penalties import coverage_penalty, length_penalty, limits, upper_bound
from nmt.search.rows import must_change
from nmt.search.words import GROUP, MANY, best_words, largest
from tests.unit.search_models import BOS, EOS, PAD, UNK, Copier, Table, without_graphs

ONE = tf.constant([[5, EOS]])

# Rows: the word before. Greedy takes 4 (0.6) and then has 0.3 at best; 5 (0.4) ends with 0.9.
FORK = [
    [1 / 6] * 6,
    [0.0, 0.0, 0.0, 0.0, 0.6, 0.4],
    [1 / 6] * 6,
    [1 / 6] * 6,
    [0.0, 0.0, 0.3, 0.3, 0.2, 0.2],
    [0.0, 0.0, 0.9, 0.1, 0.0, 0.0],
]


def test_the_length_penalty_counts_by_hand():
    lengths = tf.constant([1, 7, 13])
    assert_allclose(length_penalty(lengths, SearchConfig(normalisation=Normalisation.none)), [1, 1, 1])
    assert_allclose(length_penalty(lengths, SearchConfig(normalisation=Normalisation.average)), [1, 7, 13])
    gnmt = SearchConfig(normalisation=Normalisation.gnmt, alpha=2.0)
    assert_allclose(length_penalty(lengths, gnmt), [1, 4, 9])  # (6/6)^2, (12/6)^2, (18/6)^2


def test_the_coverage_penalty_counts_what_was_seen_too_little():
    coverage_NS = tf.constant([[0.5, 2.0, 0.0], [1.0, 0.25, 0.5], [0.0, 1.0, 1.0]])
    mask_NS = tf.constant([[True, True, False], [True, True, True], [True, True, True]])
    penalty_N = coverage_penalty(coverage_NS, mask_NS, SearchConfig(coverage=2.0))
    assert_allclose(penalty_N, [2 * math.log(0.5), 2 * math.log(0.125), 2 * math.log(1e-30)], rtol=1e-6)


def test_no_completion_scores_above_the_bound():
    cfg = SearchConfig(normalisation=Normalisation.gnmt, alpha=1.0)
    assert_allclose(upper_bound(tf.constant([-3.0]), tf.constant([13]), cfg), [-1.0])  # -3 / (18/6)


def test_the_longest_translation_counts_both_end_marks():
    mask_BS = tf.sequence_mask([10, 1, 3])
    assert_array_equal(limits(mask_BS, SearchConfig(max_ratio=0.7, max_extra=1)), [8, 1, 3])


def test_padding_and_start_are_never_written_and_unknown_may_be():
    logits_NV = tf.math.log(tf.constant([[0.4, 0.3, 0.05, 0.2, 0.05], [0.1, 0.1, 0.1, 0.6, 0.1]]))
    log_prob_NC, token_NC = best_words(logits_NV, 1, tf.constant([False, False]))
    best_N = np.argmax(log_prob_NC, axis=1)
    assert_array_equal(token_NC.numpy()[[0, 1], best_N], [UNK, UNK])
    assert_allclose(log_prob_NC.numpy()[[0, 1], best_N], np.log([0.2, 0.6]), rtol=1e-5)
    assert_array_equal(np.isinf(log_prob_NC), np.isin(token_NC, [PAD, BOS]))


def test_the_last_word_is_the_end_mark_with_its_own_probability():
    logits_NV = tf.math.log(tf.constant([[0.1, 0.1, 0.01, 0.5, 0.29]])) + 100.0
    log_prob_NC, token_NC = best_words(logits_NV, 2, tf.constant([True]))
    assert_array_equal(token_NC, [[EOS] * 4])
    assert_allclose(log_prob_NC, [[math.log(0.01), *[-np.inf] * 3]], rtol=1e-4)


@without_graphs()
def test_a_beam_finds_what_greedy_search_misses():
    model, cfg = Table(FORK), SearchConfig(beam=2, normalisation=Normalisation.none)
    greedy, beam = GreedySearch(model, cfg)(ONE), BeamSearch(model, cfg)(ONE)
    assert_array_equal(greedy.tokens_BMT, [[[4, EOS]]])
    assert_allclose(greedy.score_BM, [[math.log(0.6 * 0.3)]], rtol=1e-5)
    assert_array_equal(beam.tokens_BMT, [[[5, EOS]]])
    assert_allclose(beam.score_BM, [[math.log(0.4 * 0.9)]], rtol=1e-5)


@pytest.mark.parametrize("method", [GreedySearch, BeamSearch])
@without_graphs()
def test_a_sentence_may_end_at_once(method):
    at_once = Table([[0.01, 0.01, 0.95, 0.01, 0.02]] * 5)
    hypotheses = method(at_once, SearchConfig(beam=3))(ONE)
    assert_array_equal(hypotheses.tokens_BMT[0, 0, :1], [EOS])
    assert_array_equal(hypotheses.length_BM, [[1]])
    assert_allclose(hypotheses.score_BM, [[math.log(0.95)]], rtol=1e-5)


@pytest.mark.parametrize("method", [GreedySearch, BeamSearch])
@without_graphs()
def test_a_sentence_that_does_not_end_is_ended_at_its_longest(method):
    endless = Table([[0.01, 0.01, 1e-6, 0.01, 0.97]] * 5)
    cfg = SearchConfig(beam=2, max_ratio=1.0, max_extra=1, normalisation=Normalisation.none)
    hypotheses = method(endless, cfg)(tf.constant([[4, 4, EOS], [4, EOS, PAD]]))
    assert_array_equal(hypotheses.tokens_BMT[:, 0], [[4, 4, 4, EOS], [4, 4, EOS, PAD]])
    total = 0.01 + 0.01 + 1e-6 + 0.01 + 0.97
    expected = [math.log(0.97 / total) * words + math.log(1e-6 / total) for words in (3, 2)]
    assert_allclose(hypotheses.score_BM[:, 0], expected, rtol=1e-5)


@without_graphs()
def test_where_fewer_exist_the_rest_is_marked_absent():
    certain = Table([[0.0, 0.0, 1.0, 0.0, 0.0]] * 5)
    hypotheses = BeamSearch(certain, SearchConfig(beam=3, nbest=3))(ONE)
    assert_array_equal(hypotheses.length_BM, [[1, 0, 0]])
    assert_array_equal(hypotheses.score_BM, [[0, -np.inf, -np.inf]])
    assert_array_equal(hypotheses.tokens_BMT, [[[EOS], [PAD], [PAD]]])


@pytest.mark.parametrize("method", [GreedySearch, BeamSearch])
@without_graphs()
def test_scores_that_are_no_numbers_find_nothing(method):
    hypotheses = method(Table([[math.nan] * 5] * 5), SearchConfig(beam=2, coverage=0.1))(ONE)
    assert_array_equal(hypotheses.length_BM, [[0]])
    assert_array_equal(hypotheses.score_BM, [[-np.inf]])
    assert not hypotheses.tokens_BMT.numpy().any()


@without_graphs()
def test_a_beam_stops_when_no_prefix_can_win_and_what_is_finished_leaves():
    # 8 sentences of 1 word and one of 6: the copier is all but certain, so each is found in length + 1 steps.
    model = Copier(9)
    source_BS = tf.constant([[5, EOS, 0, 0, 0, 0, 0]] * 8 + [[5, 6, 7, 8, 5, 6, EOS]])
    cfg = SearchConfig(beam=2, normalisation=Normalisation.none)
    found = BeamSearch(model, cfg)(source_BS)
    assert (
        model.rows.numpy() == 2 * 9 + 5 * 1
    )  # its second best word is the end mark; from the third step on one sentence
    model.rows.assign(0)
    plain = BeamSearch(model, cfg, plain=True)(source_BS)
    assert model.rows.numpy() == 2 * 9 * 7  # all of them until the last one's beam has finished twice
    assert_array_equal(found.tokens_BMT, plain.tokens_BMT)
    model.rows.assign(0)
    GreedySearch(model, cfg)(source_BS)
    assert model.rows.numpy() == 2 * 9 + 5 * 1


# To end at once has 0.6; the other way begins with 0.2 and is certain from there: 4 5 6 7.
LATE = [[0.0] * 8 for _ in range(8)]
LATE[BOS][EOS], LATE[BOS][4], LATE[BOS][5] = 0.6, 0.2, 0.2 - 1e-3
LATE[4][5] = LATE[5][6] = LATE[6][7] = LATE[7][EOS] = 1.0


@pytest.mark.parametrize(
    "scores, best",
    [
        ({"normalisation": Normalisation.none}, [EOS]),
        ({"normalisation": Normalisation.average}, [4, 5, 6, 7, EOS]),  # log(0.2) / 5 > log(0.6)
        ({"normalisation": Normalisation.gnmt, "alpha": 1.0}, [EOS]),  # log(0.2) / (10/6) < log(0.6)
        ({"normalisation": Normalisation.gnmt, "alpha": 3.0}, [4, 5, 6, 7, EOS]),  # log(0.2) / (10/6)^3 > log(0.6)
        ({"normalisation": Normalisation.none, "coverage": 1.0}, [4, 5, 6, 7, EOS]),  # the only one to look at all
    ],
)
@without_graphs()
def test_a_late_winner_is_waited_for(scores, best):
    # Over one or two more words no prefix could win: a bound that takes the present length or coverage stops here.
    hypotheses = BeamSearch(Table(LATE), SearchConfig(beam=2, max_extra=1, **scores))(tf.constant([[3, 3, EOS]]))
    assert_array_equal(hypotheses.tokens_BMT[0, 0], best)


def test_an_ensemble_refuses_models_of_other_vocabularies():
    with pytest.raises(CheckpointError) as refused:
        Ensemble([Copier(9), Copier(9), Copier(7)])
    assert str(refused.value) == (
        "checkpoint number 3: found a target vocabulary of 7 pieces, expected 9 pieces as in the first; "
        "combine models that were trained with the same vocabularies."
    )
    with pytest.raises(CheckpointError) as refused:
        Ensemble([])
    assert str(refused.value) == "checkpoint: found no model, expected at least one; name a checkpoint file."


def test_the_real_model_scores_what_it_found_whatever_the_padding():
    config = ModelConfig(embedding=6, encoder_units=5, units=7, attention_units=4, decoder_layers=2)
    model, cfg = Seq2Seq(config, 20, 20, seed=3), SearchConfig(beam=3, nbest=2, coverage=0.2, max_extra=3)
    for variable in model.trainable_variables:
        variable.assign(3 * variable)
    source_BS = np.zeros((6, 8), np.int32)
    for row, words in enumerate([[5], [6, 7, 8], [], [9, 10, 11, 12, 13], [14, 15], [16, 17, 18, 19]]):
        source_BS[row, : len(words) + 1] = [*words, EOS]
    search, scorer = BeamSearch(model, cfg), Scorer(model, cfg)
    hypotheses = search(source_BS)
    for rank in range(2):
        scored = scorer(source_BS, hypotheses.tokens_BMT[:, rank])
        assert_allclose(scored.score_B, hypotheses.score_BM[:, rank], atol=1e-5)
        assert_allclose(scored.weight_BTS, hypotheses.weight_BMTS[:, rank], atol=1e-5)
    alone = search(source_BS[1:2, :4])
    length = int(alone.length_BM[0, 0])
    assert_array_equal(alone.tokens_BMT[0, 0, :length], hypotheses.tokens_BMT[1, 0, :length])
    assert_allclose(alone.score_BM[0], hypotheses.score_BM[1], atol=1e-5)


@pytest.mark.parametrize(
    "alive, room, change",
    [
        ([1, 1], [1, 1], False),
        ([2, 1], [1, 1], True),  # one lacks a row
        ([5, 5, 5, 0], [5, 5, 5, 1], False),  # one of 16 idle
        ([5, 5, 4, 0], [5, 5, 5, 1], True),  # two of 16
        ([0, 3], [5, 5], True),
        ([0, 0], [5, 5], False),  # the search is over
    ],
)
def test_rows_are_moved_where_one_is_lacking_or_enough_are_idle(alive, room, change):
    assert bool(must_change(tf.constant(alive), tf.constant(room))) is change


@without_graphs()
def test_rows_follow_the_prefixes():
    """Six words, each as likely as the others: a beam of 4 has 1 prefix, then 4, and 3 once one has ended."""
    model = Copier(8, sharpness=0.0)
    source_BS = tf.constant([[5, 6, EOS]])
    cfg = SearchConfig(beam=4, nbest=4, normalisation=Normalisation.none, max_ratio=1.0, max_extra=1)
    found = BeamSearch(model, cfg)(source_BS)
    rows = int(model.rows.numpy())
    model.rows.assign(0)
    plain = BeamSearch(model, cfg, plain=True)(source_BS)
    assert_array_equal(found.tokens_BMT, plain.tokens_BMT)
    assert_array_equal(found.score_BM, plain.score_BM)
    assert rows < int(model.rows.numpy())


@pytest.mark.parametrize("vocab", [MANY - 1, MANY, MANY + 1, 3 * GROUP, 5])
@pytest.mark.parametrize("known", [True, False])
def test_the_largest_words_come_as_from_top_k_ties_and_all(vocab, known):
    count = min(7, vocab)
    values = np.random.default_rng(vocab).integers(0, 40, [9, vocab]).astype(np.float32)  # most are there many times
    values[1], values[2, 1:], values[3] = 0.0, -np.inf, -np.inf
    shape = [None, vocab if known else None]
    found = tf.function(lambda x_NV: largest(x_NV, count), input_signature=[tf.TensorSpec(shape, tf.float32)])(values)
    for ours, theirs in zip(found, tf.math.top_k(values, count), strict=True):
        assert_array_equal(ours, theirs)
