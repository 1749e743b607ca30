# N rows, S source step, V vocabulary
"""One sentence in NumPy: the model's own numbers, and what the searches of batches find."""

from __future__ import annotations

from threading import Barrier, Thread

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from nmt.config.model import Attention, Cell
from nmt.config.search import Normalisation, SearchConfig
from nmt.data.subwords import Vocabularies
from nmt.model.seq2seq import Seq2Seq
from nmt.search.alone import AloneSearch, OneThread, alone_search, continuations
from nmt.search.beam import BeamSearch
from nmt.search.ensembles import Ensemble
from nmt.search.greedy import GreedySearch
from nmt.search.penalties import Divisors, length_penalty
from nmt.search.translate import Translator, listed
from tests.property.search_tools import BOS, EOS
from tests.unit.model_tools import TARGET_VOCAB, assign, model_of, padded, vocabularies
from tests.unit.model_twins import configs, random_filled, tiny_config, weight_shapes
from tests.unit.search_models import without_graphs
from tests.unit.test_search_translate import LETTERS

pytestmark = pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="it serves processors alone")
SOURCE = st.lists(st.integers(3, 7), max_size=6).map(lambda ids: [*ids, EOS])
SEARCHES = {
    "beam": SearchConfig(beam=3, nbest=2, max_extra=4),
    "all of a beam": SearchConfig(beam=4, nbest=4, max_ratio=1.0, max_extra=3, normalisation=Normalisation.gnmt),
    "greedy": SearchConfig(beam=1, max_extra=4, normalisation=Normalisation.none),
}


def alone(model, cfg: SearchConfig) -> AloneSearch:
    search = alone_search(model, cfg)
    assert search is not None
    return search


OURS = {name: config for name, config in configs().items() if config.attention is Attention.bahdanau}
MORE = {"stacked, residual, lstm": {"cell": Cell.lstm, "encoder_layers": 3, "decoder_layers": 2, "residual": True}}


@pytest.mark.parametrize("name, config", [*OURS.items(), *((name, tiny_config(**more)) for name, more in MORE.items())])
def test_a_step_gives_the_numbers_of_the_model(name, config):
    model, _ = model_of(config, dtype=tf.float32)
    twin, source, rows = alone(model, SearchConfig()).model, [4, 6, 5, EOS], np.array([0, 1, 0])
    read, memory = twin.encode(source), model.encode(padded([source] * 3))
    assert_allclose(read.states_SD, memory.states_BSD[0], atol=2e-6)
    state = tuple(tuple(part.repeat(2, axis=0) for part in layer) for layer in read.initial)
    states = memory.initial
    for token_N in ([BOS, BOS], [3, 5], [7, 3]):
        logits_NV, state, weight_NS = twin.step(np.array(token_N), state, read)
        logits, states, weights = model.step(tf.gather(tf.constant(token_N), rows), states, memory)
        assert_allclose(logits_NV[rows], logits, atol=1e-5)
        assert_allclose(weight_NS[rows], weights, atol=1e-5)
    tf.nest.map_structure(lambda ours, theirs: assert_allclose(ours[rows], theirs, atol=1e-5), state, states)


@without_graphs()
def test_a_normalised_and_deep_model_translates_alone_as_in_a_batch():
    model, _ = model_of(tiny_config(layer_norm=True, transition_depth=2), dtype=tf.float32)
    sources = [[3, EOS], [7, 4, 4, EOS], [EOS], [5, 6, 3, 7, 5, EOS]]
    ours = [alone(model, SEARCHES["beam"])(source) for source in sources]
    theirs = listed(BeamSearch(model, SEARCHES["beam"])(padded(sources)), sources)
    assert [[one.tokens for one in found] for found in ours] == [[one.tokens for one in found] for found in theirs]
    assert len({tuple(found[0].tokens) for found in ours}) > 1


@pytest.fixture(scope="module")
def model() -> Seq2Seq:
    return model_of(tiny_config(), dtype=tf.float32)[0]


@pytest.fixture(scope="module", params=SEARCHES)
def batched(model, request) -> BeamSearch | GreedySearch:
    cfg = SEARCHES[request.param]
    return GreedySearch(model, cfg) if cfg.beam == 1 else BeamSearch(model, cfg)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), end=st.sampled_from([-3.0, 0.0, 3.0]), source=SOURCE)
def test_one_sentence_is_translated_as_in_a_batch(model, batched, seed, end, source):
    weights = random_filled(weight_shapes(model.config, *vocabularies(model.config)), seed)
    weights["output/bias"][EOS] += end
    assign(model, weights)
    ours = alone(model, batched.cfg)(source)
    theirs = listed(batched(padded([source])), [source])[0]
    assert [one.tokens for one in ours] == [one.tokens for one in theirs]
    for mine, other in zip(ours, theirs, strict=True):
        assert_allclose([mine.score, mine.log_prob], [other.score, other.log_prob], atol=1e-5)
        assert_allclose(mine.weight_TS, other.weight_TS, atol=1e-5)


