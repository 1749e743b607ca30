# B batch, M hypotheses, S source step, T target step
"""What a search finds is what its definition says: against brute force, a search in words, and itself done plainly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from nmt.config.search import Normalisation, SearchConfig
from nmt.search.beam import BeamSearch
from nmt.search.ensembles import Ensemble
from nmt.search.greedy import GreedySearch
from nmt.search.likelihood import Scorer
from tests.property.search_tools import EOS, ToyModel, Twin, found, padded

SETTINGS = settings(max_examples=8, deadline=None, derandomize=True)
SENTENCES = st.lists(st.lists(st.integers(3, 7), max_size=6).map(lambda ids: [*ids, EOS]), min_size=1, max_size=9)
SCORES = {
    "none": {"normalisation": Normalisation.none},
    "average": {"normalisation": Normalisation.average},
    "gnmt": {"normalisation": Normalisation.gnmt, "alpha": 0.8},
    "coverage": {"normalisation": Normalisation.gnmt, "alpha": 0.8, "coverage": 0.4},
}
WIDE, NARROW = ({"beam": 16, "nbest": 15, "max_ratio": 0.0, "max_extra": 4}, {"beam": 3, "nbest": 2, "max_extra": 3})


@pytest.fixture(scope="module")
def tiny() -> ToyModel:
    return ToyModel(target_vocab=5)


@pytest.fixture(scope="module")
def toy() -> ToyModel:
    return ToyModel(target_vocab=7)


@pytest.fixture(scope="module", params=["average", "coverage"])
def narrow(toy, request) -> tuple[SearchConfig, BeamSearch, BeamSearch, Scorer]:
    cfg = SearchConfig(**NARROW, **SCORES[request.param])
    return cfg, BeamSearch(toy, cfg), BeamSearch(toy, cfg, plain=True), Scorer(toy, cfg)


@pytest.fixture(scope="module")
def greedy(toy) -> tuple[GreedySearch, BeamSearch]:
    cfg = SearchConfig(beam=1, coverage=0.3, normalisation=Normalisation.gnmt, max_extra=4)
    return GreedySearch(toy, cfg), BeamSearch(toy, cfg)


@pytest.mark.parametrize("name", SCORES)
def test_a_beam_as_wide_as_the_space_ranks_all_of_it(tiny, name):
    cfg = SearchConfig(**WIDE, **SCORES[name])
    search, sentences = BeamSearch(tiny, cfg), [[4, 5, EOS], [6, EOS], [3, 7, 5, 4, EOS]]
    for seed, end in ((1, 0.0), (2, 3.0), (3, -3.0)):
        tiny.set_weights(seed, end=end)
        hypotheses = search(padded(sentences))
        for row, source in enumerate(sentences):
            twin = Twin(tiny, source, cfg)
            paths = twin.all_paths()
            assert len(paths) == 1 + 2 + 4 + 8  # sentences of 0 to 3 words, each UNK or 4
            assert found(hypotheses, row) == [path.tokens for path in paths]
            assert_allclose(hypotheses.score_BM[row], [twin.score(path) for path in paths], rtol=2e-5, atol=1e-5)
            assert_allclose(hypotheses.log_prob_BM[row], [path.log_prob for path in paths], rtol=2e-5, atol=1e-5)


@SETTINGS
@given(seed=st.integers(0, 10_000), end=st.sampled_from([-4.0, 0.0, 4.0]), sentences=SENTENCES)
def test_the_beam_is_the_search_in_words(toy, narrow, seed, end, sentences):
    cfg, search, _, _ = narrow
    toy.set_weights(seed, end=end)
    hypotheses = search(padded(sentences))
    for row, source in enumerate(sentences):
        twin = Twin(toy, source, cfg)
        paths = twin.beam()
        assert found(hypotheses, row) == [path.tokens for path in paths]
        assert_allclose(hypotheses.score_BM[row], [twin.score(path) for path in paths], rtol=2e-5, atol=1e-5)


@SETTINGS
@given(seed=st.integers(0, 10_000), end=st.sampled_from([-4.0, 0.0, 4.0]), sentences=SENTENCES)
def test_stopping_early_and_leaving_the_batch_change_nothing(toy, narrow, seed, end, sentences):
    _, search, plain, _ = narrow
    toy.set_weights(seed, end=end)
    fast, slow = search(padded(sentences)), plain(padded(sentences))
    assert_array_equal(fast.tokens_BMT, slow.tokens_BMT)
    assert_allclose(fast.score_BM, slow.score_BM, atol=1e-5)
    assert_allclose(fast.weight_BMTS, slow.weight_BMTS, atol=1e-5)


@SETTINGS
@given(seed=st.integers(0, 10_000), sentences=SENTENCES, more=st.integers(1, 4))
def test_padding_and_company_change_nothing(toy, narrow, seed, sentences, more):
    _, search, _, _ = narrow
    toy.set_weights(seed)
    together, longest = search(padded(sentences)), max(map(len, sentences))
    wider = search(padded(sentences, longest + more))
    assert_array_equal(together.tokens_BMT, wider.tokens_BMT)
    assert_allclose(together.score_BM, wider.score_BM, atol=1e-5)
    assert_array_equal(wider.weight_BMTS[..., longest:], 0)
    alone = search(padded(sentences[-1:]))
    assert found(alone, 0) == found(together, len(sentences) - 1)
    assert_allclose(alone.score_BM[0], together.score_BM[-1], atol=1e-5)


@SETTINGS
@given(seed=st.integers(0, 10_000), sentences=SENTENCES)
def test_scores_and_attention_are_those_of_writing_the_hypothesis(toy, narrow, seed, sentences):
    cfg, search, _, scorer = narrow
    toy.set_weights(seed)
    source_BS = padded(sentences)
    hypotheses = search(source_BS)
    for rank in range(cfg.nbest):
        scored = scorer(source_BS, hypotheses.tokens_BMT[:, rank])
        exists = hypotheses.length_BM[:, rank].numpy() > 0
        assert_allclose(scored.score_B[exists], hypotheses.score_BM[:, rank][exists], atol=1e-5)
        assert_allclose(scored.log_prob_B[exists], hypotheses.log_prob_BM[:, rank][exists], atol=1e-5)
        assert_allclose(scored.weight_BTS[exists], hypotheses.weight_BMTS[:, rank][exists], atol=1e-5)
    _rows_sum_to_one_over_the_source(hypotheses, sentences)


def _rows_sum_to_one_over_the_source(hypotheses, sentences) -> None:
    weight_BMTS, length_BM = hypotheses.weight_BMTS.numpy(), hypotheses.length_BM.numpy()
    for row, source in enumerate(sentences):
        for weight_TS, length in zip(weight_BMTS[row], length_BM[row], strict=True):
            assert_allclose(weight_TS[:length, : len(source)].sum(axis=1), 1, atol=1e-5)
            assert_array_equal(weight_TS[:length, len(source) :], 0)
            assert_array_equal(weight_TS[length:], 0)


@SETTINGS
@given(seed=st.integers(0, 10_000), end=st.sampled_from([-4.0, 0.0, 4.0]), sentences=SENTENCES)
def test_hypotheses_are_sorted_distinct_and_of_real_words(toy, narrow, seed, end, sentences):
    cfg, search, _, _ = narrow
    toy.set_weights(seed, end=end)
    hypotheses = search(padded(sentences))
    assert np.all(np.diff(hypotheses.score_BM.numpy(), axis=1) <= 0)
    for row, source in enumerate(sentences):
        texts = found(hypotheses, row)
        assert len(texts) == len(set(texts)) == cfg.nbest
        for text in texts:
            assert text[-1] == EOS
            assert min(text[:-1], default=3) >= 3
            assert len(text) <= 2 * len(source) + 3


@SETTINGS
@given(seed=st.integers(0, 10_000), end=st.sampled_from([-4.0, 0.0, 4.0]), sentences=SENTENCES)
def test_a_beam_of_one_is_greedy_search(toy, greedy, seed, end, sentences):
    toy.set_weights(seed, end=end)
    one, beam = (search(padded(sentences)) for search in greedy)
    for ours, theirs in zip(one, beam, strict=True):
        assert_array_equal(ours, theirs)


def test_no_shape_of_batch_is_traced_anew(toy, narrow, greedy):
    _, search, _, scorer = narrow
    for sentences in ([[EOS]], [[3, 4, 5, EOS], [6, EOS]], [[7, EOS]] * 9):
        found_here = search(padded(sentences))
        scorer(padded(sentences), found_here.tokens_BMT[:, 0])
        greedy[0](padded(sentences))
    for graph in (search._graph, scorer._graph, greedy[0]._graph):
        assert graph.experimental_get_tracing_count() == 1


def test_an_ensemble_averages_probabilities(tiny):
    cfg = SearchConfig(**WIDE)
    other, sentences = ToyModel(target_vocab=5).set_weights(8), [[4, 5, EOS], [6, 3, 3, EOS]]
    tiny.set_weights(7)
    hypotheses = BeamSearch(Ensemble([tiny, other]), cfg)(padded(sentences))
    for row, source in enumerate(sentences):
        twins = [Twin(model, source, cfg) for model in (tiny, other)]
        for rank, tokens in enumerate(found(hypotheses, row)):
            steps = [
                np.diff([0, *(twin.write(tokens[:n]).log_prob for n in range(1, len(tokens) + 1))]) for twin in twins
            ]
            expected = np.log(np.mean(np.exp(steps), axis=0)).sum()
            assert_allclose(hypotheses.log_prob_BM[row, rank], expected, rtol=2e-5, atol=1e-5)
            weights = np.mean([twin.write(tokens).weight_TS for twin in twins], axis=0)
            assert_allclose(hypotheses.weight_BMTS[row, rank, : len(tokens), : len(source)], weights, atol=1e-5)


def test_an_ensemble_of_one_model_twice_is_that_model(toy, greedy):
    toy.set_weights(11)
    source_BS = padded([[4, 5, EOS], [6, 3, 3, EOS], [EOS]])
    twice, once = GreedySearch(Ensemble([toy, toy]), greedy[0].cfg)(source_BS), greedy[0](source_BS)
    assert_array_equal(twice.tokens_BMT, once.tokens_BMT)
    assert_allclose(twice.score_BM, once.score_BM, atol=1e-5)
