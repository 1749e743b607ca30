# B batch, S source step, T target step, N real target words, R width of the readout, V vocabulary
"""Two passes that are made to agree: the loss by its definition, its gradient, and which rows and words it is of."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from nmt.config.consistency import Consistency
from nmt.config.model import Attention, Cell, Decoder, ModelConfig, Tie, WordDropout
from nmt.config.precision import Precision
from nmt.config.train import TrainConfig
from nmt.model.initial import Initial
from nmt.model.noise import Noise, cut_words
from nmt.model.output import DeepOutput
from nmt.model.seq2seq import Seq2Seq
from nmt.training.consistency import Passes, consistent_loss, two_passes
from nmt.training.gradients import Share, batch_gradients
from nmt.training.loss_scale import LossScale
from nmt.training.step import Trainer
from tests.unit.model_tools import check_gradients, drawn, model_of, padded
from tests.unit.model_twins import tiny_config

KINDS = [Consistency.rdrop, Consistency.simcut]
SOURCES, TARGETS = [[4, 3, 5, 2], [6, 2], [2]], [[2], [5, 4, 3, 7, 2], [3, 2]]
NOISE = Noise(tf.constant(3, tf.int64), tf.constant(5, tf.int64))
DROPOUT = {"dropout_embedding": 0.3, "dropout_state": 0.2, "dropout_output": 0.4, "dropout_source_words": 0.1}


def kl(p_NV: tf.Tensor, q_NV: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(p_NV * tf.math.log(p_NV / q_NV), axis=1)


def by_definition(p_NV: tf.Tensor, q_NV: tf.Tensor, target_N: tf.Tensor, config: TrainConfig) -> tf.Tensor:
    smoothing, count = config.label_smoothing, p_NV.shape[1]
    wanted_NV = (1 - smoothing) * tf.one_hot(target_N, count, dtype=p_NV.dtype) + smoothing / count
    first_N, second_N = (-tf.reduce_sum(wanted_NV * tf.math.log(x_NV), axis=1) for x_NV in (p_NV, q_NV))
    if config.consistency is Consistency.simcut:
        return first_N + config.agreement * kl(p_NV, q_NV)
    return (first_N + second_N + config.agreement * (kl(p_NV, q_NV) + kl(q_NV, p_NV)) / 2) / 2


def output_of(dtype: tf.DType = tf.float64, compute: tf.DType | None = None) -> DeepOutput:
    output = DeepOutput(
        ModelConfig(embedding=4, encoder_units=1, units=1), Initial(1, dtype, compute), vocabulary=6, tied=None
    )
    output.bias_V.assign(drawn(6, seed=9))
    return output


def test_by_hand():
    """p = (1/4, 3/4) and q = (1/2, 1/2) of two words, the second being right.

    KL(p | q) = 1/4 log 1/2 + 3/4 log 3/2, KL(q | p) = 1/2 log 2 + 1/2 log 2/3.
    """
    output = DeepOutput(ModelConfig(embedding=2, encoder_units=1, units=1), Initial(1, tf.float64), 2, None)
    output.table_VR.assign(np.eye(2))
    passes = Passes(tf.constant([[0.0, np.log(3.0)]], tf.float64), tf.zeros([1, 2], tf.float64), tf.constant([1]))
    there, back = np.log(0.5) / 4 + 3 * np.log(1.5) / 4, np.log(2) / 2 + np.log(2 / 3) / 2
    config = TrainConfig(label_smoothing=0.0, consistency=Consistency.rdrop, consistency_weight=4.0)
    loss_N, nll_N = consistent_loss(output, passes, config)
    assert_allclose(loss_N, [(np.log(4 / 3) + np.log(2)) / 2 + there + back], rtol=1e-12)
    assert_allclose(nll_N, [np.log(4 / 3)], rtol=1e-12)
    config = TrainConfig(label_smoothing=0.0, consistency=Consistency.simcut)
    assert_allclose(consistent_loss(output, passes, config)[0], [np.log(4 / 3) + 3 * there], rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_loss_and_gradients_are_those_of_the_definition(kind, smoothing):
    output, target_N, upstream_N = output_of(), tf.constant([3, 0, 5]), drawn(3, seed=1)
    config = TrainConfig(label_smoothing=smoothing, consistency=kind)
    first_NR, second_NR = tf.Variable(drawn(3, 4)), tf.Variable(drawn(3, 4, seed=2))
    everything = [first_NR, second_NR, output.table_VR, output.bias_V]
    with tf.GradientTape(persistent=True) as tape:
        passes = Passes(tf.convert_to_tensor(first_NR), tf.convert_to_tensor(second_NR), target_N)
        loss_N, nll_N = consistent_loss(output, passes, config)
        p_NV, q_NV = (tf.nn.softmax(output.logits(x)) for x in passes[:2])
        expected_N = by_definition(p_NV, q_NV, target_N, config)
    assert_allclose(loss_N, expected_N, rtol=0, atol=1e-12)
    assert_allclose(nll_N, -np.log(p_NV.numpy()[[0, 1, 2], target_N]), rtol=1e-12)
    found, expected = (tape.gradient(x, everything, output_gradients=upstream_N) for x in (loss_N, expected_N))
    for ours, theirs in zip(found, expected, strict=True):
        assert_allclose(ours, theirs, rtol=0, atol=1e-11)
    assert tape.gradient(nll_N, everything) == [None] * 4, "the likelihood is for reading"


def test_two_passes_have_the_same_words_in_the_same_order():
    """Without dropout both are what one pass has; its rows come step by step as well."""
    model, _ = model_of(tiny_config())
    config = TrainConfig(consistency=Consistency.rdrop)
    passes = two_passes(model, config, padded(SOURCES), padded(TARGETS), NOISE)
    taught = model.teach(padded(SOURCES), padded(TARGETS))
    assert_array_equal(passes.target_N, taught.target_N)
    assert_allclose(passes.first_NR, taught.readout_NR, rtol=0, atol=1e-14)
    assert_allclose(passes.second_NR, taught.readout_NR, rtol=0, atol=1e-14)


def test_dropout_differs_between_the_passes_and_simcut_cuts_in_the_second_alone():
    model, _ = model_of(tiny_config(**DROPOUT))
    passes = two_passes(model, TrainConfig(consistency=Consistency.rdrop), padded(SOURCES), padded(TARGETS), NOISE)
    assert np.abs(passes.first_NR - passes.second_NR).max() > 0.1
    model, _ = model_of(tiny_config())
    config = TrainConfig(consistency=Consistency.simcut, token_cutoff=0.9)
    passes = two_passes(model, config, padded(SOURCES), padded(TARGETS), NOISE)
    whole_NR = model.teach(padded(SOURCES), padded(TARGETS)).readout_NR
    assert_allclose(passes.first_NR, whole_NR, rtol=0, atol=1e-14)
    assert np.abs(passes.second_NR - whole_NR).max() > 0.01


def test_whole_words_are_cut_at_the_rate_that_is_asked_and_nothing_is_scaled():
    kept_TBE = cut_words(tf.ones([200, 200, 2]), NOISE._replace(cutoff=0.25), "source").numpy()
    assert_array_equal(kept_TBE[:, :100], 1.0)
    assert_array_equal(kept_TBE[..., 0], kept_TBE[..., 1])
    assert set(np.unique(kept_TBE)) == {0.0, 1.0}
    assert abs((kept_TBE[:, 100:, 0] == 0).mean() - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 20_000)
    other_TBE = cut_words(tf.ones([200, 200, 2]), NOISE._replace(cutoff=0.25), "target").numpy()
    assert (kept_TBE != other_TBE).any(), "the sides are cut on their own"


# Of two features little but the signs is left by layer normalisation.
ALL = {
    "layer_norm": True,
    "transition_depth": 2,
    "decoder": Decoder.conditional,
    "tie": Tie.all,
    "encoder_units": 3,
    "units": 6,
    "dropout_target_words": 0.1,
    "dropout_words": WordDropout.cutoff,
}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"cell": Cell.lstm, "decoder": Decoder.conditional, "tie": Tie.all},
        {"attention": Attention.dot, "encoder_layers": 2, "decoder_layers": 2},
        pytest.param({**ALL, "cell": Cell.lstm}, marks=pytest.mark.long),
        pytest.param({**ALL, "decoder_layers": 2, "residual": True}, marks=pytest.mark.long),
    ],
    ids=["plain", "lstm, conditional, tied", "dot, stacked", "all, lstm", "all, gru, stacked"],
)
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_the_whole_model_against_finite_differences(kind, options):
    model, _ = model_of(tiny_config(**options, **DROPOUT))
    config = TrainConfig(consistency=kind, token_cutoff=0.3)

    def function() -> tf.Tensor:
        passes = two_passes(model, config, padded(SOURCES), padded(TARGETS), NOISE)
        return consistent_loss(model.output, passes, config)[0]

    check_gradients(function, [], model.trainable_variables)


def found(model: Seq2Seq, precision: Precision = Precision.float32, **options):
    config = TrainConfig(precision=precision, **options)
    return batch_gradients(model, config, LossScale(precision), padded(SOURCES), padded(TARGETS), NOISE)


def test_micro_batches_have_the_gradients_of_the_undivided_batch():
    """Without dropout, whose masks each micro-batch draws for itself."""
    model, _ = model_of(tiny_config(), dtype=tf.float32)
    whole = found(model, consistency=Consistency.rdrop)
    divided = found(model, consistency=Consistency.rdrop, micro_batch_sentences=1)
    assert int(whole.num_tokens) == 8
    assert_allclose(divided.loss, whole.loss, rtol=1e-6)
    for ours, theirs in zip(divided.gradients, whole.gradients, strict=True):
        assert_allclose(ours, theirs, atol=1e-6 * np.abs(theirs).max() + 1e-8)


def test_micro_batches_are_as_shares_of_the_batch_with_noise_of_their_own():
    model, _ = model_of(tiny_config(**DROPOUT), dtype=tf.float32)
    config = TrainConfig(consistency=Consistency.simcut)
    divided = found(model, consistency=Consistency.simcut, micro_batch_sentences=1)
    alone = [
        batch_gradients(
            model,
            config,
            LossScale(Precision.float32),
            padded(SOURCES)[row : row + 1],
            padded(TARGETS)[row : row + 1],
            NOISE,
            Share(tf.constant(row), len(SOURCES), divided.num_tokens),
        )
        for row in range(len(SOURCES))
    ]
    assert_allclose(divided.loss, sum(float(one.loss) for one in alone), rtol=1e-6)
    for place, ours in enumerate(divided.gradients):
        theirs = sum(one.gradients[place].numpy() for one in alone)
        assert_allclose(ours, theirs, atol=1e-6 * np.abs(theirs).max() + 1e-8)


@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16_is_near(kind):
    exact, _ = model_of(tiny_config(**DROPOUT), dtype=tf.float32)
    whole = found(exact, consistency=kind)
    near = found(exact.computing_in(tf.bfloat16), Precision.bfloat16, consistency=kind)
    assert_allclose(near.loss, whole.loss, rtol=0.02)
    for ours, theirs in zip(near.gradients, whole.gradients, strict=True):
        assert_allclose(ours, theirs, atol=0.05 * np.abs(theirs).max())


@cache
def trained(consistency: Consistency) -> Seq2Seq:
    """One sentence pair again and again."""
    model, _ = model_of(tiny_config(**DROPOUT), dtype=tf.float32)
    trainer = Trainer(model, TrainConfig(consistency=consistency, consistency_weight=5.0, token_cutoff=0.3), seed=1)
    for number in range(1, 41):
        trainer.step(padded(SOURCES), padded(TARGETS), tf.constant(0.01), tf.constant(number, tf.int64))
    return model


@pytest.mark.parametrize("kind", KINDS)
def test_passes_come_to_agree(kind):
    """With the term the passes end nearer to one another than without it."""
    distances = {}
    for consistency in (Consistency.none, kind):
        model, config = trained(consistency), TrainConfig(consistency=kind, token_cutoff=0.3)
        passes = two_passes(model, config, padded(SOURCES), padded(TARGETS), NOISE)
        p_NV, q_NV = (tf.nn.softmax(model.output.logits(x)) for x in passes[:2])
        distances[consistency] = float(tf.reduce_mean(kl(p_NV, q_NV)))
    assert distances[kind] < 0.7 * distances[Consistency.none]
