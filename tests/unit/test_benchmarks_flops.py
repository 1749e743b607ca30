"""Operations a token by hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import isqrt, prod
from typing import Any

import pytest
import tensorflow as tf
from omegaconf import OmegaConf
from tensorflow.python.framework import op_callbacks

from benchmarks import flops, pieces
from benchmarks.contestants import sizes_in
from benchmarks.flops import Decoder, Lengths, Sizes
from nmt.config.consistency import Consistency
from nmt.config.model import Attention, Cell, ModelConfig, Tie
from nmt.config.model import Decoder as DecoderKind
from nmt.config.root import Config
from nmt.config.subword import SubwordConfig
from nmt.config.train import TrainConfig
from nmt.model.noise import Noise
from tests.unit.model_tools import TARGET_VOCAB, model_of, padded
from tests.unit.model_twins import tiny_config

TINY = Sizes(embedding=2, encoder_units=3, units=5, attention_units=7, readout=11, vocabulary=13)


def test_a_source_piece_by_hand():
    # two directions of (2 + 3) x 9, and keys of 6 x 7
    assert flops.per_source_piece(TINY) == 2 * 45 + 42


def test_projections_of_distinct_words_alone():
    sizes = dataclasses.replace(TINY, distinct_source=0.5, distinct_target=0.25)
    assert flops.per_source_piece(sizes) == 2 * (1 + 3) * 9 + 42
    assert flops.per_target_piece(TINY, 4) - flops.per_target_piece(sizes, 4) == 0.75 * 2 * 15


@pytest.mark.parametrize(
    ("decoder", "gates", "joined"),
    [
        (Decoder.bahdanau, 2 + 6 + 5, 5 + 6 + 2),
        (Decoder.input_feeding, 2 + 11 + 5, 5 + 6),
        (Decoder.after, 2 + 5, 5 + 6),
    ],
)
def test_a_target_piece_by_hand(decoder, gates, joined):
    sizes = dataclasses.replace(TINY, decoder=decoder)
    attention = 5 * 7 + 4 * (7 + 6)
    assert flops.per_target_piece(sizes, source_length=4) == gates * 15 + attention + joined * 11 + 11 * 13


def test_a_token_carries_its_share_of_the_source_and_of_the_first_state():
    # 6 source pieces and 4 target pieces a sentence: 1.5 source pieces a token, 6 x 5 / 4 of the first state
    forward = flops.per_target_piece(TINY, 6) + 1.5 * 132 + 7.5
    assert flops.training_flop(TINY, Lengths(source=6, target=4)) == pytest.approx(6 * forward)


@pytest.mark.parametrize(("sizes", "gflop"), [(flops.SMALL, 0.0475), (flops.LARGE, 0.141)])
def test_the_two_settings_of_the_comparison(sizes, gflop):
    """As estimated when the comparison was set up, with 1.13 source pieces a target piece."""
    assert flops.training_flop(sizes, Lengths(source=15.8, target=14)) / 1e9 == pytest.approx(gflop, rel=0.01)


@pytest.mark.parametrize(
    ("sentences", "tokens", "expected"), [(2, None, (4 / 5, 3 / 4)), (None, 3, (1.0, 1.0)), (None, 100, (4 / 5, 3 / 4))]
)
def test_the_share_of_pieces_that_differ(tmp_path, sentences, tokens, expected):
    """With their end marks: a b and c beside a in one batch, or in a batch each."""
    (tmp_path / "train.en").write_text("a b\nc\n")
    (tmp_path / "train.de").write_text("x\ny\n")
    assert pieces.distinct_shares(tmp_path, sentences, tokens) == expected


# ---- what TensorFlow computes


PRODUCTS = {"MatMul", "BatchMatMulV2", "BatchMatMulV3"}
SOURCE, TARGET = [4, 3, 5, 6, 2], [5, 4, 2]
ENERGIES = {Attention.bahdanau: 6, Attention.luong_general: 5, Attention.dot: 4}  # width of their product, where one is
MODELS = {
    "plain": {},
    "conditional, deep": {"decoder": DecoderKind.conditional, "transition_depth": 3},
    "lstm, stacked, deep, dot, tied": {
        "cell": Cell.lstm,
        "encoder_layers": 2,
        "decoder_layers": 3,
        "transition_depth": 2,
        "attention": Attention.dot,
        "tie": Tie.all,
    },
    "normed, lstm, conditional, general": {
        "layer_norm": True,
        "cell": Cell.lstm,
        "decoder": DecoderKind.conditional,
        "attention": Attention.luong_general,
    },
    "one layer of attention, wide output": {"attention": Attention.single_layer, "output_units": 7},
}


@contextmanager
def multiplications() -> Iterator[list[int]]:
    """Those of every product that is computed, of one sentence: of [N, K] by [K, M] to [N, M] it is N K M."""
    found: list[int] = []

    def note(kind: str, inputs: Sequence[Any], attributes: object, outputs: Sequence[Any], *_: object) -> None:
        if kind in PRODUCTS:
            found.append(isqrt(prod(prod(x.shape) for x in (*inputs, *outputs))))

    op_callbacks.add_op_callback(note)
    try:
        yield found
    finally:
        op_callbacks.remove_op_callback(note)


def written(model: ModelConfig, consistency: Consistency = Consistency.none) -> Any:
    """A configuration as `--cfg job` writes it."""
    train = TrainConfig(consistency=consistency)
    subword = SubwordConfig(size=TARGET_VOCAB, joint=model.tie is Tie.all)
    config = Config(model=model, train=train, subword=subword)
    return OmegaConf.to_container(OmegaConf.structured(config), enum_to_str=True)


@pytest.mark.parametrize("name", MODELS)
def test_a_step_multiplies_as_often_as_the_formula_says(name):
    """Each place is projected, since features are dropped. On the way back energies are multiplied once more."""
    config = tiny_config(**MODELS[name], dropout_embedding=0.1)
    model, _ = model_of(config, dtype=tf.float32)
    noise = Noise(tf.constant(3, tf.int64), tf.constant(5, tf.int64))
    with multiplications() as forward, tf.GradientTape() as tape:
        taught = model.teach(padded([SOURCE]), padded([TARGET]), noise)
        logits_NV = model.output.logits(taught.readout_NR)
    with multiplications() as backward:
        tape.gradient(logits_NV, model.trainable_variables)
    sizes, lengths = sizes_in(written(config), 0.5, 0.5), Lengths(len(SOURCE), len(TARGET))
    assert len(TARGET) * flops.training_flop(sizes, lengths) == pytest.approx(2 * 3 * sum(forward), rel=1e-12)
    again = len(SOURCE) * len(TARGET) * ENERGIES.get(config.attention, 0)
    assert sum(backward) == 2 * sum(forward) + again


def test_two_passes_cost_twice_and_words_that_are_cut_are_projected_each():
    config, lengths = tiny_config(), Lengths(source=6, target=4)
    sizes = {kind: sizes_in(written(config, kind), 0.5, 0.25) for kind in Consistency}
    cost = {kind: flops.training_flop(one, lengths) for kind, one in sizes.items()}
    assert cost[Consistency.rdrop] == 2 * cost[Consistency.none]
    whole = dataclasses.replace(sizes[Consistency.none], distinct_source=1.0, distinct_target=1.0)
    assert cost[Consistency.simcut] == 2 * flops.training_flop(whole, lengths)