def test_the_best_words_of_two_prefixes_by_hand():
    prob_NV = np.array([[0.1, 0.1, 0.2, 0.4, 0.2], [0.5, 0.1, 0.1, 0.1, 0.2]], np.float32)
    before_N = np.log(np.array([0.25, 0.5], np.float32))
    row_K, word_K, log_prob_K = continuations(np.log(prob_NV), before_N, 2, last=False)
    assert sorted(zip(row_K.tolist(), word_K.tolist(), strict=True)) == [(0, 3), (1, 4)]  # PAD and BOS would be better
    assert_allclose(log_prob_K, np.log([0.1, 0.1]), rtol=1e-6)
    row_K, word_K, log_prob_K = continuations(np.log(prob_NV), before_N, 2, last=True)
    assert sorted(zip(row_K.tolist(), word_K.tolist(), strict=True)) == [(0, EOS), (1, EOS)]  # 0.05 each
    _, word_K, _ = continuations(np.log(prob_NV[:1]), before_N[:1], 3, last=False)
    assert word_K.tolist() == [3, EOS, 4]  # on a tie the smaller word
    assert len(continuations(np.log(prob_NV), before_N, 9, last=False)[0]) == 6


@pytest.mark.parametrize("normalisation", Normalisation)
def test_divisors_are_those_of_a_batch(normalisation):
    cfg = SearchConfig(normalisation=normalisation, max_source=10**8)  # nothing is as long as the longest line
    divisors = Divisors(cfg)
    lengths = [*range(400), 10**8]
    assert [divisors[length] for length in lengths] == length_penalty(tf.constant(lengths), cfg).numpy().tolist()


def test_weights_that_are_no_numbers_find_nothing(model):
    twin = alone(model, SearchConfig())
    twin.model.bias_V = np.full(TARGET_VOCAB, np.nan, np.float32)
    assert twin([4, EOS]) == []


@pytest.mark.parametrize("options", [{"samples": 2}, {"diversity": 0.5}, {"coverage": 0.1}])
def test_what_it_does_not_know_is_left_to_the_others(model, options):
    assert alone_search(model, SearchConfig(**options)) is None


def test_several_models_other_precisions_and_attentions_are_left_to_the_others(model):
    assert alone_search(model_of(tiny_config(attention=Attention.dot), dtype=tf.float32)[0], SearchConfig()) is None
    assert alone_search(Ensemble([model, model]), SearchConfig()) is None
    assert alone_search(model.computing_in(tf.bfloat16), SearchConfig()) is None


@pytest.mark.parametrize("number, asked", [(0, 0), (1, 1), (2, 2)])
def test_few_sentences_are_searched_one_by_one(number, asked, monkeypatch):
    model = Seq2Seq(tiny_config(), LETTERS.size, LETTERS.size, seed=1)
    translator = Translator(model, Vocabularies(LETTERS, LETTERS, True), SearchConfig(alone=number), fixed=True)
    counts = []
    monkeypatch.setattr(AloneSearch, "__call__", lambda self, source, piece_W: counts.append(source) or [])
    monkeypatch.setattr(translator, "_search", lambda source_BS, demands, piece_W: pytest.fail("in a batch"))
    if asked:
        translator._find([[4, EOS]] * asked, None)
        assert len(counts) == asked
    with pytest.raises(pytest.fail.Exception, match="in a batch"):
        translator._find([[4, EOS]] * (asked + 1), None)


def test_weights_that_may_change_are_not_taken_aside(model):
    translator = Translator(model, Vocabularies(LETTERS, LETTERS, True), SearchConfig())
    assert translator._alone is None


def test_of_two_threads_the_last_one_gives_blas_its_threads_back(monkeypatch):
    class Blas:
        threads = 4

        def limit(self, limits, user_api):
            assert (self.threads, limits, user_api) == (4, 1, "blas")
            self.threads = limits
            return self

        def restore_original_limits(self):
            self.threads = 4

    monkeypatch.setattr("nmt.search.alone.ThreadpoolController", Blas)
    one_thread, together, seen = OneThread(), Barrier(2, timeout=60), []
    blas = one_thread._controller

    def first():
        with one_thread:
            together.wait()
        seen.append(blas.threads)
        together.wait()

    def second():
        with one_thread:
            together.wait()
            together.wait()
            seen.append(blas.threads)

    threads = [Thread(target=first), Thread(target=second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (seen, blas.threads) == ([1, 1], 4)


def test_numbers_too_small_for_a_float_are_no_error(model):
    twin = alone(model, SearchConfig())
    twin.model.bias_V = np.array([0.0, 0.0, 0.0, *[-1000.0] * (TARGET_VOCAB - 3)], np.float32)
    with np.errstate(all="raise"):
        assert twin([4, EOS])[0].tokens == [EOS]
