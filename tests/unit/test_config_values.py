"""Impossible values of every dataclass, each with its sentence."""

from __future__ import annotations

import pytest

from nmt.config.data import CaptionsConfig, DataConfig, FilesConfig, MixtureConfig, Multi30kConfig
from nmt.config.metrics import TOKENIZERS, BleuConfig, ChrfConfig, MetricsConfig, WmdConfig
from nmt.config.model import Attention, ModelConfig, Tie
from nmt.config.root import Config
from nmt.config.search import SearchConfig
from nmt.config.subword import SubwordConfig, SubwordKind
from nmt.config.train import EarlyStoppingConfig, StopMetric, TrainConfig
from nmt.errors import ConfigError

GOOD = "the default is a good start."


def _sentence(kind, values):
    with pytest.raises(ConfigError) as caught:
        kind(**values)
    return str(caught.value)


CASES = [
    (
        DataConfig,
        {"max_length": 0},
        "data.max_length: found 0, expected at least 1; say how many subwords a sentence may have.",
    ),
    (DataConfig, {"max_ratio": 0.5}, "data.max_ratio: found 0.5, expected at least 1; 9 keeps all but broken pairs."),
    *(
        (
            FilesConfig,
            {"tests": {name: "P"}},
            f"data.tests: found '{name}', expected a name of letters, digits, '-' and "
            "'_' other than dev and test; rename the test set: it becomes part of a file name.",
        )
        for name in ("dev", "test", "", "a/b", "-_", "a b")
    ),
    (
        CaptionsConfig,
        {"tgt": "fr"},
        "data.src, data.tgt: found en, fr, expected en, de (all that the embedded grammar "
        "writes); use data=files for another pair of languages.",
    ),
    *(
        (CaptionsConfig, {key: 0}, f"data.{key}: found 0, expected at least 1; the default is a good size.")
        for key in ("train_pairs", "dev_pairs", "test_pairs")
    ),
    *(
        (
            CaptionsConfig,
            {key: "P"},
            "data.train, data.dir: found P, expected neither with data=captions, which is "
            "written, not read; use data=files for a corpus of your own.",
        )
        for key in ("train", "dir")
    ),
    (
        Multi30kConfig,
        {"train": "P"},
        "data.train: found P, expected nothing with data=multi30k, which has its own "
        "training set; use data=files for a corpus of your own.",
    ),
    (
        MixtureConfig,
        {"train": "P"},
        "data.train: found P, expected nothing with data=mixture; name the training corpora in data.corpora.",
    ),
    (
        MixtureConfig,
        {"corpora": {"a": "P"}, "ratio": {"b": 1}},
        "data.ratio: found ['b'], expected one entry for each of data.corpora (['a']); give each corpus its parts.",
    ),
    *(
        (
            MixtureConfig,
            {"corpora": {"a": "P"}, "ratio": {"a": part}},
            f"data.ratio: found {{'a': {part}}}, expected integers of at least 0, not all 0; 217 and 124 mean 7 : 4.",
        )
        for part in (0, -1)
    ),
    (
        SubwordConfig,
        {"size": 4},
        "subword.size: found 4, expected at least 5 (four special pieces and one of text); "
        "8000 is usual for 30,000 pairs.",
    ),
    *(
        (
            SubwordConfig,
            {"kind": SubwordKind.bpe, "sampling": rate},
            f"subword.sampling: found {rate}, expected 0 <= sampling < 1; 0.1 is usual, 0 is off.",
        )
        for rate in (-0.1, 1)
    ),
    *(
        (
            SubwordConfig,
            {"kind": kind, "sampling": 0.1},
            f"subword.sampling: found 0.1, expected 0 with subword.kind="
            f"{kind.value}, which has one segmentation; choose subword=bpe or subword=unigram.",
        )
        for kind in (SubwordKind.words, SubwordKind.characters)
    ),
    (SubwordConfig, {"min_count": 0}, "subword.min_count: found 0, expected at least 1; 1 keeps every word."),
    *(
        (ModelConfig, {key: 0}, f"model.{key}: found 0, expected at least 1; see configs/model for sizes that work.")
        for key in ("embedding", "encoder_units", "encoder_layers", "units", "decoder_layers", "attention_units")
    ),
    *(
        (
            ModelConfig,
            {key: rate},
            f"model.{key}: found {rate}, expected 0 <= rate < 1; 0.3 is usual for small corpora.",
        )
        for key in ("dropout_embedding", "dropout_state", "dropout_output")
        for rate in (-0.1, 1)
    ),
    (
        ModelConfig,
        {"attention": Attention.dot, "units": 8, "encoder_units": 8},
        "model.attention: found dot, expected "
        "model.units = 2 * model.encoder_units (16), got 8; match the widths or use luong_general.",
    ),
    (
        ModelConfig,
        {"output_units": 0},
        "model.output_units: found 0, expected at least 1, or null for the width of an embedding; "
        "null is a good start.",
    ),
    (
        ModelConfig,
        {"output_units": 512, "tie": Tie.target},
        "model.output_units: found 512, expected null or model.embedding (256), whose table the output shares "
        "(model.tie); leave it out or set model.tie=none.",
    ),
    (
        Config,
        {"model": ModelConfig(tie=Tie.all)},
        "model.tie: found all, expected subword.joint=true (one vocabulary, "
        "one table); set subword.joint=true or model.tie=target.",
    ),
    *(
        (SearchConfig, {key: 0}, f"search.{key}: found 0, expected at least 1; {GOOD}")
        for key in ("beam", "nbest", "batch_tokens", "max_source", "max_extra")
    ),
    (SearchConfig, {"beam": 2, "nbest": 3}, "search.nbest: found 3, expected at most search.beam (2); widen the beam."),
    *(
        (SearchConfig, {key: -1}, f"search.{key}: found -1, expected at least 0; {GOOD}")
        for key in ("alpha", "coverage", "max_ratio")
    ),
    *(
        (TrainConfig, {key: 0}, f"train.{key}: found 0, expected at least 1; {GOOD}")
        for key in ("max_steps", "batch_tokens", "validate_every", "save_every", "log_every", "plateau_patience")
    ),
    *(
        (TrainConfig, {key: -1}, f"train.{key}: found -1, expected at least 0; {GOOD}")
        for key in ("keep", "threads", "warmup_steps", "clip_norm", "weight_decay", "min_learning_rate")
    ),
    *(
        (TrainConfig, {key: value}, f"train.{key}: found {value}, expected 0 <= value < 1; {GOOD}")
        for key in ("label_smoothing", "average", "beta1", "beta2")
        for value in (-0.1, 1)
    ),
    *(
        (
            TrainConfig,
            {"plateau_factor": value},
            f"train.plateau_factor: found {value}, expected 0 < factor < 1; 0.5 is usual.",
        )
        for value in (0, 1)
    ),
    *(
        (TrainConfig, {key: 0}, f"train.{key}: found 0, expected more than 0; {GOOD}")
        for key in ("learning_rate", "epsilon")
    ),
    (
        TrainConfig,
        {"warmup_steps": 9, "max_steps": 9},
        "train.warmup_steps: found 9, expected 0 <= warmup_steps < "
        "train.max_steps (9); shorten the warm-up or train longer.",
    ),
    (
        TrainConfig,
        {"learning_rate": 0.1, "min_learning_rate": 0.2},
        "train.min_learning_rate: found 0.2, expected at most train.learning_rate (0.1); lower it or raise the rate.",
    ),
    (
        TrainConfig,
        {"max_hours": 0},
        "train.max_hours: found 0, expected more than 0, or null for no limit; 1.25 is 75 minutes.",
    ),
    *(
        (
            TrainConfig,
            {"usd_per_hour": 1, key: value},
            f"train.{key}: found {value}, expected more than 0, or null {what}; 0.526 is 52.6 US cents.",
        )
        for key, what in (("usd_per_hour", "for an unknown price"), ("max_usd", "for no limit"))
        for value in (0, -1)
    ),
    (
        TrainConfig,
        {"max_usd": 5.0},
        "train.max_usd: found 5.0 without a price, expected train.usd_per_hour beside it; "
        "say what the machine costs an hour, such as train.usd_per_hour=0.526.",
    ),
    (
        TrainConfig,
        {"batch_sentences": 0},
        "train.batch_sentences: found 0, expected at least 1, or null to count tokens; 80 is usual.",
    ),
    (
        TrainConfig,
        {"devices": 2},
        "train.devices: found 2 with train.distribution=one, expected 0 or 1; "
        "use train.devices=0, or train.distribution=mirrored for several devices of this machine.",
    ),
    (TrainConfig, {"devices": -1}, f"train.devices: found -1, expected at least 0; {GOOD}"),
    *(
        (
            TrainConfig,
            {key: 0},
            f"train.{key}: found 0, expected at least 1, or null to compute a batch at once; "
            "take the largest that fits into memory.",
        )
        for key in ("micro_batch_sentences", "micro_batch_tokens")
    ),
    (
        TrainConfig,
        {"micro_batch_gb": -1},
        "train.micro_batch_gb: found -1, expected at least 0, or null to compute a batch at once; "
        "use 0 for what the device has free.",
    ),
    (
        TrainConfig,
        {"batch_sentences": 83, "micro_batch_sentences": 50},
        "train.micro_batch_sentences: found 50 with train.batch_sentences=83, whose largest divisor that fits is 1, "
        "expected a divisor from 25 to 50; use train.batch_sentences=82 (micro-batches of 41).",
    ),
    (
        EarlyStoppingConfig,
        {"patience": -1},
        "train.early_stopping: found patience -1, min_delta 0.0, expected both at "
        "least 0; patience 0 never stops early.",
    ),
    (
        EarlyStoppingConfig,
        {"min_delta": -1},
        "train.early_stopping: found patience 0, min_delta -1, expected both at least 0; patience 0 never stops early.",
    ),
    *(
        (
            kind,
            {"tokenize": "moses"},
            f"{place}: found moses, expected one of 13a, none, intl, char, zh, ja-mecab, "
            "ko-mecab; 13a is for text, none for text that is already tokenised.",
        )
        for kind, place in ((BleuConfig, "metrics.bleu.tokenize"), (WmdConfig, "metrics.wmd.tokenize"))
    ),
    (ChrfConfig, {"word_order": -1}, "metrics.chrf.word_order: found -1, expected at least 0; 0 is chrF, 2 is chrF++."),
    (WmdConfig, {"sigma": 0}, "metrics.wmd.sigma: found 0, expected more than 0; 1 is the definition's."),
    *(
        (WmdConfig, {key: 0}, f"metrics.wmd.{key}: found 0, expected at least 1; {GOOD}")
        for key in ("dimensions", "epochs", "window")
    ),
    (
        MetricsConfig,
        {"bootstrap": -1},
        "metrics.bootstrap: found -1, expected at least 0; 1000 is usual, 0 leaves intervals out.",
    ),
    *(
        (
            MetricsConfig,
            {"confidence": value},
            f"metrics.confidence: found {value}, expected 0 < confidence < 1; 0.95 is usual.",
        )
        for value in (0, 1)
    ),
]


