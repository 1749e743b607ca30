# B batch, S source step, T target step, V vocabulary, N real target words
"""The whole model against its NumPy twin, in batches and alone, taught and stepped; its names and its golden values."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from nmt.config.model import Attention, Cell, Decoder, Tie
from nmt.model.initial import Initial
from nmt.model.seq2seq import BOS, Seq2Seq
from tests.unit.model_tools import assign, model_of, name_of, padded, vocabularies
from tests.unit.model_twins import (
    GOLDEN,
    GOLDEN_VOCABULARY,
    Twin,
    configs,
    golden_values,
    range_filled,
    tiny_config,
    weight_shapes,
)

SOURCES = [[4, 7, 5, 3, 2], [6, 2], [5, 5, 2]]
TARGETS = [[5, 2], [3, 7, 6, 4, 2], [4, 6, 2]]


@pytest.fixture(scope="module", params=configs())
def built(request):
    """(configuration, model, its twin), for each of the configurations."""
    config = configs()[request.param]
    model, weights = model_of(config)
    return config, model, Twin(config, weights)


def by_sentence(rows_N: np.ndarray, targets: list[list[int]]) -> list[np.ndarray]:
    """Rows that `teach` returns step by step, as one array a sentence."""
    order = [number for t in range(max(map(len, targets))) for number, ids in enumerate(targets) if t < len(ids)]
    return [rows_N[np.array(order) == number] for number in range(len(targets))]


def test_the_configurations_use_every_value_of_every_option():
    for option, values in (("cell", Cell), ("attention", Attention), ("decoder", Decoder), ("tie", Tie)):
        assert {getattr(config, option) for config in configs().values()} == set(values)
    for switch in ("residual", "layer_norm"):
        assert {getattr(config, switch) for config in configs().values()} == {True, False}
    assert {config.transition_depth for config in configs().values()} == {1, 3}


def test_taught_logits_of_a_padded_batch_are_those_of_the_numpy_twin(built):
    _, model, twin = built
    taught = model.teach(padded(SOURCES), padded(TARGETS))
    assert_array_equal(taught.target_N, [5, 3, 4, 2, 7, 6, 6, 2, 4, 2])
    logits = by_sentence(model.output.logits(taught.readout_NR).numpy(), TARGETS)
    for number, (source, target) in enumerate(zip(SOURCES, TARGETS, strict=True)):
        assert_allclose(logits[number], twin.teach(source, target)[0], rtol=0, atol=1e-10)


def test_attention_of_a_padded_batch_is_that_of_the_numpy_twin_and_padding_gets_none(built):
    _, model, twin = built
    weight_BTS = model.attention(padded(SOURCES), padded(TARGETS)).numpy()
    assert weight_BTS.shape == (3, 5, 5)
    for row_TS, source, target in zip(weight_BTS, SOURCES, TARGETS, strict=True):
        expected_TS = twin.teach(source, target)[1]
        assert_allclose(row_TS[: len(target), : len(source)], expected_TS, rtol=0, atol=1e-10)
        assert not row_TS[:, len(source) :].any()


def test_encoder_of_a_padded_batch_is_the_numpy_loop(built):
    config, model, twin = built
    memory = model.encode(padded(SOURCES, width=7))
    for number, source in enumerate(SOURCES):
        states_SD, ends_D = twin.encode(source)
        assert_allclose(memory.states_BSD[number, : len(source)], states_SD, rtol=0, atol=1e-10)
        starts = tf.nest.map_structure(lambda x, number=number: x[number], memory.initial)
        tf.nest.map_structure(lambda x, y: assert_allclose(x, y, atol=1e-10), starts, tuple(twin.starts(ends_D)))
    assert_array_equal(memory.mask_BS, [[s < len(source) for s in range(7)] for source in SOURCES])
    assert len(memory.initial) == config.decoder_layers


@pytest.mark.parametrize("name", ["default", "dot, stacked, residual, lstm"])
def test_a_sentence_alone_is_the_same_as_in_a_padded_batch(name):
    model, _ = model_of(configs()[name])
    together = model.teach(padded(SOURCES, width=8), padded(TARGETS, width=9)).readout_NR.numpy()
    for number, rows_TE in enumerate(by_sentence(together, TARGETS)):
        alone_TE = model.teach(padded([SOURCES[number]]), padded([TARGETS[number]])).readout_NR
        assert_allclose(rows_TE, alone_TE, rtol=0, atol=1e-10)


def test_steps_one_by_one_are_the_taught_loop(built):
    _, model, _ = built
    target = padded([ids + [2] * (5 - len(ids)) for ids in TARGETS])
    source = padded(SOURCES)
    taught_BTV = tf.reshape(model.output.logits(model.teach(source, target).readout_NR), [5, 3, -1]).numpy()
    weight_BTS = model.attention(source, target).numpy()
    memory = model.encode(source)
    state, word_B = memory.initial, tf.fill([3], BOS)
    for t in range(5):
        logits_BV, state, weight_BS = model.step(word_B, state, memory)
        assert logits_BV.dtype == tf.float32
        assert_allclose(logits_BV, taught_BTV[t], rtol=0, atol=1e-5)  # single precision
        assert_allclose(weight_BS, weight_BTS[:, t], rtol=0, atol=1e-10)
        word_B = target[:, t]
    assert state[0][0].dtype == tf.float64


def test_variables_are_named_and_shaped_as_documented_and_no_name_is_used_twice(built):
    config, model, _ = built
    names = [name_of(variable) for variable in model.variables]
    assert len(set(names)) == len(names)
    found = {name_of(variable): tuple(variable.shape) for variable in model.variables}
    assert found == weight_shapes(config, *vocabularies(config))
    assert [name_of(variable) for variable in model.trainable_variables] == names


def test_the_names_of_the_default_model_never_change():
    model = Seq2Seq(tiny_config(), 12, 10, seed=1)  # every option at its default, but for the sizes
    golden = json.loads((GOLDEN / "model_names.json").read_text())
    assert {name_of(v): list(v.shape) for v in model.variables} == golden
    assert {"encoder/forward/gru/kernel", "encoder/forward/gru/recurrent_kernel"} <= golden.keys()
    assert all(v.dtype == tf.float32 for v in model.variables)


def test_range_filled_weights_give_the_golden_values():
    golden = json.loads((GOLDEN / "model_tiny.json").read_text())
    config = tiny_config()
    model = Seq2Seq(config, *GOLDEN_VOCABULARY, seed=0, dtype=tf.float64)
    assign(model, range_filled(weight_shapes(config, *GOLDEN_VOCABULARY)))
    source, target = padded([golden["source"]]), padded([golden["target"]])
    memory = model.encode(source)
    assert_allclose(memory.states_BSD[0], golden["encoder_states"], rtol=0, atol=1e-10)
    source_SB = tf.transpose(source)
    _, ends_BD = model.encoder(model.source_embedding(source_SB), source_SB != 0, None)
    assert_allclose(ends_BD[0], golden["encoder_ends"], rtol=0, atol=1e-10)
    logits_TV = model.output.logits(model.teach(source, target).readout_NR)
    assert_allclose(logits_TV, golden["logits"], rtol=0, atol=1e-10)
    assert_allclose(model.attention(source, target)[0], golden["attention"], rtol=0, atol=1e-10)


def test_the_golden_values_are_still_what_the_twin_computes():
    golden = json.loads((GOLDEN / "model_tiny.json").read_text())
    for name, value in golden_values().items():
        assert_allclose(value, golden[name], rtol=0, atol=1e-12)


@pytest.mark.parametrize("tie, tables", [(Tie.none, 3), (Tie.target, 2), (Tie.all, 1)])
def test_tied_tables_are_one_variable(tie, tables):
    model = Seq2Seq(tiny_config(tie=tie), 8, 8, seed=1)
    assert sum("table" in v.name for v in model.trainable_variables) == tables
    assert (model.output.table_VR is model.target_embedding.table_VE) is (tie is not Tie.none)
    assert (model.source_embedding is model.target_embedding) is (tie is Tie.all)


def gradient_by_name(model: Seq2Seq) -> dict[str, np.ndarray]:
    with tf.GradientTape() as tape:
        taught = model.teach(padded(SOURCES), padded(TARGETS))
        result = tf.reduce_sum(tf.sin(model.output.logits(taught.readout_NR)))
    weights = model.trainable_variables
    return {
        name_of(v): tf.convert_to_tensor(g).numpy()
        for v, g in zip(weights, tape.gradient(result, weights), strict=True)
    }


@pytest.mark.parametrize("tie", [Tie.target, Tie.all])
def test_the_gradient_of_a_shared_table_is_the_sum_of_all_its_uses(tie):
    tied, weights = model_of(tiny_config(tie=tie))
    untied = Seq2Seq(tiny_config(), *vocabularies(tied.config), seed=0, dtype=tf.float64)
    shared = {Tie.target: "decoder/embedding/table", Tie.all: "embedding/table"}[tie]
    uses = ["output/table", "decoder/embedding/table", "encoder/embedding/table"][: 3 if tie is Tie.all else 2]
    assign(untied, weights | dict.fromkeys(uses, weights[shared]))
    parts, total = gradient_by_name(untied), gradient_by_name(tied)
    assert all(np.abs(parts[use]).max() > 0 for use in uses)
    assert_allclose(total[shared], sum(parts[use] for use in uses), rtol=0, atol=1e-10)


def test_one_table_asks_for_one_vocabulary():
    with pytest.raises(AssertionError, match="one table serves one vocabulary"):
        Seq2Seq(tiny_config(tie=Tie.all), 8, 9, seed=1)


def test_first_weights_are_a_function_of_seed_and_name_alone():
    def weights(seed, **options):
        model = Seq2Seq(tiny_config(**options), 9, 8, seed=seed)
        return {name_of(v): v.numpy() for v in model.variables}

    first, again, other = weights(3), weights(3, attention=Attention.single_layer), weights(4)
    shared = first.keys() & again.keys() - {"decoder/attention/query_kernel", "decoder/attention/memory_kernel"}
    assert len(shared) > 15
    for name in shared:
        assert_array_equal(first[name], again[name])
        assert "bias" in name or not np.array_equal(first[name], other[name])


def test_first_weights_have_the_documented_scale():
    initial = Initial(seed=5, dtype=tf.float64)
    glorot = initial.glorot("a", 30, 60, 10).numpy()
    for part, columns in ((glorot[:, :60], 60), (glorot[:, 60:], 10)):
        bound = np.sqrt(6 / (30 + columns))
        assert 0.9 * bound < np.abs(part).max() <= bound
    for square in np.split(initial.orthogonal("b", 12, 3).numpy(), 3, axis=1):
        assert_allclose(square.T @ square, np.eye(12), atol=1e-12)
    assert_allclose(initial.normal("c", 200, 50, 0.3).numpy().std(), 0.3, rtol=0.05)
    uniform = initial.uniform("d", 500, 0.2).numpy()
    assert 0.19 < np.abs(uniform).max() <= 0.2
    assert_array_equal(initial.constant("e", np.array([1.0, 2.0])), [1.0, 2.0])


def test_the_forget_gate_of_an_lstm_starts_open():
    model = Seq2Seq(tiny_config(cell=Cell.lstm, decoder=Decoder.conditional), 9, 8, seed=1)
    biases = {name_of(v): v.numpy() for v in model.variables if "lstm/bias" in v.name}
    assert len(biases) == 4
    for bias_G in biases.values():
        assert_array_equal(bias_G, np.repeat([0, 1, 0, 0], len(bias_G) // 4))
