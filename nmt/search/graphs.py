# B batch, S source step, W pieces of a shortlist
"""A search as graphs that no shape of batch traces anew: without rules, with them, and over a shortlist of words."""

from __future__ import annotations

from abc import ABC, abstractmethod

import tensorflow as tf

from nmt.search.ensembles import writing
from nmt.search.interface import Hypotheses, SearchModel
from nmt.search.rules import ANY_DEMANDS, Demands, Rules


class GraphSearch(ABC):
    """What the searches of TensorFlow share. Each graph is traced when it is first asked for."""

    def __init__(self, model: SearchModel, rules: Rules | None) -> None:
        self.model, self.rules = model, rules
        source, pieces = tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None], tf.int32)
        self._graph = tf.function(self._plain, input_signature=[source], autograph=False)
        self._ruled_graph = tf.function(self._ruled, input_signature=[source, ANY_DEMANDS], autograph=False)
        self._short_graph = tf.function(self._short, input_signature=[source, pieces], autograph=False)

    def __call__(
        self, source_BS: tf.Tensor, demands: Demands | None = None, piece_W: tf.Tensor | None = None
    ) -> Hypotheses:
        """Translate sources, int32 [B, S], each ending in EOS and padded with 0; B at least 1. Demands need rules.

        `piece_W`: with these pieces alone (`nmt.search.shortlist`), where nothing is demanded.
        """
        if piece_W is not None:
            assert demands is None, "rules are of all pieces"
            return Hypotheses(*self._short_graph(source_BS, piece_W))
        if demands is None:
            return Hypotheses(*self._graph(source_BS))
        return Hypotheses(*self._ruled_graph(source_BS, demands))

    @abstractmethod
    def _search(self, model: SearchModel, source_BS: tf.Tensor, demands: Demands | None = None) -> Hypotheses:
        """Within a graph, with a model that is ready for its loop."""

    def _plain(self, source_BS: tf.Tensor) -> Hypotheses:
        return self._search(self.model.for_loop(), source_BS)

    def _ruled(self, source_BS: tf.Tensor, demands: Demands) -> Hypotheses:
        assert self.rules is not None, "demands are judged by rules"
        return self._search(self.model.for_loop(), source_BS, demands)

    def _short(self, source_BS: tf.Tensor, piece_W: tf.Tensor) -> Hypotheses:
        found = self._search(writing(self.model.for_loop(), piece_W), source_BS)
        return found._replace(tokens_BMT=tf.gather(piece_W, found.tokens_BMT))
