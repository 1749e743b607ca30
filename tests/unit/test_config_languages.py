"""Which language a code names, and which tokenizer its text is scored by."""

from __future__ import annotations

import pytest

from nmt.config.data import FilesConfig
from nmt.config.languages import language_of
from nmt.config.metrics import BleuConfig, MetricsConfig, WmdConfig
from nmt.config.root import Config
from nmt.config.saved import dump, load_config
from nmt.metrics.wmd import stop_list, words_for

TAKEN = {
    "13a": ["en", "de", "fr", "vi", "tok", "x-private"],
    "zh": ["zh", "zh-CN", "zh_Hant", "ZH-Hans-CN", "zho_Hans", "yue", "tok.zh"],
    "ja-mecab": ["ja", "jpn_Jpan"],
    "ko-mecab": ["ko", "ko-KR"],
    "char": ["th", "tha_Thai", "lo", "km", "my", "mya_Mymr"],
}


@pytest.mark.parametrize(
    "code, language",
    [
        *(("de", "de"), ("de-AT", "de"), ("deu_Latn", "de"), ("tok.de", "de"), ("lc.norm.tok.de", "de"), ("DE", "de")),
        *(("zh-CN", "zh"), ("cmn-Hans", "zh"), ("pt_BR", "pt"), ("nn", "nb"), ("eo", "eo"), ("", "")),
    ],
)
def test_a_tag_begins_with_its_language_and_an_ending_ends_with_it(code, language):
    assert language_of(code) == language


@pytest.mark.parametrize("code, tokenizer", [(code, name) for name, codes in TAKEN.items() for code in codes])
def test_the_tokenizer_follows_the_target_language(code, tokenizer):
    config = Config(data=FilesConfig(tgt=code))
    assert (config.metrics.bleu.tokenize, config.metrics.wmd.tokenize) == (tokenizer, tokenizer)


@pytest.mark.parametrize("code", [*(codes[-1] for codes in TAKEN.values()), "no", "null", "1e3"])
def test_what_follows_is_saved_and_loaded(code):
    """Norwegian's code, too, which is false in YAML."""
    config = Config(data=FilesConfig(tgt=code))
    assert load_config(dump(config)) == config


def test_what_is_said_wins():
    said = MetricsConfig(bleu=BleuConfig(tokenize="none"), wmd=WmdConfig(tokenize="char"))
    config = Config(data=FilesConfig(tgt="zh"), metrics=said)
    assert (config.metrics.bleu.tokenize, config.metrics.wmd.tokenize) == ("none", "char")
    assert said.bleu.tokenize == "none"
    named = Config(data=FilesConfig(tgt="out", tgt_language="zh-CN"))
    assert (named.data.language, named.metrics.bleu.tokenize) == ("zh", "zh")


def test_the_words_of_the_mover_follow_it_too():
    assert words_for("我的狗", WmdConfig(), "zh-CN") == ["狗"]
    assert words_for("der Hund", WmdConfig(), "tok.de") == ["hund"]
    assert stop_list("auto", "zh-CN").name == "zh"
    assert stop_list("de-AT", "en") == stop_list("de", "en")


def test_each_tokenizer_that_is_chosen_is_one_of_sacrebleus():
    from sacrebleu.metrics.bleu import _TOKENIZERS

    assert TAKEN.keys() <= set(_TOKENIZERS)
