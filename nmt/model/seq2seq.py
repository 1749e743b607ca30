# B batch, N rows, S source step, T target step, E embedding, G gates, R readout, V vocabulary
"""The whole encoder-decoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import tensorflow as tf

from nmt.config.model import ModelConfig, Tie
from nmt.model.decoder import Decoder, DecoderState, Memory
from nmt.model.embedding import Embedded, Embedding, take
from nmt.model.encoder import Encoder
from nmt.model.initial import Existing, Initial
from nmt.model.noise import Noise, cut_words, drop_words, dropout
from nmt.model.output import DeepOutput

PAD, BOS = 0, 1


class Teaching(NamedTuple):
    """What a given target leads to: the deep output's input of the real words, and which words they are."""

    readout_NR: tf.Tensor  # N real target words of the batch, step by step
    target_N: tf.Tensor


class Seq2Seq(tf.Module):
    """Encoder, attention, decoder (Bahdanau, Cho & Bengio 2015).

    Ids: 0 pads, 1 starts a sentence (decoder input only). Sources and targets end in an end mark of the vocabulary's.
    compute: the type of the large products (None: that of the weights); everything else is of the weights' type.
    weights: take these, by name, and make none.
    """

    def __init__(
        self,
        config: ModelConfig,
        source_vocab: int,
        target_vocab: int,
        seed: int,
        dtype: tf.DType = tf.float32,
        compute: tf.DType | None = None,
        weights: Mapping[str, tf.Tensor] | None = None,
    ) -> None:
        super().__init__(name="seq2seq")
        initial = Initial(seed, dtype, compute) if weights is None else Existing(seed, dtype, compute, weights)
        self.source_vocab, self.seed, self.compute = source_vocab, seed, compute
        self.config, self.dtype, self.target_vocab = config, dtype, target_vocab
        if config.tie is Tie.all:
            assert source_vocab == target_vocab, "one table serves one vocabulary"
            self.source_embedding = Embedding(initial, "embedding", source_vocab, config.embedding)
            self.target_embedding = self.source_embedding
        else:
            self.source_embedding = Embedding(initial, "encoder/embedding", source_vocab, config.embedding)
            self.target_embedding = Embedding(initial, "decoder/embedding", target_vocab, config.embedding)
        self.encoder = Encoder(config, initial)
        self.decoder = Decoder(config, initial)
        tied = None if config.tie is Tie.none else self.target_embedding.table_VE
        self.output = DeepOutput(config, initial, target_vocab, tied)
        self._ready = False  # for a loop

    def named_weights(self) -> dict[str, tf.Variable]:
        """Every weight by its name, `encoder/forward/gru/kernel`."""
        return {weight.name.split(":")[0]: weight for weight in self.trainable_variables}

    def computing_in(self, compute: tf.DType | None) -> Seq2Seq:
        """A model of these very weights whose products are taken in another type."""
        return self._with(self.named_weights(), compute)

    def for_loop(self, turned: bool = False) -> Seq2Seq:
        """A model of the weights as they are now, rounded once for all the products of a loop.

        turned: with the output's table the other way round, which small batches gain by; logits differ in the last bit.
        """
        if self._ready:
            return self
        kind = self.compute or self.dtype
        values = {name: tf.convert_to_tensor(weight) for name, weight in self.named_weights().items()}
        rounded = {name: tf.cast(x, kind if x.shape.rank == 2 else x.dtype) for name, x in values.items()}
        ready = self._with(rounded, self.compute)
        ready._ready = True
        if turned:
            ready.output.turn()
        return ready

    def _with(self, weights: Mapping[str, tf.Tensor], compute: tf.DType | None) -> Seq2Seq:
        sizes = self.source_vocab, self.target_vocab
        return Seq2Seq(self.config, *sizes, self.seed, self.dtype, compute, weights)

    def encode(self, source_BS: tf.Tensor, noise: Noise | None = None) -> Memory:
        """Read the sources [B, S], padded with 0."""
        source_SB = tf.transpose(source_BS)
        x_SBE = self._embed(self.source_embedding, source_SB, self.config.dropout_source_words, noise, "source")
        states_BSD, ends_BD = self.encoder(x_SBE, source_SB != PAD, noise)
        return self.decoder.remember(states_BSD, ends_BD, source_BS != PAD)

    def _previous(self, target_BT: tf.Tensor, noise: Noise | None) -> Embedded:
        """Embeddings of the words before each target word: [T, B, E]."""
        target_TB = tf.transpose(target_BT)
        before_TB = tf.concat([tf.fill([1, tf.shape(target_TB)[1]], BOS), target_TB[:-1]], axis=0)
        return self._embed(self.target_embedding, before_TB, self.config.dropout_target_words, noise, "target")

    def _embed(
        self, embedding: Embedding, ids_TB: tf.Tensor, words: float, noise: Noise | None, place: str
    ) -> Embedded:
        """Each distinct word once, where nothing tells its places apart. `words`: the share that is dropped."""
        rate = self.config.dropout_embedding
        if noise is None or not (rate or words or noise.cutoff):
            return embedding.distinct(ids_TB)
        x_TBE = dropout(embedding(ids_TB), rate, noise, place)
        x_TBE = drop_words(x_TBE, ids_TB, self.config.dropout_words, words, noise, place)
        return cut_words(x_TBE, noise, place) if noise.cutoff else x_TBE

    def teach(self, source_BS: tf.Tensor, target_BT: tf.Tensor, noise: Noise | None = None) -> Teaching:
        """Force the targets [B, T] (int32, padded with 0) and return what the loss is taken of: real words only."""
        memory = self.encode(source_BS, noise)
        embedded_TBE = self._previous(target_BT, noise)
        decoded = self.decoder.unroll(embedded_TBE, memory, noise, with_attention=False)
        target_TB = tf.transpose(target_BT)
        place_N = tf.where(tf.reshape(target_TB, [-1]) != PAD)[:, 0]
        rows = [take(x, place_N) for x in (decoded.states_TBU, embedded_TBE, decoded.contexts_TBD)]
        readout_NR = dropout(self.output.readout(*rows), self.config.dropout_output, noise, "output")
        return Teaching(readout_NR, tf.gather(tf.reshape(target_TB, [-1]), place_N))

    def attention(self, source_BS: tf.Tensor, target_BT: tf.Tensor) -> tf.Tensor:
        """Where the decoder looks while it is forced to write the targets: [B, T, S]."""
        decoded = self.decoder.unroll(self._previous(target_BT, None), self.encode(source_BS), None, True)
        return tf.transpose(decoded.weight_TBS, [1, 0, 2])

    def step(
        self, token_N: tf.Tensor, state: DecoderState, memory: Memory
    ) -> tuple[tf.Tensor, DecoderState, tf.Tensor]:
        """One word further: -> logits [N, V] as float32, new state, attention [N, S]. Rows of all arguments agree."""
        embedded_NE = self.target_embedding(token_N)
        gates_NG = self.decoder.first.input(embedded_NE)
        output_NU, context_ND, weight_NS, state = self.decoder.step(gates_NG, state, memory)
        logits_NV = self.output.logits(self.output.readout(output_NU, embedded_NE, context_ND))
        return tf.cast(logits_NV, tf.float32), state, weight_NS
