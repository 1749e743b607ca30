# B batch, N rows, M hypotheses a sentence, S source step, T target step, V vocabulary
"""What a search asks of a model, and what it answers."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

State = Any  # tensors or tuples of them, the first axis of each being rows


class SearchMemory(Protocol):
    """An encoded source: a tuple of tensors by row, among which a search looks at two.

    Its other fields are the model's own. `tf.nest` must be able to take it apart.
    """

    @property
    def mask_BS(self) -> tf.Tensor:  # noqa: N802
        """bool: real source words."""

    @property
    def initial(self) -> State:
        """The decoder's first state."""


class SearchModel(Protocol):
    """An encoder-decoder, or several that act as one (`nmt.search.ensembles.Ensemble`)."""

    target_vocab: int

    def for_loop(self, turned: bool = False) -> SearchModel:
        """The same, with whatever does not depend on the sentences done once. turned: see `Seq2Seq.for_loop`."""

    def encode(self, source_BS: tf.Tensor) -> SearchMemory:
        """Read the sources, int32 [B, S], padded with 0."""

    def step(self, token_N: tf.Tensor, state: State, memory: Any) -> tuple[tf.Tensor, State, tf.Tensor]:
        """-> logits [N, V] float32, new state, attention [N, S]. Row n of all arguments belongs to one prefix."""


class Hypotheses(NamedTuple):
    """What was found for each sentence, best first.

    Where fewer than M were found the rest has score -inf and length 0. The scores are those of `nmt.search.penalties`.
    """

    tokens_BMT: tf.Tensor  # int32, each ending in EOS, padded with 0
    length_BM: tf.Tensor  # int32, EOS included
    score_BM: tf.Tensor  # float32: normalised, coverage included
    log_prob_BM: tf.Tensor  # float32, natural logarithm: of the whole sentence, EOS included
    weight_BMTS: tf.Tensor  # float32: attention of the step that wrote each word; 0 past the length


class Found(NamedTuple):
    """One translation of one sentence."""

    tokens: list[int]  # EOS included
    score: float
    log_prob: float
    weight_TS: NDArray[np.float32]
