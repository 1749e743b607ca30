"""BLEU, chrF, TER and results.json: by hand where that can be done, else beside sacreBLEU's public answer."""

from __future__ import annotations

import json
import logging

import numpy as np
import pytest
import sentencepiece
from numpy.testing import assert_allclose
from sacrebleu import sentence_bleu
from sacrebleu.metrics import BLEU, CHRF, TER

from nmt.config.metrics import METRICS, BleuConfig, ChrfConfig, MetricsConfig, TerConfig
from nmt.errors import MetricError
from nmt.metrics.bleu import Bleu
from nmt.metrics.bootstrap import Interval
from nmt.metrics.chrf import Chrf
from nmt.metrics.metric import Language, Score, Scorer, metric_class
from nmt.metrics.results import results
from tests.unit.metrics_tools import make_metric

HYPOTHESES = ["Ein Hund läuft über die Wiese.", "Zwei Männer spielen Fußball .", "", "Ja"]
REFERENCES = [
    ["Ein Hund rennt über die Wiese."],
    ["Zwei Männer spielen Fußball.", "Zwei Herren kicken."],
    ["Nichts."],
    ["Ja", "Doch"],
]
STREAMS = [[refs[k] if k < len(refs) else None for refs in REFERENCES] for k in range(2)]


def bleu_of(hypotheses, references, bootstrap=0, confidence=0.95, seed=12345, **options):
    metric = make_metric("bleu", bleu=BleuConfig(**options), confidence=confidence, seed=seed)
    return metric.score(hypotheses, references, bootstrap)


def chrf_of(hypotheses, references, bootstrap=0, confidence=0.95, seed=12345, **options):
    metric = make_metric("chrf", chrf=ChrfConfig(**options), confidence=confidence, seed=seed)
    return metric.score(hypotheses, references, bootstrap)


