# N rows, B batch, S source step, E embedding, U decoder state, D encoder state, G gates, R readout, W words listed,
# Y state and context
"""A model that writes the words of a list alone: for a search, whose rows write the same few words over and over."""

from __future__ import annotations

import tensorflow as tf

from nmt.model.decoder import DecoderState, Memory
from nmt.model.products import multiply
from nmt.model.seq2seq import Seq2Seq


class ListedModel:
    """`model`, ready for a loop, with these target words alone, which are numbered from 0. The softmax is over them.

    What a step makes of the word before it, its products with the gates and with the deep output, is taken here of each
    word once: of 1,000 words in a list, where 70 captions in a beam of 5 have up to 5,000 rows to come. So
    t = tanh(W [s ; c] + (W_y y + b)), a sum in another order than `DeepOutput`'s.
    """

    def __init__(self, model: Seq2Seq, word_W: tf.Tensor) -> None:
        self.model, self.target_vocab, self.compute = model, model.target_vocab, model.compute
        embedded_WE, output = model.target_embedding(word_W), model.output
        self.gates_WG = model.decoder.first.input(embedded_WE)
        sizes = [model.config.units, model.config.embedding, 2 * model.config.encoder_units]
        of_state_UR, of_word_ER, of_context_DR = tf.split(output.kernel_XR, sizes)
        self.kernel_YR = tf.concat([of_state_UR, of_context_DR], axis=0)
        self.readout_WR = multiply(embedded_WE, of_word_ER, self.compute) + output.bias_R
        self.table_RW = tf.transpose(tf.gather(output.table_VR, word_W))
        self.bias_W = tf.gather(output.bias_V, word_W)

    def for_loop(self, turned: bool = False) -> ListedModel:
        return self

    def encode(self, source_BS: tf.Tensor) -> Memory:
        """Read the sources [B, S], padded with 0."""
        return self.model.encode(source_BS)

    def step(
        self, token_N: tf.Tensor, state: DecoderState, memory: Memory
    ) -> tuple[tf.Tensor, DecoderState, tf.Tensor]:
        """`Seq2Seq.step`, with numbers of the list's: -> logits [N, W] as float32, new state, attention [N, S]."""
        gates_NG = tf.gather(self.gates_WG, token_N)
        output_NU, context_ND, weight_NS, state = self.model.decoder.step(gates_NG, state, memory)
        deep_NR = multiply(tf.concat([output_NU, context_ND], axis=1), self.kernel_YR, self.compute)
        readout_NR = tf.tanh(deep_NR + tf.gather(self.readout_WR, token_N))
        logits_NW = multiply(readout_NR, self.table_RW, self.compute) + self.bias_W
        return tf.cast(logits_NW, tf.float32), state, weight_NS
