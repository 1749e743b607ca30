# B batch, N rows, S source step, V vocabulary, G members, W pieces of a shortlist
"""Several models that translate as one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from nmt.errors import CheckpointError
from nmt.model.listed import ListedModel
from nmt.model.seq2seq import Seq2Seq
from nmt.search.interface import SearchMemory, SearchModel, State


class EnsembleMemory(NamedTuple):
    """What each member made of the source."""

    members: tuple[Any, ...]
    mask_BS: tf.Tensor
    initial: State


class Ensemble:
    """P(word) is the mean of the members' probabilities (not of their logarithms), attention the mean of theirs.

    It has the interface of a model, so every search takes it. The members read and write the same vocabularies; that
    the vocabularies are as long as each other is all that can be seen here.
    """

    def __init__(self, models: Sequence[SearchModel]) -> None:
        """Raises CheckpointError where there is no model, or where their target vocabularies differ in size."""
        if not models:
            raise CheckpointError(
                "checkpoint", found="no model", expected="at least one", next_step="name a checkpoint file"
            )
        self.models, self.target_vocab = tuple(models), models[0].target_vocab
        for number, model in enumerate(models[1:], start=2):
            if model.target_vocab != self.target_vocab:
                raise CheckpointError(
                    f"checkpoint number {number}",
                    found=f"a target vocabulary of {model.target_vocab} pieces",
                    expected=f"{self.target_vocab} pieces as in the first",
                    next_step="combine models that were trained with the same vocabularies",
                )

    def for_loop(self, turned: bool = False) -> Ensemble:
        """The same, each member ready for a loop."""
        return Ensemble([model.for_loop(turned) for model in self.models])

    def encode(self, source_BS: tf.Tensor) -> SearchMemory:
        """Read the sources with every member."""
        members = tuple(model.encode(source_BS) for model in self.models)
        return EnsembleMemory(members, members[0].mask_BS, tuple(memory.initial for memory in members))

    def step(self, token_N: tf.Tensor, state: State, memory: EnsembleMemory) -> tuple[tf.Tensor, State, tf.Tensor]:
        """-> log-probabilities [N, V], which are logits too; the members' states; attention [N, S]."""
        outputs = [
            model.step(token_N, one, its) for model, one, its in zip(self.models, state, memory.members, strict=True)
        ]
        log_prob_GNV = tf.stack([tf.nn.log_softmax(logits_NV) for logits_NV, _, _ in outputs])
        mean_NV = tf.reduce_logsumexp(log_prob_GNV, axis=0) - math.log(len(outputs))
        weight_NS = tf.add_n([tf.cast(weight_NS, tf.float32) for _, _, weight_NS in outputs]) / len(outputs)
        return mean_NV, tuple(new for _, new, _ in outputs), weight_NS


def writing(model: SearchModel, piece_W: tf.Tensor) -> SearchModel:
    """The same, ready for a loop, with these target pieces alone, numbered from 0 (`nmt.search.shortlist`)."""
    if isinstance(model, Ensemble):
        return Ensemble([writing(one, piece_W) for one in model.models])
    assert isinstance(model, Seq2Seq), "a shortlist is of our own models"
    return ListedModel(model, piece_W)
