"""A choice by agreement is what sacreBLEU's own sentence scores, all pairs of them, choose."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from nmt.config.metrics import BleuConfig, ChrfConfig
from nmt.metrics.likeness import BleuLikeness, ChrfLikeness
from nmt.search.mbr import by_agreement, expected_utility
from nmt.search.translation import Translation

TEXTS = [
    "a man rides a red bike .",
    "a man is riding a red bike .",
    "the man rides his bike down the street .",
    "two dogs run",
    "a",
    "",
    "Ein Mann, der fährt; 3.5 km!",
    "a man a man a man",
]


def sentence(text: str, log_prob: float) -> Translation:
    return Translation(text, log_prob, [4], None, [], [], log_prob)


@pytest.mark.parametrize("lowercase", [False, True])
@pytest.mark.parametrize("tokenize", ["13a", "none", "char"])
def test_bleu_of_each_pair_is_that_of_sacrebleu(tokenize, lowercase):
    likeness = BleuLikeness(TEXTS, BleuConfig(tokenize=tokenize, lowercase=lowercase))
    metric = BLEU(tokenize=tokenize, lowercase=lowercase, effective_order=True, force=True)
    for number, reference in enumerate(TEXTS):
        expected = [metric.sentence_score(text, [reference]).score / 100 for text in TEXTS]
        assert_allclose(likeness(number, np.arange(len(TEXTS))), expected, atol=1e-12)


def test_chrf_of_each_pair_is_that_of_sacrebleu():
    likeness, metric = ChrfLikeness(TEXTS, ChrfConfig()), CHRF()
    for number, reference in enumerate(TEXTS):
        expected = [metric.sentence_score(text, [reference]).score / 100 for text in TEXTS]
        assert_allclose(likeness(number, np.arange(len(TEXTS))), expected, atol=1e-12)


def test_pruning_drops_only_what_cannot_win():
    rng = np.random.default_rng(3)
    for _ in range(200):
        matrix_CC, weight_C = rng.random((9, 9)), rng.dirichlet(np.ones(9))
        brute_C = matrix_CC @ weight_C
        asked = []

        def likeness(reference, rows, matrix_CC=matrix_CC, asked=asked):
            asked.append(len(rows))
            return matrix_CC[rows, reference]

        pruned_C = expected_utility(weight_C, likeness)
        assert pruned_C.argmax() == brute_C.argmax()
        kept_C = np.isfinite(pruned_C)
        assert_allclose(pruned_C[kept_C], brute_C[kept_C])
        assert sum(asked) < 81
        assert_allclose(expected_utility(weight_C, likeness, prune=False), brute_C)


def test_samples_count_as_often_as_they_were_drawn_and_the_n_best_by_probability():
    def alike(texts):
        return lambda reference, rows: np.array([float(texts[row] == texts[reference]) for row in rows])

    drawn = [sentence("a", -1.0), sentence("b", -2.0), sentence("b", -2.0)]
    assert [one.text for one in by_agreement(drawn, alike, drawn=True)] == ["b", "a"]
    assert [one.text for one in by_agreement(drawn, alike, drawn=False)] == ["a", "b"]  # e^-1 > 2 e^-2
    assert by_agreement(drawn, alike, drawn=True)[0].log_prob == -2.0


def test_the_choice_is_that_of_brute_force():
    translations = [sentence(text, -0.3 * number) for number, text in enumerate(TEXTS)]
    metric = CHRF()
    prob = np.exp([one.log_prob for one in translations])
    brute = [sum(p * metric.sentence_score(a, [b]).score for b, p in zip(TEXTS, prob, strict=True)) for a in TEXTS]
    chosen = by_agreement(translations, lambda texts: ChrfLikeness(texts, ChrfConfig()), drawn=False)
    assert chosen[0].text == TEXTS[int(np.argmax(brute))]
    assert sorted(one.text for one in chosen) == sorted(TEXTS)