def test_bleu_by_hand():
    # a b c d e | a b c d f g: matches 4 of 5, 3 of 4, 2 of 3, 1 of 2; five words for six.
    score = bleu_of(["a b c d e"], [["a b c d f g"]])
    expected = 100 * np.exp(1 - 6 / 5) * (4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** 0.25
    assert score.value == pytest.approx(expected, abs=1e-9)
    assert score.content["ref_len"] == 6
    assert_allclose(score.statistics_NF, [[5, 6, 4, 3, 2, 1, 5, 4, 3, 2]])


def test_bleu_equals_sacrebleu_to_the_last_digit_with_several_references():
    metric = BLEU()
    expected = metric.corpus_score(HYPOTHESES, STREAMS)
    score = bleu_of(HYPOTHESES, REFERENCES)
    assert score.value == expected.score
    assert score.content["ref_len"] == expected.ref_len
    assert score.signature == str(metric.get_signature())
    assert "nrefs:var" in score.signature


def test_bleu_of_a_sentence_is_sacrebleus():
    """Of no word to five, right, wrong and partly, by one reference and two."""
    hypotheses = [*HYPOTHESES, "a b c", "a x c", "a", "x", "a b c d e", "a b c d x"]
    references = [*REFERENCES, ["a b c"], ["a b c"], ["a b c", "a d"], ["a"], ["a b c d e f"], ["a b c d e", "x"]]
    found = Bleu.of_sentences(bleu_of(hypotheses, references).statistics_NF)
    expected = [sentence_bleu(line, several).score for line, several in zip(hypotheses, references, strict=True)]
    assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    assert found[4] == pytest.approx(100)  # a b c: one, two and three words, by hand


@pytest.mark.parametrize("tokenize", ["13a", "none", "intl", "char", "zh"])
def test_bleu_tokenizers_are_sacrebleus(tokenize):
    metric = BLEU(tokenize=tokenize)
    expected = metric.corpus_score(HYPOTHESES, STREAMS).score
    score = bleu_of(HYPOTHESES, REFERENCES, tokenize=tokenize)
    assert score.value == expected
    assert f"tok:{tokenize}" in score.signature


@pytest.mark.parametrize(("lowercase", "case", "expected"), [(True, "case:lc", 100.0), (False, "case:mixed", 0.0)])
def test_bleu_lowercase(lowercase, case, expected):
    score = bleu_of(["A B C D"], [["a b c d"]], lowercase=lowercase)
    assert score.value == pytest.approx(expected)
    assert case in score.signature


@pytest.mark.parametrize("tokenize", ["ja-mecab", "ko-mecab"])
def test_a_tokenizer_without_its_package_says_what_to_install(tokenize, monkeypatch):
    monkeypatch.setattr(f"sacrebleu.tokenizers.tokenizer_{tokenize.replace('-', '_')}.MeCab", None)
    with pytest.raises(MetricError) as caught:
        Bleu(MetricsConfig(bleu=BleuConfig(tokenize=tokenize)), Language("ja"))  # before anything is translated
    assert str(caught.value) == (
        f"metrics.bleu.tokenize: found {tokenize}, whose package is not installed, expected a tokenizer that can be "
        f"loaded; install sacrebleu[{tokenize[:2]}], or choose another tokenizer."
    )


@pytest.mark.parametrize(
    "tokenize, file", [("flores101", "sacrebleu_tokenizer_spm.model"), ("flores200", "flores200sacrebleuspm")]
)
def test_a_tokenizer_whose_model_is_a_file_needs_that_file(tokenize, file, tmp_path, monkeypatch):
    """Without it nothing is downloaded; with it (here a model of a few words) BLEU is sacreBLEU's."""
    monkeypatch.setattr("sacrebleu.tokenizers.tokenizer_spm.SACREBLEU_DIR", str(tmp_path))
    model = tmp_path / "models" / file
    with pytest.raises(MetricError) as caught:
        Bleu(MetricsConfig(bleu=BleuConfig(tokenize=tokenize)), Language("de"))
    assert str(caught.value) == (
        f"metrics.bleu.tokenize: found {tokenize}, whose model is not in {model}, expected that file, since nothing is "
        f"downloaded for a score; let sacreBLEU's own command fetch it once (sacrebleu REFERENCE -i OUTPUT "
        f"--tokenize {tokenize}), or choose another."
    )
    model.parent.mkdir()
    for broken in (b"", b"x"):
        model.write_bytes(broken)
        with pytest.raises(MetricError, match=r"cannot be read from .*; remove it and let .* fetch it again"):
            Bleu(MetricsConfig(bleu=BleuConfig(tokenize=tokenize)), Language("de"))
    text = iter([line for line in HYPOTHESES if line] * 5)
    with model.open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=text, model_writer=file, vocab_size=60, hard_vocab_limit=False, minloglevel=2
        )
    score = bleu_of(HYPOTHESES, REFERENCES, tokenize=tokenize)
    assert score.value == BLEU(tokenize=tokenize).corpus_score(HYPOTHESES, STREAMS).score
    assert f"tok:{tokenize}" in score.signature


def test_tokenised_text_is_scored_without_a_warning(caplog):
    with caplog.at_level(logging.WARNING):
        bleu_of(["a dog ."] * 150, [["a dog ."]] * 150, tokenize="none")
        chrf_of(["a dog ."] * 150, [["a dog ."]] * 150)
    assert not caplog.records


def test_chrf_by_hand():
    # ab | abc: order 1 has 2 of 2 and 2 of 3, order 2 has 1 of 1 and 1 of 2; the hypothesis has no 3-gram.
    score = chrf_of(["ab"], [["abc"]])
    precision, recall = 1.0, (2 / 3 + 1 / 2) / 2
    assert score.value == pytest.approx(100 * 5 * precision * recall / (4 * precision + recall), abs=1e-9)


@pytest.mark.parametrize("word_order", [0, 1, 2])
def test_chrf_equals_sacrebleu_to_the_last_digit(word_order):
    metric = CHRF(word_order=word_order)
    expected = metric.corpus_score(HYPOTHESES, STREAMS).score
    score = chrf_of(HYPOTHESES, REFERENCES, word_order=word_order)
    assert score.value == expected
    assert score.signature == str(metric.get_signature())
    assert f"nw:{word_order}" in score.signature


