"""A model of a configuration, and what a checkpoint puts into it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from nmt.checkpoint.bundle import LEARNT_VECTORS, Bundle, Opened, evaluated, key_in_file, opened
from nmt.checkpoint.file import assign
from nmt.checkpoint.names import is_parameter, name_of
from nmt.checkpoint.parameters import param_setters
from nmt.checkpoint.reader import OpenCheckpoint
from nmt.config.precision import Precision
from nmt.config.root import Config
from nmt.config.saved import load_config
from nmt.data.subwords import Vocabularies, subwords_from_bytes
from nmt.errors import CheckpointError
from nmt.model.seq2seq import Seq2Seq
from nmt.training.state import TrainingState
from nmt.training.step import Trainer


@dataclass(frozen=True)
class Loaded:
    """A checkpoint brought to life for translating."""

    path: Path
    bundle: Bundle
    config: Config
    vocabularies: Vocabularies
    model: Seq2Seq  # averaged weights where the file has them


def build_model(config: Config, vocabularies: Vocabularies, precision: Precision) -> Seq2Seq:
    """The untrained model of a configuration; `precision` is that of its large products."""
    sizes = vocabularies.src.size, vocabularies.tgt.size
    return Seq2Seq(config.model, *sizes, config.seed, compute=tf.as_dtype(precision.value))


def search_model(config: Config, model: Seq2Seq) -> Seq2Seq:
    """The same weights, with products in the precision that translating asks for."""
    return model.computing_in(tf.as_dtype(config.search.precision.value))


def vocabularies_of(bundle: Bundle) -> Vocabularies:
    """The pieces that a checkpoint was trained with."""
    src, tgt = (subwords_from_bytes(bundle.subword_kind, data) for data in (bundle.subword_src, bundle.subword_tgt))
    return Vocabularies(src, tgt, bundle.subword_joint)


def open_checkpoint(path: Path, overrides: tuple[str, ...] = (), with_vectors: bool = False) -> Loaded:
    """A model ready to translate, from this one file; `overrides` change its saved configuration (`search.beam=1`).

    `with_vectors`: its bundle has the word vectors that scoring needs.
    """
    with opened(path, without=() if with_vectors else LEARNT_VECTORS) as start:
        config = load_config(start.bundle.config, overrides, origin=f"{path}, its configuration")
        vocabularies = vocabularies_of(start.bundle)
        model = build_model(config, vocabularies, config.search.precision)
        assign_best(path, start.file, model)
    return Loaded(path, start.bundle, config, vocabularies, model)


def assign_best(path: Path, file: OpenCheckpoint, model: Seq2Seq) -> None:
    """Give a model a checkpoint's weights: the averaged ones where the file has them, else the trained ones."""
    assign(path, file, param_setters(model), evaluated(file))


def restore(start: Opened, trainer: Trainer) -> TrainingState:
    """Put a checkpoint's weights, slots and averages into a trainer; -> how far its run had come."""
    setters, there = param_setters(trainer), start.file.datasets
    keys = {name_of(key): key for key in there if is_parameter(key)}
    slots = {name: key_in_file(name) for name in setters if not is_parameter(key_in_file(name))}
    for key in ("<state>", *slots.values()):
        if key not in there:
            raise CheckpointError(
                str(start.path),
                found=f"no {key}",
                expected="the optimiser's slots and the state of a run",
                next_step="start a new run with train.init_from, which takes the weights alone",
            )
    assign(start.path, start.file, setters, keys | slots)
    return TrainingState.from_json(str(start.bundle.state))
