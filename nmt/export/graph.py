# B batch, N rows, S source step, M hypotheses a sentence, T target step, V vocabulary
"""What the SavedModel computes: ids in, ids out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from nmt.config.search import SearchConfig
from nmt.data.subwords import Vocabularies
from nmt.errors import ConfigError
from nmt.model.decoder import Memory
from nmt.model.seq2seq import Seq2Seq
from nmt.search.interface import State
from nmt.search.translate import Translator

SOURCE = tf.TensorSpec([None, None], tf.int32, name="source")
TOKEN = tf.TensorSpec([None], tf.int32, name="token")
STATE = "state_"  # state_0, state_1, ...: of each cell of the decoder, from the lowest layer up


def check_search(search: SearchConfig) -> None:
    """Raises ConfigError for what a graph of ids does not do."""
    for key, usual, why in (
        ("samples", "0", "a search for the best"),
        ("shortlist", "null", "the graph may write all pieces"),
        ("mbr", "none", "the graph answers with what its search finds best"),
        ("replace_unknown", "false", "the graph reads ids, not the words behind them"),
    ):
        value = getattr(search, key)
        found = "null" if value is None else str(getattr(value, "value", value)).lower()
        if found != usual:
            raise ConfigError(
                f"search.{key}", found=found, expected=f"{usual}: {why}", next_step=f"add search.{key}={usual}"
            )


def save(model: Seq2Seq, vocabularies: Vocabularies, search: SearchConfig, folder: str) -> None:
    """Write the SavedModel."""
    module = tf.Module()
    module.model = model  # so that its weights are saved
    functions = signatures(model, vocabularies, search)
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)  # nobody trains what is exported
    tf.saved_model.save(module, folder, signatures=functions, options=options)


def signatures(model: Seq2Seq, vocabularies: Vocabularies, search: SearchConfig) -> dict[str, Any]:
    """encode, step, translate (the search as it is configured) and greedy, each with fixed names and free sizes."""
    like: Memory = tf.function(model.encode, input_signature=[SOURCE]).get_concrete_function().structured_outputs
    rows = {name: tf.TensorSpec(x.shape, x.dtype, name=name) for name, x in named(like).items()}
    step = tf.function(lambda token, **rows: stepped(model, token, rows, like), autograph=False)
    return {
        "encode": tf.function(lambda source: named(model.encode(source)), input_signature=[SOURCE], autograph=False),
        "step": step.get_concrete_function(token=TOKEN, **rows),
        "translate": searching(Translator(model, vocabularies, search)),
        "greedy": searching(Translator(model, vocabularies, search.greedy())),
    }


def named(memory: Memory) -> dict[str, tf.Tensor]:
    """What `step` looks at, and the states that it begins with."""
    return {"states": memory.states_BSD, "keys": memory.keys_BSA, "mask": memory.mask_BS, **states(memory.initial)}


def states(state: State) -> dict[str, tf.Tensor]:
    """By name, from the lowest layer up."""
    return {f"{STATE}{place}": x for place, x in enumerate(tf.nest.flatten(state))}


def stepped(model: Seq2Seq, token_N: tf.Tensor, rows: Mapping[str, tf.Tensor], like: Memory) -> dict[str, tf.Tensor]:
    """One word further: its logits [N, V], the attention [N, S], and the new states."""
    state = tf.nest.pack_sequence_as(like.initial, [rows[name] for name in states(like.initial)])
    memory = Memory(rows["states"], rows["keys"], rows["mask"], state)
    logits_NV, state, weight_NS = model.step(token_N, state, memory)
    return {"logits": logits_NV, "attention": tf.cast(weight_NS, tf.float32), **states(state)}


def searching(translator: Translator) -> Any:
    """A search as a function of its own: what is always demanded of it is part of the graph."""

    def run(source: tf.Tensor) -> dict[str, tf.Tensor]:
        found = translator.search(source)
        return {
            "ids": found.tokens_BMT,
            "length": found.length_BM,
            "score": found.score_BM,
            "log_prob": found.log_prob_BM,
            "attention": found.weight_BMTS,
        }

    graph: Callable[..., Any] = tf.function(run, input_signature=[SOURCE], autograph=False)
    return graph