@pytest.mark.parametrize("score_of", [bleu_of, chrf_of])
def test_an_interval_is_sacrebleus_and_named_in_the_signature(score_of):
    num = 40
    hypotheses = [f"w{i} a b c d e {'f g' if i % 3 else 'x y'} w{i % 7}" for i in range(num)]
    references = [[f"w{i} a b c d e f g w{i % 5}"] for i in range(num)]
    metric = BLEU() if score_of is bleu_of else CHRF()
    expected = metric.corpus_score(hypotheses, [[refs[0] for refs in references]], n_bootstrap=200)
    score = score_of(hypotheses, references, bootstrap=200)
    assert score.interval.confidence == 0.95
    assert (score.interval.high - score.interval.low) / 2 == pytest.approx(expected._ci, abs=1e-3)  # float32 there
    assert score.interval.low < score.value < score.interval.high
    assert "bs:200|seed:12345" in score.signature
    assert score_of(hypotheses, references).interval is None


@pytest.mark.parametrize(
    ("score_of", "from_statistics"), [(bleu_of, Bleu.from_statistics), (chrf_of, Chrf.from_statistics)]
)
def test_a_score_follows_from_its_statistics(score_of, from_statistics):
    score = score_of(HYPOTHESES, REFERENCES)
    assert_allclose(from_statistics(score.statistics_NF.sum(0, keepdims=True)), [score.value], rtol=1e-12)


@pytest.mark.parametrize("hypothesis", ["", "x", "x y z", "x y z a", "a"])
@pytest.mark.parametrize("reference", ["", "a", "a b c d e"])
def test_statistics_without_matches_or_words_score_as_sacrebleu_does(hypothesis, reference):
    for score_of, from_statistics in ((bleu_of, Bleu.from_statistics), (chrf_of, Chrf.from_statistics)):
        score = score_of([hypothesis], [[reference]])
        assert_allclose(from_statistics(score.statistics_NF), [score.value], rtol=1e-12)


@pytest.mark.parametrize(("score_of", "name"), [(bleu_of, "BLEU"), (chrf_of, "chrF")])
def test_what_cannot_be_scored_is_said_in_one_sentence(score_of, name):
    with pytest.raises(MetricError) as caught:
        score_of(["a", "b"], [["a"]])
    assert str(caught.value) == (
        f"{name}: found 2 translations and references for 1 sentence, expected as many of one as of the other; "
        "score the translations against the test set they were made from."
    )
    with pytest.raises(MetricError) as caught:
        score_of([], [])
    assert str(caught.value) == (f"{name}: found no sentences, expected at least 1; give a test set that is not empty.")
    with pytest.raises(MetricError) as caught:
        score_of(["a", "b"], [["a"], []])
    assert str(caught.value) == (
        f"{name}, sentence 2: found no reference, expected at least 1; "
        "give each sentence a reference, which may be an empty line."
    )


def similarity(value: float, distance: float | None, interval: Interval | None) -> Score:
    content = {"similarity": value, "distance": distance, "coverage": 0.9, "signature": "wmd|v1"}
    return Score(value, "wmd|v1", np.zeros((2, 2)), content, interval)


def results_of(wmd, bootstrap, **options):
    return results(
        checkpoint="runs/a/best.h5",
        data="captions test",
        sentences=2,
        seconds=1.23456,
        scores={
            "bleu": bleu_of(["a b c d", "a b c d"], [["a b c d"], ["a b c d"]], bootstrap, **options),
            "chrf": chrf_of(["a b c d", "a b c d"], [["a b c d"], ["a b c d"]], bootstrap, **options),
            "wmd": wmd,
        },
        cfg=MetricsConfig(**options),
    )


def test_results_without_leaked_sentences_are_the_scores_of_the_others():
    lines, references = ["a b c d e", "x y", "a b c e d"], [["a b c d e"], ["x y"], ["a b c d e"]]
    scores = {"bleu": bleu_of(lines, references, 0)}
    about = {"checkpoint": "a", "data": "b", "sentences": 3, "seconds": 0.0, "scores": scores, "cfg": MetricsConfig()}
    assert "leaked" not in results(**about)
    others = bleu_of([lines[0], lines[2]], [references[0], references[2]], 0).value
    assert others < 100
    assert results(**about, leaked=[1])["leaked"] == {"sentences": 1, "without": {"bleu": pytest.approx(others)}}
    assert results(**about, leaked=[0, 1, 2])["leaked"] == {"sentences": 3, "without": {"bleu": None}}


