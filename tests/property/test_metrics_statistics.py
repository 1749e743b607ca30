"""Vectorised BLEU, chrF and TER beside sacreBLEU's, on any text."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sacrebleu.metrics import BLEU, CHRF, TER

from nmt.config.metrics import ChrfConfig, MetricsConfig
from nmt.metrics.bootstrap import resample_counts
from nmt.metrics.metric import Language, metric_class

sentence = st.lists(st.sampled_from(["ein", "Hund", "über", "a.", "b,", "c"]), max_size=9).map(" ".join)
pairs = st.lists(st.tuples(sentence, st.lists(sentence, min_size=1, max_size=3)), min_size=1, max_size=6)


@settings(deadline=None, max_examples=60)
@given(pairs=pairs, word_order=st.integers(0, 2))
def test_scores_and_scores_from_statistics_are_sacrebleus(pairs, word_order):
    hypotheses = [hypothesis for hypothesis, _ in pairs]
    references = [refs for _, refs in pairs]
    longest = max(map(len, references))
    streams = [[refs[k] if k < len(refs) else None for refs in references] for k in range(longest)]
    cfg = MetricsConfig(chrf=ChrfConfig(word_order=word_order))
    theirs = {"bleu": BLEU(), "chrf": CHRF(word_order=word_order), "chrfpp": CHRF(word_order=2), "ter": TER()}
    for name, their in theirs.items():
        metric = metric_class(name)(cfg, Language("de"))
        score = metric.score(hypotheses, references, 0)
        assert score.value == their.corpus_score(hypotheses, streams).score
        assert_allclose(metric.from_statistics(score.statistics_NF.sum(0, keepdims=True)), [score.value], rtol=1e-11)


@settings(deadline=None, max_examples=40)
@given(num=st.integers(1, 50), resamples=st.integers(1, 80), seed=st.integers(0, 2**32))
def test_each_resample_draws_as_many_sentences_as_there_are(num, resamples, seed):
    counts_KN = np.concatenate(list(resample_counts(num, resamples, seed)))
    assert counts_KN.shape == (resamples, num)
    assert (counts_KN.sum(axis=1) == num).all()
