"""Any configuration reads back as it was written, whatever its values."""

from __future__ import annotations

import shlex
import string

from hypothesis import given, settings
from hypothesis.strategies import booleans, builds, dictionaries, floats, integers, none, sampled_from, text

from nmt.config.data import CaptionsConfig, EnjaConfig, FilesConfig, MixtureConfig, Multi30kConfig, Variant
from nmt.config.mistakes import quoted
from nmt.config.model import Attention, Cell, Decoder, ModelConfig, Tie
from nmt.config.root import Config
from nmt.config.saved import dump, load_config
from nmt.config.subword import SubwordConfig, SubwordKind
from nmt.config.train import EarlyStoppingConfig, Optimizer, Schedule, TrainConfig

# A configuration never holds these two: the first is resolved, the second asked for, before it is one.
values = text().filter(lambda value: "${" not in value and value != "???") | sampled_from(
    [
        "null",
        "yes",
        "off",
        "1",
        "1e3",
        "1_0",
        "0x1F",
        "~",
        ".inf",
        "nan",
        "2001-01-01",
        "a: b",
        "#",
        "- a",
        "&a",
        "\x85",
    ]
)
names = text(string.ascii_letters + string.digits + "-_é", min_size=1).filter(
    lambda name: name not in ("dev", "test") and any(letter.isalnum() for letter in name)
) | sampled_from(["null", "yes", "1", "1e3", "1_0", "0x1F"])
paths = none() | values
seeds = integers(0, 2**32 - 1)
tests = dictionaries(names, values, max_size=3)
rates = floats(0, 1, exclude_max=True)


def _mixture(ratio, dev):
    return MixtureConfig(corpora={name: f"/{name}" for name in ratio}, ratio=ratio, dev=dev)


mixtures = builds(_mixture, dictionaries(names, integers(1, 500), max_size=3), paths)
sources = (
    builds(CaptionsConfig, dev=paths, test=paths, tests=tests, train_pairs=integers(1), grammar_seed=seeds)
    | builds(EnjaConfig, dir=paths, tests=tests)
    | builds(Multi30kConfig, dir=paths, tests=tests, variant=sampled_from(Variant))
    | builds(FilesConfig, src=values, tgt=values, train=paths, tests=tests, max_ratio=floats(1, 1e300))
    | mixtures
)
subwords = builds(
    SubwordConfig, kind=sampled_from([SubwordKind.bpe, SubwordKind.unigram]), joint=booleans(), sampling=rates
)
models = builds(
    ModelConfig,
    cell=sampled_from(Cell),
    attention=sampled_from([Attention.bahdanau, Attention.single_layer]),
    decoder=sampled_from(Decoder),
    tie=sampled_from([Tie.none, Tie.target]),
    residual=booleans(),
    layer_norm=booleans(),
    transition_depth=integers(1, 9),
    units=integers(1, 2**40),
    dropout_state=rates,
)
trainings = builds(
    TrainConfig,
    max_steps=integers(10**6, 10**12),
    max_hours=none() | floats(1e-300, 1e300),
    usd_per_hour=none() | floats(1e-300, 1e300),
    optimizer=sampled_from(Optimizer),
    learning_rate=floats(1e-300, 1e300),
    schedule=sampled_from(Schedule),
    init_from=paths,
    early_stopping=builds(EarlyStoppingConfig, patience=integers(0, 9), min_delta=floats(0, 1e9)),
)
configurations = builds(Config, data=sources, subword=subwords, model=models, train=trainings, seed=seeds, resume=paths)


@settings(deadline=None, max_examples=60)
@given(configurations)
def test_what_was_dumped_loads_as_it_was(config):
    assert load_config(dump(config)) == config


@settings(deadline=None, max_examples=60)
@given(values.filter(str.isprintable))
def test_a_text_in_quotes_is_that_text_whatever_its_characters(value):
    """What our sentences tell a user to write, after the shell has taken its own quotes."""
    (word,) = shlex.split(quoted("data.dir", value))
    assert load_config("data: {source: files}", [word]).data.dir == value
