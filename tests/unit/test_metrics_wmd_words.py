"""Which words of a text carry mass."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import pytest

from nmt.config.metrics import WmdConfig
from nmt.errors import MetricError
from nmt.metrics.wmd import stop_list, tokens_of, vocabulary_of, words, words_for
from nmt.metrics.wmd.words import tokenizer, tokenizer_signature
from tests.unit.wmd_tools import PLAIN


@pytest.mark.parametrize(
    "language, dropped, kept",
    [
        ("en", ["the", "of", "don't", "is"], ["man", "men", "computer", "young", "Paris"]),
        ("de", ["der", "und", "nicht", "für"], ["Hund", "Frau"]),
        ("fr", ["le", "et", "dans", "à"], ["chien", "femme"]),
        ("cs", ["a", "na"], ["pes"]),
        ("es", ["el", "de"], ["perro"]),
    ],
)
def test_stop_lists_of_languages(language, dropped, kept):
    text = " ".join([*dropped, *kept])
    for cfg in (WmdConfig(stop_words=language), WmdConfig(stop_words="auto")):
        assert words_for(text, cfg, language) == [word.lower() for word in kept]
        assert stop_list(cfg.stop_words, language).name == language
        assert stop_list(cfg.stop_words, language).statement == ""


def test_a_language_without_a_list_says_so_and_keeps_every_word():
    chosen = stop_list("auto", "eo")
    assert chosen.name == "none-for-eo"
    assert chosen.statement == "there is no stop list for the language 'eo': every word counts"
    assert words_for("La hundo kaj la kato", WmdConfig(), "eo") == ["la", "hundo", "kaj", "la", "kato"]


def test_none_keeps_every_token():
    assert words_for("The dog: 3!", PLAIN, "en") == ["the", "dog", ":", "3", "!"]


@pytest.mark.parametrize("name, language", [("en", "en"), ("auto", "eo"), ("de", "en")])
def test_lists_drop_what_has_no_letter_and_no_digit(name, language):
    kept = words_for("Hundo – x3 ... o'clock, ½ 今 !?", WmdConfig(stop_words=name), language)
    assert kept == ["hundo", "x3", "o'clock", "½", "今"]


def test_the_list_of_2017_has_its_153_words_and_drops_nothing_else():
    chosen = stop_list("nltk-2017", "en")
    assert len(chosen.words) == 153
    assert {"i", "now", "wouldn", "ain"} <= chosen.words
    assert not {"don't", "man"} & chosen.words
    assert words_for("The dog, don't.", WmdConfig(stop_words="nltk-2017"), "en") == ["dog", ",", "don't", "."]


def test_a_list_whose_words_change_has_another_digest():
    digests = {stop_list(name, "en").digest for name in ("en", "de", "nltk-2017", "none")}
    assert len(digests) == 4
    assert stop_list("auto", "eo").digest == stop_list("none", "en").digest  # no words
    chosen = stop_list("de", "de")
    assert replace(chosen, words=chosen.words | {"neu"}).digest != chosen.digest


def test_a_list_that_is_asked_for_and_not_there_is_refused():
    with pytest.raises(MetricError) as caught:
        stop_list("eo", "en")
    assert str(caught.value).startswith("stop words: found 'eo', expected auto, none, nltk-2017 or one of ar, bg, ca, ")
    assert str(caught.value).endswith("; choose none for a language without a list.")


@pytest.mark.parametrize(
    "tokenize, text, tokens",
    [
        ("13a", "Don't stop, please.", ["don't", "stop", ",", "please", "."]),
        ("none", "Don't stop, please.", ["don't", "stop,", "please."]),
        ("intl", "Don't stop, please.", ["don", "'", "t", "stop", ",", "please", "."]),
        ("char", "ab c", ["a", "b", "c"]),
        ("zh", "今天很好 ok", ["今", "天", "很", "好", "ok"]),
    ],
)
def test_tokenizers(tokenize, text, tokens):
    assert tokens_of(text, WmdConfig(tokenize=tokenize), "en") == tokens


def test_casing():
    assert tokens_of("Der Hund", WmdConfig(lowercase=False), "de") == ["Der", "Hund"]
    assert words_for("Der Hund", WmdConfig(lowercase=False), "de") == ["Hund"]


def test_chinese_stop_words_meet_chinese_tokens():
    assert words_for("我的狗", WmdConfig(tokenize="zh"), "zh") == ["狗"]


@pytest.mark.skipif(importlib.util.find_spec("MeCab") is None, reason="sacrebleu[ja] is not installed")
def test_japanese_is_cut_by_mecab():
    cfg = WmdConfig(tokenize="ja-mecab", stop_words="ja")
    assert tokens_of("今日は良い天気です。", cfg, "ja") == ["今日", "は", "良い", "天気", "です", "。"]
    assert "良い" in words_for("今日は良い天気です。", cfg, "ja")
    assert "は" not in words_for("今日は良い天気です。", cfg, "ja")
    assert tokenizer_signature("ja-mecab").startswith("ja-mecab-")  # with the version of the dictionary


@pytest.mark.parametrize("tokenize, extra", [("ja-mecab", "ja"), ("ko-mecab", "ko")])
def test_tokenizers_of_other_packages_are_asked_for(tokenize, extra, monkeypatch):
    monkeypatch.setattr(f"sacrebleu.tokenizers.tokenizer_{extra}_mecab.MeCab", None)
    monkeypatch.setattr(words, "tokenizer", tokenizer.__wrapped__)  # without what earlier calls have kept
    with pytest.raises(MetricError) as caught:
        tokens_of("x", WmdConfig(tokenize=tokenize, stop_words="none"), "en")
    assert str(caught.value) == (
        f"metrics.wmd.tokenize: found {tokenize}, whose package is not installed, expected a tokenizer that can be "
        f"loaded; install sacrebleu[{extra}], or choose another tokenizer."
    )


def test_vocabulary_is_what_vectors_are_needed_for():
    assert vocabulary_of(["The dog", "a dog barks."], WmdConfig(), "en") == {"dog", "barks"}
