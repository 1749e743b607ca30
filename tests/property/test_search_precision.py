# B batch, M hypotheses, T target step, V vocabulary
"""Rules, samples and choices by agreement with several models at once and in bfloat16: against all sentences.

The probabilities of all sentences come from the same models, forced to write them. In bfloat16 a product's last bit may
depend on how many rows it has; what is asked is then the set of sentences, and scores within that rounding.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose
from sacrebleu.metrics.chrf import CHRF
from scipy.stats import chisquare

from nmt.config.metrics import ChrfConfig
from nmt.config.search import Normalisation, SearchConfig, Utility
from nmt.config.subword import SubwordKind
from nmt.data.subwords import Vocabularies
from nmt.data.words import ListedSubwords
from nmt.metrics.likeness import ChrfLikeness
from nmt.search.beam import BeamSearch
from nmt.search.ensembles import Ensemble
from nmt.search.likelihood import Scorer
from nmt.search.rules import Demands, Rules
from nmt.search.sampling import SampleSearch
from nmt.search.translate import Translator
from tests.property.search_tools import EOS, UNK, found, padded
from tests.unit.model_tools import TARGET_VOCAB, model_of
from tests.unit.model_twins import tiny_config

WORDS = range(UNK, TARGET_VOCAB)
BEGINS_V = np.array([False] * 3 + [True] * 4 + [False])  # 7 goes on with a word
SOURCE = [4, 7, 5, EOS]
LIMIT = 4
TEXTS = [(*text, EOS) for length in range(LIMIT) for text in product(WORDS, repeat=length)]
ROUNDING = 0.06  # of a sentence's log-probability in bfloat16
LETTERS = ListedSubwords(SubwordKind.characters, list("abcd"))
CFG = {"max_ratio": 0.0, "max_extra": LIMIT, "normalisation": Normalisation.none}


@pytest.fixture(scope="module")
def several() -> Ensemble:
    """Two models, their products in bfloat16."""
    models = [model_of(tiny_config(), seed, tf.float32)[0] for seed in (3, 4)]
    for model in models:
        model.output.bias_V.assign_add([-30.0, -30.0, *[0.0] * (TARGET_VOCAB - 2)])  # what no search writes
    return Ensemble([model.computing_in(tf.bfloat16) for model in models])


@pytest.fixture(scope="module")
def log_probs(several) -> dict[tuple[int, ...], np.ndarray]:
    """The log-probability of each piece of every sentence."""
    scored = Scorer(several, SearchConfig(**CFG))(padded([SOURCE] * len(TEXTS)), padded([list(t) for t in TEXTS]))
    return {text: row[: len(text)] for text, row in zip(TEXTS, scored.log_prob_BT.numpy(), strict=True)}


def has(text, phrase, whole: bool = False) -> bool:
    ends = [i + len(phrase) for i in range(len(text)) if text[i : i + len(phrase)] == phrase]
    return any(not whole or BEGINS_V[text[end]] or text[end] == EOS for end in ends)


def parts(text, size: int) -> list[tuple[int, ...]]:
    return [text[i : i + size] for i in range(len(text) - size)]  # without the end mark


LAWS = {
    "begins, never, length, repeats": (
        {"min_length": 2, "no_repeat": 1},
        Demands(*(np.array(part, np.int32) for part in ([[4]], np.zeros((1, 0, 0)), [[[5, 6], [3, 0]]]))),
        lambda text: (
            text[0] == 4
            and not has(text, (5, 6))
            and not has(text, (3,))
            and len(text) > 2
            and len(set(parts(text, 1))) == len(text) - 1
        ),
    ),
    "must, never": (
        {},
        Demands(*(np.array(part, np.int32) for part in (np.zeros((1, 0)), [[[5, 6], [4, 0]]], [[[3]]]))),
        lambda text: has(text, (5, 6), whole=True) and has(text, (4,), whole=True) and not has(text, (3,)),
    ),
}


@pytest.mark.long
@pytest.mark.parametrize("law", LAWS)
def test_rules_leave_what_they_leave_of_all_sentences(several, log_probs, law):
    options, demands, lawful = LAWS[law]
    cfg = SearchConfig(beam=len(TEXTS), nbest=len(TEXTS), **CFG, **options)
    hypotheses = BeamSearch(several, cfg, rules=Rules(BEGINS_V, cfg.min_length, cfg.no_repeat))(
        padded([SOURCE]), demands
    )
    texts = found(hypotheses, 0)
    assert sorted(texts) == sorted(text for text in TEXTS if lawful(text))
    expected = [log_probs[text].sum() for text in texts]
    assert_allclose(hypotheses.log_prob_BM[0, : len(texts)], expected, atol=ROUNDING)
    assert (np.diff(hypotheses.score_BM[0, : len(texts)]) <= 0).all()


def test_samples_come_as_often_as_they_are_likely(several, log_probs):
    cfg = SearchConfig(samples=4_000, **CFG)
    texts = found(SampleSearch(several, cfg)(padded([SOURCE])), 0)
    # The end mark of the longest sentences is not drawn: nothing else may follow.
    prob = np.array([np.exp(log_probs[text][: LIMIT - 1].sum(dtype=np.float64)) for text in TEXTS])
    assert prob.sum() == pytest.approx(1, abs=ROUNDING)
    usual = np.flatnonzero(prob * cfg.samples >= 10)
    counts = [texts.count(TEXTS[place]) for place in usual]
    counted = [*counts, cfg.samples - sum(counts)]
    share = [*prob[usual], prob.sum() - prob[usual].sum()]
    assert len(usual) > 10
    assert chisquare(counted, cfg.samples * np.array(share) / np.sum(share)).pvalue > 0.001


@pytest.mark.long
@pytest.mark.parametrize("options", [{"beam": 6}, {"samples": 12, "seed": 5}], ids=["beam", "samples"])
def test_agreement_is_that_of_all_pairs(several, options):
    both = Vocabularies(LETTERS, LETTERS, joint=True)
    width = options.get("samples", 6)
    plain = Translator(several, both, SearchConfig(nbest=width, **CFG, **options)).translate(["abc"])[0]
    cfg = SearchConfig(nbest=1, mbr=Utility.chrf, **CFG, **options)
    chosen = Translator(several, both, cfg, likeness_of=lambda texts: ChrfLikeness(texts, ChrfConfig())).translate(
        ["abc"]
    )[0]
    weights = [1.0 if cfg.samples else np.exp(one.log_prob) for one in plain]
    utility = {
        one.text: sum(
            w * CHRF().sentence_score(one.text, [other.text]).score for w, other in zip(weights, plain, strict=True)
        )
        for one in plain
    }
    assert len(utility) > 2
    assert utility[chosen[0].text] == pytest.approx(max(utility.values()))
