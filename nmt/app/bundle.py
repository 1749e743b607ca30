"""What a checkpoint carries so that it needs no other file: configuration, vocabularies, optimiser, state, history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from nmt.checkpoint.file import extra_names, load, load_extras, read_extras
from nmt.checkpoint.names import key_of
from nmt.checkpoint.parameters import parameters
from nmt.config.precision import Precision
from nmt.config.root import Config
from nmt.config.saved import dump, load_config
from nmt.config.subword import SubwordKind
from nmt.data.subwords import Vocabularies, subwords_from_bytes
from nmt.errors import CheckpointError
from nmt.model.seq2seq import Seq2Seq
from nmt.training.state import TrainingState
from nmt.training.step import Trainer

Extras = dict[str, "bytes | str | np.ndarray"]
EVERY_CHECKPOINT = ("config", "subword_kind", "subword_joint", "subword_src", "subword_tgt")
AVERAGE = "average "


@dataclass(frozen=True)
class Loaded:
    """A checkpoint brought to life for translating."""

    path: Path
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


def slot_variables(trainer: Trainer) -> dict[str, tf.Variable]:
    """Everything of a trainer that is not a weight: `adam_m NAME`, `adam_v NAME`, `average NAME`, slashes as spaces;
    with float16 also the loss scale."""
    groups: dict[str, Mapping[str, tf.Variable]] = {
        "adam_m": trainer.optimizer.m,
        "adam_v": trainer.optimizer.v,
        "average": trainer.average.values,
        "loss_scale": trainer.loss_scale.values,
    }
    return {
        f"{group} {name.replace('/', ' ')}": variable
        for group, variables in groups.items()
        for name, variable in variables.items()
    }


def pack(config: Config, vocabularies: Vocabularies, trainer: Trainer, state: TrainingState) -> Extras:
    """Everything but the weights, for the file's keys in angle brackets."""
    extras: Extras = {
        "config": dump(config),
        "subword_kind": vocabularies.src.kind.value,
        "subword_joint": "yes" if vocabularies.joint else "no",
        "subword_src": vocabularies.src.to_bytes(),
        "subword_tgt": vocabularies.tgt.to_bytes(),
        "state": state.to_json(),
    }
    for key, variable in slot_variables(trainer).items():
        extras[key] = variable.numpy()
    return extras


def read_bundle(path: Path) -> tuple[str, Vocabularies]:
    """Configuration and vocabularies that a checkpoint was trained with. Raises CheckpointError where it has none."""
    extras = read_extras(path, only=lambda name: name in EVERY_CHECKPOINT)
    for key in EVERY_CHECKPOINT:
        if key not in extras:
            raise CheckpointError(
                str(path),
                found=f"no <{key}>",
                expected="a checkpoint written by a training run, with its configuration and vocabularies",
                next_step="use last.h5 or best.h5 of a run folder",
            )
    kind = SubwordKind(extras["subword_kind"])
    src, tgt = (subwords_from_bytes(kind, _bytes(extras[f"subword_{side}"])) for side in ("src", "tgt"))
    return str(extras["config"]), Vocabularies(src, tgt, extras["subword_joint"] == "yes")


def _bytes(value: object) -> bytes:
    assert isinstance(value, bytes), "vocabularies are saved as bytes"
    return value


def restore(path: Path, trainer: Trainer) -> TrainingState:
    """Put a checkpoint's weights, slots and averages into a trainer; -> how far its run had come."""
    slots = slot_variables(trainer)
    extras = read_extras(path, only=lambda name: name not in slots)
    there = extra_names(path)
    for key in ("state", *slots):
        if key not in there:
            raise CheckpointError(
                str(path),
                found=f"no <{key}>",
                expected="the optimiser's slots and the state of a run",
                next_step="start a new run with train.init_from, which takes the weights alone",
            )
    load(path, trainer.model)
    load_extras(path, slots)
    return TrainingState.from_json(str(extras["state"]))


def open_checkpoint(path: Path, overrides: tuple[str, ...] = ()) -> Loaded:
    """A model ready to translate, from this one file; `overrides` change its saved configuration (`search.beam=1`)."""
    text, vocabularies = read_bundle(path)
    config = load_config(text, overrides, origin=f"{path}, its configuration")
    model = build_model(config, vocabularies, config.search.precision)
    assign_best(path, model)
    return Loaded(path, config, vocabularies, model)


def assign_best(path: Path, model: Seq2Seq) -> None:
    """Give a model a checkpoint's weights: the averaged ones where the file has them, else the trained ones."""
    load(path, model)
    there = extra_names(path)
    averages = {AVERAGE + key_of(name): variable for name, variable in parameters(model).items()}
    load_extras(path, {key: variable for key, variable in averages.items() if key in there})
