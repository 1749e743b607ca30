# B batch, C phrases, L pieces of a phrase, M hypotheses, T target step, V vocabulary
"""A ruled search finds the best of what the rules leave, and nothing else: against all sentences, filtered."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from nmt.config.search import SearchConfig
from nmt.search.beam import BeamSearch
from nmt.search.ensembles import Ensemble
from nmt.search.rules import Demands, Rules
from tests.property.search_tools import EOS, ToyModel, Twin, found, padded

SETTINGS = settings(max_examples=8, deadline=None, derandomize=True)
BEGINS_V = np.array([False, False, False, True, True, False])  # 5 goes on with a word
WORDS = st.integers(3, 5)
PHRASE = st.lists(WORDS, min_size=1, max_size=2)
SOURCE = [4, 7, EOS]
LIMIT = 5


def demands(prefix=(), must=(), never=(), sentences: int = 1) -> Demands:
    def phrases(rows):
        width = max(map(len, rows), default=0)
        table = [[*row, *[0] * (width - len(row))] for row in rows]
        return np.reshape(np.array(table, np.int32), (1, len(rows), width)).repeat(sentences, 0)

    return Demands(np.array([prefix] * sentences, np.int32).reshape(sentences, -1), phrases(must), phrases(never))


def occurs(phrase, text, whole: bool) -> bool:
    places = [i for i in range(len(text)) if text[i : i + len(phrase)] == tuple(phrase)]
    ends = [i + len(phrase) for i in places]
    return any(not whole or end == len(text) or BEGINS_V[text[end]] for end in ends)


def lawful(text: tuple[int, ...], prefix, must, never, min_length: int, no_repeat: int) -> bool:
    ngrams = [text[i : i + no_repeat] for i in range(len(text) - no_repeat + 1)] if no_repeat else []
    return (
        text[: len(prefix)] == tuple(prefix)
        and all(occurs(phrase, text, whole=True) for phrase in must)
        and not any(occurs(phrase, text, whole=False) for phrase in never)
        and len(text) >= min_length
        and len(set(ngrams)) == len(ngrams)
    )


def search_of(model, beam: int = 130, nbest: int = 121, **options) -> BeamSearch:
    cfg = SearchConfig(beam=beam, nbest=nbest, max_ratio=0.0, max_extra=LIMIT, **options)
    return BeamSearch(model, cfg, rules=Rules(BEGINS_V, cfg.min_length, cfg.no_repeat))


@pytest.fixture(scope="module")
def toy() -> ToyModel:
    return ToyModel(target_vocab=6)


@pytest.fixture(scope="module")
def searches(toy) -> dict[tuple[int, int], BeamSearch]:
    return {
        (length, repeat): search_of(toy, min_length=length, no_repeat=repeat)
        for length, repeat in ((0, 0), (2, 0), (0, 2), (2, 1))
    }


def left(model, search: BeamSearch, prefix, must, never) -> list:
    """All sentences that the rules leave, best first."""
    twin = Twin(model, SOURCE, search.cfg)
    rules = search.cfg.min_length, search.cfg.no_repeat
    return [path for path in twin.all_paths() if lawful(path.tokens[:-1], prefix, must, never, *rules)]


@SETTINGS
@given(
    seed=st.integers(0, 1_000),
    rules=st.sampled_from([(0, 0), (2, 0), (0, 2), (2, 1)]),
    prefix=st.lists(WORDS, max_size=2),
    never=st.lists(PHRASE, max_size=2),
)
def test_beginnings_lengths_repeats_and_bans_leave_what_brute_force_leaves(toy, searches, seed, rules, prefix, never):
    toy.set_weights(seed)
    search = searches[rules]
    wanted = left(toy, search, prefix, (), never)
    banned = occurs_in_beginning(prefix, never, rules[1])
    hypotheses = search(padded([SOURCE]), demands(prefix, (), never))
    if not banned:
        assert found(hypotheses, 0) == [path.tokens for path in wanted][: search.cfg.nbest]
        count = len(wanted[: search.cfg.nbest])
        assert_allclose(hypotheses.log_prob_BM[0, :count], [p.log_prob for p in wanted[:count]], rtol=2e-5, atol=1e-5)


def occurs_in_beginning(prefix, never, no_repeat: int) -> bool:
    """A beginning is written whatever the other rules say of it."""
    return not lawful(tuple(prefix), prefix, (), never, 0, no_repeat)


@SETTINGS
@given(
    seed=st.integers(0, 1_000),
    must=st.sampled_from([[[3]], [[3, 5]], [[4, 3]], [[3], [4, 5]], [[4, 4], [3]]]),  # no two share a piece
    never=st.lists(PHRASE, max_size=1),
)
def test_phrases_that_must_occur_leave_what_brute_force_leaves(toy, searches, seed, must, never):
    toy.set_weights(seed)
    search = searches[0, 0]
    if any(occurs(phrase, tuple(other), whole=False) for phrase in never for other in must):
        return
    hypotheses = search(padded([SOURCE]), demands((), must, never))
    wanted = [path.tokens for path in left(toy, search, (), must, never)]
    assert found(hypotheses, 0) == wanted[: search.cfg.nbest]


@SETTINGS
@given(
    seed=st.integers(0, 1_000),
    must=st.lists(PHRASE, min_size=1, max_size=3).filter(lambda rows: all(BEGINS_V[row[0]] for row in rows)),
    size=st.integers(1, 3),
)
def test_a_narrow_beam_meets_every_demand(toy, narrow, seed, must, size):
    toy.set_weights(seed, end=3.0)
    hypotheses = narrow(padded([SOURCE] * size), demands((), must, (), size))
    for row in range(size):
        texts = found(hypotheses, row)
        assert texts
        for text in texts:
            assert all(occurs(phrase, text[:-1], whole=True) for phrase in must), (text, must)


@pytest.fixture(scope="module")
def narrow(toy) -> BeamSearch:
    return search_of(Ensemble([toy, toy]), beam=3, nbest=3)


def test_a_sentence_without_demands_is_translated_as_without_rules(toy):
    toy.set_weights(5)
    cfg = SearchConfig(beam=3, nbest=3, max_ratio=0.0, max_extra=LIMIT)
    search = BeamSearch(toy, cfg, rules=Rules(BEGINS_V, 0, 0))
    mixed = Demands(*(np.concatenate([a, 0 * a]) for a in demands((4,), ((3, 5),), ((4, 4),))))
    with_rules, without = search(padded([SOURCE, SOURCE]), mixed), search(padded([SOURCE]))
    assert_array_equal(with_rules.tokens_BMT[1, :, : without.tokens_BMT.shape[2]], without.tokens_BMT[0])
    assert_allclose(with_rules.score_BM[1], without.score_BM[0], atol=1e-6)
    assert found(with_rules, 0) != found(without, 0)


def test_diversity_spreads_the_beam_over_prefixes_and_leaves_scores_alone(toy):
    toy.set_weights(7)
    plain, apart = (search_of(toy, beam=4, nbest=4, diversity=gamma) for gamma in (0.0, 50.0))
    close, spread = plain(padded([SOURCE])), apart(padded([SOURCE]))
    twin = Twin(toy, SOURCE, apart.cfg)
    for text, log_prob in zip(found(spread, 0), spread.log_prob_BM[0].numpy(), strict=False):
        assert twin.write(text).log_prob == pytest.approx(log_prob, abs=1e-4)
    assert found(close, 0) != found(spread, 0)


def test_a_demand_that_cannot_be_met_finds_nothing(toy, searches):
    toy.set_weights(1)
    hypotheses = searches[0, 0](padded([SOURCE]), demands((), ((4,),), ((4,),)))
    assert_array_equal(hypotheses.length_BM, tf.zeros_like(hypotheses.length_BM))