@pytest.mark.parametrize(("kind", "values", "sentence"), CASES)
def test_each_impossible_value_has_its_sentence(kind, values, sentence):
    assert _sentence(kind, values) == sentence


@pytest.mark.parametrize("name", TOKENIZERS)
def test_every_tokenizer(name):
    assert BleuConfig(tokenize=name).tokenize == WmdConfig(tokenize=name).tokenize == name


def test_what_is_just_possible():
    ModelConfig(attention=Attention.dot, units=16, encoder_units=8)
    Config(model=ModelConfig(tie=Tie.all), subword=SubwordConfig(joint=True))
    SubwordConfig(size=5, kind=SubwordKind.unigram, sampling=0.99)
    SearchConfig(beam=3, nbest=3, alpha=0, max_ratio=0)
    TrainConfig(
        max_steps=10, warmup_steps=9, max_hours=0.01, batch_sentences=1, min_learning_rate=3e-3, learning_rate=3e-3
    )
    TrainConfig(usd_per_hour=0.5, max_usd=0.01)
    TrainConfig(batch_sentences=80, micro_batch_sentences=39)  # 20, the least that is no fault
    TrainConfig(batch_sentences=7, micro_batch_sentences=9)
    TrainConfig(batch_sentences=7, micro_batch_sentences=1, micro_batch_tokens=1)
    MixtureConfig(corpora={"a": "P", "b": "Q"}, ratio={"a": 0, "b": 1})
    FilesConfig(tests={"flickr-2017_b": "P"})


@pytest.mark.parametrize("metric", StopMetric)
def test_less_loss_and_more_score_are_better(metric):
    assert metric.sign == (-1 if metric.value == "loss" else 1)
