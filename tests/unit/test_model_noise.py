# B batch, S source step, T target step, U state
"""Dropout: its rate, its mean, and that its masks depend on seed, step and place alone."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from nmt.config.model import Cell, Decoder, WordDropout
from nmt.model import encoder as encoder_module
from nmt.model.cells import GRUCell
from nmt.model.noise import Noise, drop_words, dropout, state_mask
from tests.unit.model_tools import model_of, padded
from tests.unit.model_twins import tiny_config

SOURCE_BS, TARGET_BT = padded([[4, 3, 5, 2], [6, 2]]), padded([[5, 2], [3, 4, 2]])


def noise(seed: int = 1, step: int = 1) -> Noise:
    return Noise(tf.constant(seed, tf.int64), tf.constant(step, tf.int64))


def mask(noise: Noise, place: str = "here", shape=(50, 40), rate: float = 0.3) -> np.ndarray:
    return noise.mask(place, tf.constant(shape), rate, tf.float64).numpy()


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5])
def test_a_mask_drops_its_share_and_keeps_the_mean(rate):
    drawn = mask(noise(), shape=(400, 250), rate=rate)
    assert set(np.unique(drawn)) == {0.0, 1 / np.float64(1 - rate)}
    # 100,000 draws: five standard deviations of a share are below 0.008.
    assert_allclose((drawn == 0).mean(), rate, atol=0.008)
    assert_allclose(drawn.mean(), 1, atol=0.016)


def test_a_mask_is_a_function_of_seed_step_and_place():
    first = mask(noise())
    assert_array_equal(mask(noise()), first)
    for other in (mask(noise(seed=2)), mask(noise(step=2)), mask(noise(), place="there")):
        assert 0.3 < (other != first).mean() < 0.54  # independent masks differ with probability 2 * 0.3 * 0.7 = 0.42


def test_no_two_of_many_seeds_steps_and_places_share_a_mask():
    masks = {
        mask(noise(seed, step), place, shape=(8, 16), rate=0.5).tobytes()
        for seed in range(6)
        for step in range(6)
        for place in ("source", "target", "output")
    }
    assert len(masks) == 6 * 6 * 3


def test_each_part_of_a_divided_batch_has_masks_of_its_own_the_first_those_of_the_whole():
    whole = noise()
    parts = [mask(whole._replace(part=tf.constant(number, tf.int64))) for number in range(3)]
    assert_array_equal(parts[0], mask(whole))
    for other in (parts[1] != parts[0], parts[2] != parts[0], parts[2] != parts[1]):
        assert 0.3 < other.mean() < 0.54
    many = {
        mask(noise(seed)._replace(part=tf.constant(part, tf.int64)), place, shape=(8, 16), rate=0.5).tobytes()
        for seed in range(6)
        for part in range(6)
        for place in ("source", "target", "output")
    }
    assert len(many) == 6 * 6 * 3


def test_the_largest_seeds_and_steps_are_as_good_as_any():
    first, second = mask(noise(2**63 - 1, 2**62)), mask(noise(2**63 - 2, 2**62))
    assert 0.3 < (first != second).mean() < 0.54


def test_nothing_is_dropped_without_noise_or_at_rate_0():
    x = tf.ones([3, 4])
    assert dropout(x, 0.5, None, "here") is x
    assert dropout(x, 0.0, noise(), "here") is x
    for kind in WordDropout:
        assert drop_words(x, x, kind, 0.5, None, "here") is x
        assert drop_words(x, x, kind, 0.0, noise(), "here") is x
    assert state_mask(x, 0.5, None, "here") is None
    assert state_mask(x, 0.0, noise(), "here") is None


def test_dropout_multiplies_by_the_mask():
    x = tf.random.stateless_normal([5, 6], [1, 2], dtype=tf.float64)
    assert_array_equal(dropout(x, 0.4, noise(), "here"), x * mask(noise(), shape=(5, 6), rate=0.4))
    assert_array_equal(state_mask(x, 0.4, noise(), "here"), mask(noise(), shape=(5, 6), rate=0.4))


def readout(model, noise):
    return model.teach(SOURCE_BS, TARGET_BT, noise).readout_NR.numpy()


RATES = [f"dropout_{part}" for part in ("embedding", "state", "output", "source_words", "target_words")]


@pytest.mark.parametrize("place", RATES)
def test_each_rate_acts_in_training_only_and_repeats_with_seed_and_step(place):
    options = {"cell": Cell.lstm, "decoder": Decoder.conditional, "decoder_layers": 2, place: 0.5}
    model, _ = model_of(tiny_config(**options))
    still, _ = model_of(tiny_config(**(options | {place: 0.0})))
    assert_array_equal(readout(model, None), readout(still, noise()))
    first = readout(model, noise())
    assert np.abs(first - readout(model, None)).max() > 1e-3
    assert_array_equal(readout(model, noise()), first)
    for other in (noise(seed=2), noise(step=2)):
        assert np.abs(first - readout(model, other)).max() > 1e-3


def test_a_states_mask_is_one_for_all_time_steps_and_another_for_each_sentence(monkeypatch):
    """Variational: the layer draws [B, U] once, before its loop, and every step multiplies by it."""
    seen = []

    def watch(like_BU, rate, noise, place):
        drawn = state_mask(like_BU, rate, noise, place)
        seen.append((place, drawn.numpy()))
        return drawn

    monkeypatch.setattr(encoder_module, "state_mask", watch)
    model, _ = model_of(tiny_config(encoder_units=30, dropout_state=0.5))
    entered = []
    monkeypatch.setattr(GRUCell, "__call__", remember_masks(GRUCell.__call__, entered))
    model.encode(SOURCE_BS, noise())
    assert [place for place, _ in seen] == ["encoder/forward", "encoder/backward"]
    (_, forward), (_, backward) = seen
    assert forward.shape == (2, 30)
    assert (forward[0] != forward[1]).any()
    assert (forward != backward).any()
    assert len(entered) == 2 * SOURCE_BS.shape[1]
    for number, used in enumerate(entered):
        assert_array_equal(used, (forward, backward)[number % 2])


def remember_masks(call, entered):
    def watched(self, weights, gates_BG, state, mask_BU):
        entered.append(mask_BU.numpy())
        return call(self, weights, gates_BG, state, mask_BU)

    return watched


@pytest.mark.parametrize("decoder", Decoder)
def test_both_transitions_of_a_decoder_have_masks_of_their_own(decoder):
    model, _ = model_of(tiny_config(decoder=decoder, dropout_state=0.5))
    first, second = model.decoder.first.masks(tf.zeros([4, 50], tf.float64), noise())
    assert first.shape == (4, 50)
    if decoder is Decoder.plain:
        assert second is None
    else:
        assert 0.3 < (first.numpy() != second.numpy()).mean() < 0.7


@pytest.mark.parametrize("kind", WordDropout)
def test_words_are_dropped_whole_at_their_rate_and_scaled_unless_they_are_cut(kind):
    words_TB = tf.reshape(tf.range(40_000), [200, 200])  # no word twice
    kept_TBE = drop_words(tf.ones([200, 200, 2], tf.float64), words_TB, kind, 0.2, noise(), "source").numpy()
    assert_array_equal(kept_TBE[..., 0], kept_TBE[..., 1])
    scaled = 1.0 if kind is WordDropout.cutoff else 1 / np.float64(0.8)
    assert set(np.unique(kept_TBE)) == {0.0, scaled}
    assert_allclose((kept_TBE[..., 0] == 0).mean(), 0.2, atol=0.01)  # five standard deviations of 40,000 draws
    other_TBE = drop_words(tf.ones([200, 200, 2], tf.float64), words_TB, kind, 0.2, noise(), "target")
    assert (kept_TBE != other_TBE.numpy()).any(), "the sides are drawn on their own"


def test_a_dropped_type_is_gone_from_its_sentence_and_a_dropped_place_from_its_place():
    words_TB = tf.constant([[7, 7], [3, 7], [7, 3], [3, 3]] * 25)
    x_TBE = tf.ones([100, 2, 1], tf.float64)
    seen = set()
    for step in range(1, 40):
        by_type = drop_words(x_TBE, words_TB, WordDropout.type, 0.5, noise(step=step), "here")[..., 0].numpy()
        for sentence in range(2):
            values = [set(by_type[words_TB[:, sentence] == word, sentence]) for word in (7, 3)]
            assert all(len(value) == 1 for value in values), "all places of a word in a sentence go together"
            seen.add((sentence, *(min(value) for value in values)))
    assert len(seen) == 8, "words, and the same words of two sentences, are drawn on their own"
    by_place = drop_words(x_TBE, words_TB, WordDropout.place, 0.5, noise(), "here")[..., 0].numpy()
    assert set(by_place[words_TB[:, 0] == 7, 0]) == {0.0, 2.0}
