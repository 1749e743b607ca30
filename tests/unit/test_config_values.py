"""Impossible values of every dataclass, each with its sentence."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import get_type_hints

import pytest

from nmt.config.consistency import Consistency
from nmt.config.data import CaptionsConfig, DataConfig, FilesConfig, MixtureConfig, Multi30kConfig
from nmt.config.launch import Launch
from nmt.config.metrics import FIGURES, TOKENIZERS, BleuConfig, ChrfConfig, MetricsConfig, WmdConfig
from nmt.config.model import Attention, ModelConfig, Tie, WordDropout
from nmt.config.option import Options, declarations
from nmt.config.root import CommandLine, Config
from nmt.config.saved import load_config
from nmt.config.search import SearchConfig
from nmt.config.store import SOURCES
from nmt.config.subword import SubwordConfig, SubwordKind
from nmt.config.sweep import SweepConfig
from nmt.config.train import EarlyStoppingConfig, TrainConfig
from nmt.errors import ConfigError


def _sentence(kind, values):
    with pytest.raises(ConfigError) as caught:
        kind(**values)
    return str(caught.value)


# class, key, a value beyond its bounds, and what the sentence says after "found"
SEED = "expected 0 <= value <= 4294967295; any whole number between them."
SEEDS = [
    (Config, "seed"),
    (SearchConfig, "search.seed"),
    (MetricsConfig, "metrics.seed"),
    (CaptionsConfig, "data.grammar_seed"),
    (SweepConfig, "sweep.seed"),
]
BEYOND = [
    *((kind, key, seed, SEED) for kind, key in SEEDS for seed in (-1, 2**32)),
    (DataConfig, "data.max_length", 0, "expected at least 1; say how many subwords a sentence may have."),
    (DataConfig, "data.max_ratio", 0.5, "expected at least 1; 9 keeps all but broken pairs."),
    *(
        (CaptionsConfig, f"data.{key}", 0, "expected at least 1; 9000 to train on and 500 to score on take a minute.")
        for key in ("train_pairs", "dev_pairs", "test_pairs")
    ),
    (SubwordConfig, "subword.size", 4, "expected at least 5; four are special; 8000 is usual for 30,000 pairs."),
    (SubwordConfig, "subword.sampling", 1, "expected 0 <= value < 1; 0.1 is usual, 0 is off."),
    (SubwordConfig, "subword.min_count", 0, "expected at least 1; 1 keeps every word."),
    *(
        (ModelConfig, f"model.{key}", 0, "expected at least 1; see configs/model for sizes that work.")
        for key in ("embedding", "encoder_units", "encoder_layers", "units", "decoder_layers", "attention_units")
    ),
    (
        ModelConfig,
        "model.output_units",
        0,
        "expected at least 1, or null for the width of an embedding; leave it out, or name a width.",
    ),
    *(
        (ModelConfig, f"model.{key}", 1, "expected 0 <= value < 1; 0.3 is usual for small corpora.")
        for key in ("dropout_embedding", "dropout_state", "dropout_output")
    ),
    *(
        (ModelConfig, f"model.dropout_{key}_words", 1, "expected 0 <= value < 1; 0.1 is usual.")
        for key in ("source", "target")
    ),
    (SearchConfig, "search.beam", 0, "expected 1 <= value <= 1000; 1 is greedy, 5 is usual."),
    (SearchConfig, "search.no_repeat", 101, "expected 0 <= value <= 100; 3 or 4 is usual, 0 is off."),
    (SearchConfig, "search.min_length", 10_001, "expected 0 <= value <= 10000; 0 lets a model end at once."),
    (SearchConfig, "search.samples", 10_001, "expected 0 <= value <= 10000; 0 searches with a beam."),
    (SearchConfig, "search.nbest", 0, "expected at least 1; 1 is the best alone."),
    (
        SearchConfig,
        "search.alone",
        65,
        "expected 0 <= value <= 64; 2 is quick on a CPU, 0 leaves all to TensorFlow.",
    ),
    (SearchConfig, "search.batch_tokens", 0, "expected at least 1; take the largest that fits into memory."),
    (SearchConfig, "search.max_source", 0, "expected at least 1; say how many subwords a line may have."),
    *(
        (SearchConfig, "search.max_extra", n, "expected 1 <= value <= 10000; short sentences need it: 10 is usual.")
        for n in (0, 10**9)
    ),
    *(
        (
            SearchConfig,
            "search.max_ratio",
            ratio,
            "expected 0 <= value <= 100; 0 leaves search.max_extra subwords for every sentence.",
        )
        for ratio in (-1, 101)
    ),
    (SearchConfig, "search.alpha", -1, "expected at least 0; 0.6 is usual, 0 does not normalise."),
    (SearchConfig, "search.coverage", -1, "expected at least 0; 0.2 is usual, 0 is off."),
    (
        TrainConfig,
        "train.max_steps",
        0,
        "expected at least 1; use evaluate.py or translate.py where nothing is to be trained.",
    ),
    (TrainConfig, "train.max_hours", 0, "expected more than 0, or null for no limit; 1.25 is 75 minutes."),
    (
        TrainConfig,
        "train.usd_per_hour",
        0,
        "expected more than 0, or null for an unknown price; 0.526 is 52.6 US cents.",
    ),
    (TrainConfig, "train.max_usd", -1, "expected more than 0, or null for no limit; 0.526 is 52.6 US cents."),
    (TrainConfig, "train.batch_sentences", 0, "expected at least 1, or null to count tokens; 80 is usual."),
    (TrainConfig, "train.batch_tokens", 0, "expected at least 1; 1024 to 4096 are usual."),
    *(
        (
            TrainConfig,
            f"train.{key}",
            0,
            "expected at least 1, or null to compute a batch at once; take the largest that fits into memory.",
        )
        for key in ("micro_batch_sentences", "micro_batch_tokens")
    ),
    (
        TrainConfig,
        "train.micro_batch_gb",
        -1,
        "expected at least 0, or null to compute a batch at once; use 0 for what the device has free.",
    ),
    (TrainConfig, "train.learning_rate", 0, "expected more than 0; 1e-4 to 3e-3 are usual."),
    (TrainConfig, "train.plateau_factor", 1, "expected 0 < value < 1; 0.5 is usual."),
    (TrainConfig, "train.average", 1, "expected 0 <= value < 1; 0.999 is usual, 0 is off."),
    (TrainConfig, "train.final_average", -1, "expected at least 0; 5 is usual, 0 is off."),
    (TrainConfig, "train.devices", -1, "expected at least 0; 0 takes all of them."),
    (EarlyStoppingConfig, "train.early_stopping.patience", -1, "expected at least 0; 0 never stops early."),
    (EarlyStoppingConfig, "train.early_stopping.min_delta", -1, "expected at least 0; 0 counts every gain."),
    *(
        (
            kind,
            f"{place}.tokenize",
            "moses",
            f"expected one of auto, 13a, none, intl, char, zh, ja-mecab, ko-mecab{more}; auto follows the target "
            "language, none is for text that is already tokenised.",
        )
        for kind, place, more in (
            (BleuConfig, "metrics.bleu", ", flores101, flores200"),
            (WmdConfig, "metrics.wmd", ""),
        )
    ),
    (ChrfConfig, "metrics.chrf.word_order", -1, "expected at least 0; 0 is chrF, 2 is chrF++."),
    (WmdConfig, "metrics.wmd.sigma", 0, "expected more than 0; 1 is the definition's."),
    (WmdConfig, "metrics.wmd.dimensions", 0, "expected at least 1; 50 to 300 are usual."),
    (MetricsConfig, "metrics.bootstrap", -1, "expected at least 0; 1000 is usual, 0 leaves intervals out."),
    (MetricsConfig, "metrics.confidence", 1, "expected 0 < value < 1; 0.95 is usual."),
]


@pytest.mark.parametrize(
    ("kind", "key", "value", "told"), BEYOND, ids=lambda part: part if isinstance(part, str) else ""
)
def test_a_value_beyond_its_bounds_has_its_sentence(kind, key, value, told):
    assert _sentence(kind, {key.rpartition(".")[2]: value}) == f"{key}: found {value}, {told}"


CASES = [
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
    *(
        (
            SubwordConfig,
            {"kind": kind, "sampling": 0.1},
            f"subword.sampling: found 0.1, expected 0 with subword.kind="
            f"{kind.value}, which has one segmentation; choose subword=bpe or subword=unigram.",
        )
        for kind in (SubwordKind.words, SubwordKind.characters)
    ),
    (
        ModelConfig,
        {"attention": Attention.dot, "units": 8, "encoder_units": 8},
        "model.attention: found dot, expected "
        "model.units = 2 * model.encoder_units (16), got 8; match the widths or use luong_general.",
    ),
    (
        ModelConfig,
        {"dropout_words": WordDropout.cutoff},
        "model.dropout_words: found cutoff and no words that are dropped, expected a share of them beside it; "
        "add model.dropout_source_words=0.1, or leave it out.",
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
    (SearchConfig, {"beam": 2, "nbest": 3}, "search.nbest: found 3, expected at most search.beam (2); widen the beam."),
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
        {"final_average": 1},
        "train.final_average: found 1, expected 0, or at least 2 checkpoints to average; 5 is usual, 0 is off.",
    ),
    (
        TrainConfig,
        {"max_usd": 5.0},
        "train.max_usd: found 5.0 without a price, expected train.usd_per_hour beside it; "
        "say what the machine costs an hour, such as train.usd_per_hour=0.526.",
    ),
    (
        TrainConfig,
        {"devices": 2},
        "train.devices: found 2 with train.distribution=one, expected 0 or 1; "
        "use train.devices=0, or train.distribution=mirrored for several devices of this machine.",
    ),
    (
        TrainConfig,
        {"batch_sentences": 83, "micro_batch_sentences": 50},
        "train.micro_batch_sentences: found 50 with train.batch_sentences=83, whose largest divisor that fits is 1, "
        "expected a divisor from 25 to 50; use train.batch_sentences=82 (micro-batches of 41).",
    ),
    *(
        (
            MetricsConfig,
            {"report": names},
            f"metrics.report: found [{','.join(names)}], expected some of bleu, chrf, wmd, ter, chrfpp, each at most "
            "once; write a list, such as metrics.report=[bleu,ter].",
        )
        for names in ([], ["bleu", "bleu"], ["bleu", "rouge"])
    ),
    *(
        (
            SearchConfig,
            {key: value},
            f"search.{key}: found {value}, expected {usual} with search.samples=0, which it would not change; add "
            "search.samples=32.",
        )
        for key, value, usual in (
            ("temperature", 0.5, 1.0),
            ("top_k", 2, 0),
            ("top_p", 0.9, 1.0),
            ("epsilon", 0.02, 0.0),
            ("seed", 2, 1),
        )
    ),
    (
        SearchConfig,
        {"samples": 2, "diversity": 0.5},
        "search.diversity: found 0.5, expected 0.0 with search.samples=2, which it would not change; search with a "
        "beam: search.samples=0.",
    ),
    (
        EarlyStoppingConfig,
        {"metric": "rouge"},
        "train.early_stopping.metric: found rouge, expected one of loss, bleu, chrf, wmd_similarity, ter, chrfpp; "
        "bleu is usual, loss needs no translation.",
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
    SearchConfig(beam=3, nbest=3, alpha=0, max_ratio=0, max_source=10**8)
    assert SearchConfig(samples=4, nbest=2, temperature=0.5, seed=9).greedy() == SearchConfig(beam=1)
    TrainConfig(
        max_steps=10, warmup_steps=9, max_hours=0.01, batch_sentences=1, min_learning_rate=3e-3, learning_rate=3e-3
    )
    TrainConfig(usd_per_hour=0.5, max_usd=0.01)
    TrainConfig(batch_sentences=80, micro_batch_sentences=39)  # 20, the least that is no fault
    TrainConfig(batch_sentences=7, micro_batch_sentences=9)
    TrainConfig(batch_sentences=7, micro_batch_sentences=1, micro_batch_tokens=1)
    MixtureConfig(corpora={"a": "P", "b": "Q"}, ratio={"a": 0, "b": 1})
    FilesConfig(tests={"flickr-2017_b": "P"})


@pytest.mark.parametrize("metric", FIGURES)
def test_less_loss_and_fewer_edits_are_better(metric):
    assert EarlyStoppingConfig(metric=metric).figure.sign == (-1 if metric in ("loss", "ter") else 1)


def test_training_chooses_by_what_it_computes():
    config = Config(metrics=MetricsConfig(report=["ter"]))
    with pytest.raises(ConfigError) as caught:
        config.check_training()
    assert str(caught.value) == (
        "train.early_stopping.metric: found bleu, which metrics.report=[ter] does not compute, expected one of loss, "
        "ter; choose one of these, or add the metric to metrics.report."
    )
    for metric in ("ter", "loss"):
        config.train.early_stopping.metric = metric
        config.check_training()


def test_two_passes_that_cannot_differ_are_refused():
    config = Config(train=TrainConfig(consistency=Consistency.rdrop))
    with pytest.raises(ConfigError) as caught:
        config.check_training()
    assert str(caught.value) == (
        "train.consistency: found rdrop without dropout: both passes are the same, expected a dropout rate above 0; "
        "set a model.dropout_..., such as model.dropout_output=0.4, or use simcut."
    )
    for rate in ("embedding", "state", "output", "source_words", "target_words"):
        replace(config, model=ModelConfig(**{f"dropout_{rate}": 0.1})).check_training()
    replace(config, train=TrainConfig(consistency=Consistency.simcut)).check_training()


def test_the_weight_of_two_passes_is_the_papers_unless_it_is_said():
    weights = {kind: TrainConfig(consistency=kind).agreement for kind in Consistency}
    assert weights == {Consistency.none: 0.0, Consistency.rdrop: 5.0, Consistency.simcut: 3.0}
    assert TrainConfig(consistency=Consistency.rdrop, consistency_weight=1.5).agreement == 1.5


def _kinds(kind: type) -> list[type]:
    return [kind, *(inner for part in kind.__subclasses__() for inner in _kinds(part))]


def _declared():
    """Every bound that is declared: class, name, and the declaration."""
    return [
        (kind, name, declared)
        for kind in _kinds(Options)[1:]
        for name, declared in declarations(kind).items()
        if declared.bounds
    ]


@pytest.mark.parametrize(("kind", "name", "declared"), _declared())
def test_the_edge_of_every_bound(kind, name, declared):
    """The value at the edge is in or out, as declared; the default is within."""
    default = next(part.default for part in fields(kind) if part.name == name)
    assert declared.holds(default)
    for edge, inside, beyond in (
        (declared.at_least, True, -1),
        (declared.above, False, -1),
        (declared.at_most, True, 1),
        (declared.below, False, 1),
    ):
        if edge is not None:
            assert declared.holds(edge) is inside
            assert not declared.holds(edge + beyond * 1e-9 * max(1, abs(edge)))


def test_the_bounds_of_whole_objects_hold_at_every_depth():
    assert _sentence(load_config, {"text": "data: {source: files}", "overrides": ["metrics.wmd.sigma=0"]}) == (
        "metrics.wmd.sigma: found 0.0, expected more than 0; 1 is the definition's."
    )


@pytest.mark.parametrize("root", [Config, CommandLine, Launch])
def test_every_group_says_how_its_keys_begin(root):
    def check(kind, prefix):
        for name, hint in get_type_hints(kind).items():
            for part in SOURCES.values() if hint is DataConfig else (hint,):
                if is_dataclass(part):
                    assert issubclass(part, Options)
                    assert part._place == f"{prefix}{name}"
                    check(part, f"{prefix}{name}.")

    check(root, "")
