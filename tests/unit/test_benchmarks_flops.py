"""Operations a token by hand."""

from __future__ import annotations

import dataclasses

import pytest

from benchmarks import flops, pieces
from benchmarks.flops import Decoder, Lengths, Sizes

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