def test_results_have_the_layout_of_the_contract():
    found = results_of(similarity(0.5, 0.7, Interval(0.5, 0.5)), bootstrap=100)
    assert list(found) == ["checkpoint", "data", "sentences", "seconds", "bleu", "chrf", "wmd"]
    assert list(found["bleu"]) == ["score", "signature", "ref_len", "ci95"]
    assert list(found["chrf"]) == ["score", "signature", "ci95"]
    assert found["wmd"] == {
        "similarity": 0.5,
        "distance": 0.7,
        "coverage": 0.9,
        "signature": "wmd|v1",
        "ci95": [0.5, 0.5],
    }
    assert found["bleu"]["ci95"] == pytest.approx([100.0, 100.0])
    assert found["seconds"] == 1.235
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_results_without_interval_or_distance_have_null():
    found = results_of(similarity(0.0, None, None), bootstrap=0)
    assert found["bleu"]["ci95"] is found["chrf"]["ci95"] is found["wmd"]["ci95"] is None
    assert found["wmd"]["distance"] is None
    json.dumps(found, allow_nan=False)


def test_an_interval_of_another_confidence_is_not_called_ci95():
    found = results_of(similarity(0.5, 0.7, Interval(0.4, 0.6, 0.9)), bootstrap=50, confidence=0.9)
    assert "ci90" in found["wmd"]
    assert "ci95" not in found["wmd"]
    assert bleu_of(["a"], [["a"]], bootstrap=50, confidence=0.9).interval == Interval(0.0, 0.0, 0.9)


# ---- TER and chrF++


def test_ter_by_hand():
    # c is put before b (one shift), e is left out: two edits of five words; the other sentence needs none of three.
    metric = make_metric("ter")
    score = metric.score(["a c b d", "x y z"], [["a b c d e"], ["x y z"]], 0)
    assert_allclose(score.statistics_NF, [[2, 5], [0, 3]])
    assert score.value == pytest.approx(100 * 2 / 8)
    assert (score.content["num_edits"], score.content["ref_len"]) == (2, 8.0)


@pytest.mark.parametrize(
    "options",
    [{}, {"normalized": True}, {"no_punct": True, "asian_support": True}, {"case_sensitive": True}],
)
def test_ter_equals_sacrebleu_to_the_last_digit(options):
    expected = TER(**options)
    score = make_metric("ter", ter=TerConfig(**options)).score(HYPOTHESES, REFERENCES, 0)
    assert score.value == expected.corpus_score(HYPOTHESES, STREAMS).score
    assert score.signature == str(expected.get_signature())
    total_KF = score.statistics_NF.sum(0, keepdims=True)
    assert_allclose(make_metric("ter").from_statistics(total_KF), [score.value], rtol=1e-12)


def test_chrf_plus_plus_is_chrf_with_words():
    score = make_metric("chrfpp").score(HYPOTHESES, REFERENCES, 0)
    assert score.value == chrf_of(HYPOTHESES, REFERENCES, word_order=2).value
    assert "nw:2" in score.signature


@pytest.mark.parametrize(("hypothesis", "reference"), [("", ""), ("a", ""), ("", "a"), ("a", "b"), ("a", "a")])
def test_every_metric_keeps_to_its_range(hypothesis, reference):
    for name, facts in METRICS.items():
        if not facts.needs_vectors:
            metric = make_metric(name)
            score = metric.score([hypothesis], [[reference]], 0)
            assert 0 <= score.value <= facts.figure.most
            assert_allclose(metric.from_statistics(score.statistics_NF), [score.value], rtol=1e-12)
            assert (score.value, score.signature) == (score.content[facts.value], score.content["signature"])
            assert facts.remark.format(**score.content) is not None


def test_what_is_not_reported_is_not_computed(monkeypatch):
    def nothing(name):
        assert name == "ter", f"{name} was not asked for"
        return metric_class(name)

    monkeypatch.setattr("nmt.metrics.metric.metric_class", nothing)
    scores = Scorer(MetricsConfig(report=["ter"]), Language("de")).score(["a"], [["a"]], 0)
    assert list(scores) == ["ter"]
