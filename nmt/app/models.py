"""A model of a configuration, and what a checkpoint puts into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from nmt.checkpoint.bundle import LEARNT_VECTORS, Bundle, Opened, evaluated, key_in_file, opened
from nmt.checkpoint.file import assign
from nmt.checkpoint.names import is_parameter, name_of
from nmt.checkpoint.parameters import param_setters
from nmt.checkpoint.reader import OpenCheckpoint
from nmt.config.commands import VOTE
from nmt.config.precision import Precision
from nmt.config.root import Config
from nmt.config.saved import load_config
from nmt.data.subwords import Vocabularies, subwords_from_bytes
from nmt.errors import CheckpointError
from nmt.model.seq2seq import Seq2Seq
from nmt.search.ensembles import Ensemble
from nmt.search.interface import SearchModel
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


@dataclass(frozen=True)
class SystemModel:
    """A checkpoint or an ensemble: the first file says which data, search and scores."""

    first: Loaded
    model: SearchModel
    bundles: Sequence[Bundle]  # of all files


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


def members(name: str) -> list[Path]:
    """The files of an ensemble; a file that has the sign in its name is one."""
    return [Path(name)] if Path(name).exists() else [Path(part) for part in name.split(VOTE)]


def open_system(files: Sequence[Path], overrides: tuple[str, ...] = (), with_vectors: bool = False) -> SystemModel:
    """One model, or several that vote; `with_vectors`: with the first one's word vectors.

    Raises CheckpointError where they do not read and write the same pieces.
    """
    first = open_checkpoint(files[0], overrides, with_vectors)
    others = [open_checkpoint(file, overrides) for file in files[1:]]
    for other in others:
        check_same_vocabularies(first, other)
    everyone = [first, *others]
    model = Ensemble([one.model for one in everyone]) if others else first.model
    return SystemModel(first, model, [one.bundle for one in everyone])


def check_same_vocabularies(first: Loaded, other: Loaded) -> None:
    """Raises CheckpointError where the two read or write other pieces."""
    side = differing_side(first.vocabularies, other.vocabularies)
    if side is not None:
        raise CheckpointError(
            str(other.path),
            found=f"another {side} vocabulary",
            expected=f"that of {first.path}",
            next_step="train the members of an ensemble on the same corpus with the same subwords",
        )


def differing_side(ours: Vocabularies, theirs: Vocabularies) -> str | None:
    """source or target: the side whose pieces are not the same."""
    for side, one, other in (("source", ours.src, theirs.src), ("target", ours.tgt, theirs.tgt)):
        if one.kind is not other.kind or one.to_bytes() != other.to_bytes():
            return side
    return None


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
    return TrainingState.from_json(str(start.bundle.state), str(start.path))
