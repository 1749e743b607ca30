"""Arithmetic of a training step by formula: what a target token costs in products, whoever computes it.

Counted are the products of the model as it is written down in nmt/model: multiplications with weights, and the two
products of the attention (its energies' last layer, its weighted sum). Element-wise work, the optimiser and look-ups
are not. A multiplication and an addition are two operations; the backward pass of a product is two products of its
size, so training costs three times the forward pass. Padding is not counted: it is work that nobody asked for.

Forward multiplications, with E embedding, H encoder units a direction, D = 2 H, U decoder units, A attention units,
R width in front of the vocabulary, V pieces, S source pieces a sentence; F is what enters the decoder's gates beside
the embedding and the state, and J what the layer in front of the vocabulary sees:

    a source piece   2 (E 3H + H 3H)                 both directions of the encoder
                     + D A                           the attention's keys
    a target piece   (E + F + U) 3U                  the decoder's gates
                     + U A + S (A + D)               attention
                     + J R + R V                     output
    a sentence       D U                             the decoder's first state

What a layer's gates take from an embedding alone, E 3H and E 3U, ours computes once for each distinct word of a batch
(nmt/model/embedding.py); of each piece it costs the share of pieces that differ, which is 1 for everyone else.

Bahdanau's decoder (ours) has F = D, the context, and J = U + E + D. With input feeding (OpenNMT-tf, JoeyNMT) F is the
last output of the layer in front of the vocabulary, U wide, and J = U + D. A decoder whose attention follows the
recurrent layer (Keras' tutorials) has F = 0 and J = U + D.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

BACKWARD = 2  # products of the backward pass for each of the forward pass
OPERATIONS = 2  # a multiplication and an addition


class Decoder(Enum):
    """Where the attention stands."""

    bahdanau = "bahdanau"
    input_feeding = "input feeding"
    after = "after the recurrent layer"


@dataclass(frozen=True)
class Sizes:
    """An encoder-decoder with GRU cells, one layer a side."""

    embedding: int
    encoder_units: int  # a direction
    units: int
    attention_units: int
    readout: int  # width of what is multiplied with the table of the vocabulary
    vocabulary: int
    decoder: Decoder = Decoder.bahdanau
    distinct_source: float = 1.0  # pieces whose projection is computed, of all
    distinct_target: float = 1.0

    @property
    def memory(self) -> int:
        """D."""
        return 2 * self.encoder_units

    @property
    def fed(self) -> int:
        """F."""
        return {Decoder.bahdanau: self.memory, Decoder.input_feeding: self.readout, Decoder.after: 0}[self.decoder]

    @property
    def joined(self) -> int:
        """J."""
        return self.units + self.memory + (self.embedding if self.decoder is Decoder.bahdanau else 0)


@dataclass(frozen=True)
class Lengths:
    """Mean pieces a sentence, end marks included."""

    source: float
    target: float


SMALL = Sizes(embedding=256, encoder_units=256, units=512, attention_units=256, readout=512, vocabulary=8_000)
LARGE = Sizes(embedding=512, encoder_units=512, units=1_024, attention_units=512, readout=1_024, vocabulary=8_000)


def per_source_piece(sizes: Sizes) -> float:
    """Forward multiplications."""
    one_direction = (sizes.distinct_source * sizes.embedding + sizes.encoder_units) * 3 * sizes.encoder_units
    return 2 * one_direction + sizes.memory * sizes.attention_units


def per_target_piece(sizes: Sizes, source_length: float) -> float:
    """Forward multiplications, looking at `source_length` source pieces."""
    gates = (sizes.distinct_target * sizes.embedding + sizes.fed + sizes.units) * 3 * sizes.units
    attention = sizes.units * sizes.attention_units + source_length * (sizes.attention_units + sizes.memory)
    output = sizes.joined * sizes.readout + sizes.readout * sizes.vocabulary
    return gates + attention + output


def training_flop(sizes: Sizes, lengths: Lengths) -> float:
    """Floating-point operations to train on one target token, its share of the source and the sentence included."""
    ratio = lengths.source / lengths.target
    first_state = sizes.memory * sizes.units / lengths.target
    forward = per_target_piece(sizes, lengths.source) + ratio * per_source_piece(sizes) + first_state
    return (1 + BACKWARD) * OPERATIONS * forward
