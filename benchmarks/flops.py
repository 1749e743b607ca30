"""Arithmetic of a training step by formula: what a target token costs in products, whoever computes it.

Counted are the products of the model as it is written down in nmt/model: multiplications with weights, and the two
products of the attention (its energies' last layer, its weighted sum). Element-wise work, the optimiser and look-ups
are not. A multiplication and an addition are two operations; the backward pass of a product is two products of its
size, so training costs three times the forward pass. Padding is not counted: it is work that nobody asked for.

Forward multiplications, with E embedding, H encoder units a direction, D = 2 H, U decoder units, A attention units,
R width in front of the vocabulary, V pieces, S source pieces a sentence, g gates (GRU 3, LSTM 4) and n transitions a
time step (model.transition_depth); F is what enters the decoder's gates beside the embedding and the state, and J what
the layer in front of the vocabulary sees:

    a source piece   2 (E g H + n H g H)             both directions of the encoder
                     2 (D g H + n H g H)             each layer above the first
                     + D A                           the attention's keys
    a target piece   (E + F + n U) g U               the decoder's gates
                     + (U + D + n U) g U             each layer above the first, which sees the context too
                     + U A + S (A + D)               attention
                     + J R + R V                     output
    a sentence       D U                             the decoder's first state, of each layer

An attention of one layer has keys and queries of width 1 and no product in its energies; the general one of Luong keys
and energies of width U and no query; the dot energies of width U alone. Two passes over a batch (train.consistency)
cost everything twice. Layer normalisation is element-wise.

What a layer's gates take from an embedding alone, E g H and E g U, ours computes once for each distinct word of a batch
(nmt/model/embedding.py); of each piece it costs the share of pieces that differ, which is 1 for everyone else.

Bahdanau's decoder (ours) has F = D, the context, and J = U + E + D. The conditional one attends between two
transitions, each with a product of its state, so that it has n + 1 of them. With input feeding (OpenNMT-tf, JoeyNMT) F
is the last output of the layer in front of the vocabulary, U wide, and J = U + D. A decoder whose attention follows the
recurrent layer (Keras' tutorials) has F = 0 and J = U + D.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from nmt.config.model import Attention

BACKWARD = 2  # products of the backward pass for each of the forward pass
OPERATIONS = 2  # a multiplication and an addition


class Decoder(Enum):
    """Where the attention stands."""

    bahdanau = "bahdanau"
    conditional = "conditional"
    input_feeding = "input feeding"
    after = "after the recurrent layer"


@dataclass(frozen=True)
class Sizes:
    """An encoder-decoder; left alone, with GRU cells and one layer a side."""

    embedding: int
    encoder_units: int  # a direction
    units: int
    attention_units: int
    readout: int  # width of what is multiplied with the table of the vocabulary
    vocabulary: int
    decoder: Decoder = Decoder.bahdanau
    attention: Attention = Attention.bahdanau
    gates: int = 3
    depth: int = 1  # transitions a time step
    encoder_layers: int = 1
    decoder_layers: int = 1
    passes: int = 1  # over each batch
    distinct_source: float = 1.0  # pieces whose projection is computed, of all
    distinct_target: float = 1.0

    @property
    def memory(self) -> int:
        """D."""
        return 2 * self.encoder_units

    @property
    def fed(self) -> int:
        """F."""
        return {
            Decoder.bahdanau: self.memory,
            Decoder.conditional: self.memory,
            Decoder.input_feeding: self.readout,
            Decoder.after: 0,
        }[self.decoder]

    @property
    def joined(self) -> int:
        """J."""
        embedding = {
            Decoder.bahdanau: self.embedding,
            Decoder.conditional: self.embedding,
            Decoder.input_feeding: 0,
            Decoder.after: 0,
        }[self.decoder]
        return self.units + self.memory + embedding

    @property
    def looking(self) -> tuple[int, int, int]:
        """Widths of the attention's keys and query as they are projected, and of an energy's product; 0: none."""
        units = self.attention_units
        return {
            Attention.bahdanau: (units, units, units),
            Attention.single_layer: (1, 1, 0),
            Attention.luong_general: (self.units, 0, self.units),
            Attention.dot: (0, 0, self.units),
        }[self.attention]


@dataclass(frozen=True)
class Lengths:
    """Mean pieces a sentence, end marks included."""

    source: float
    target: float


SMALL = Sizes(embedding=256, encoder_units=256, units=512, attention_units=256, readout=512, vocabulary=8_000)
LARGE = Sizes(embedding=512, encoder_units=512, units=1_024, attention_units=512, readout=1_024, vocabulary=8_000)


def per_source_piece(sizes: Sizes) -> float:
    """Forward multiplications."""
    state = sizes.depth * sizes.encoder_units
    inputs = sizes.distinct_source * sizes.embedding + (sizes.encoder_layers - 1) * sizes.memory
    directions = 2 * (inputs + sizes.encoder_layers * state) * sizes.gates * sizes.encoder_units
    keys, _, _ = sizes.looking
    return directions + sizes.memory * keys


def per_target_piece(sizes: Sizes, source_length: float) -> float:
    """Forward multiplications, looking at `source_length` source pieces."""
    transitions = sizes.depth + (sizes.decoder is Decoder.conditional)
    first = sizes.distinct_target * sizes.embedding + sizes.fed + transitions * sizes.units
    above = (sizes.decoder_layers - 1) * (sizes.units + sizes.memory + sizes.depth * sizes.units)
    _, query, energy = sizes.looking
    attention = sizes.units * query + source_length * (energy + sizes.memory)
    output = sizes.joined * sizes.readout + sizes.readout * sizes.vocabulary
    return (first + above) * sizes.gates * sizes.units + attention + output


def training_flop(sizes: Sizes, lengths: Lengths) -> float:
    """Floating-point operations to train on one target token, its share of the source and the sentence included."""
    ratio = lengths.source / lengths.target
    first_states = sizes.memory * sizes.units * sizes.decoder_layers / lengths.target
    forward = per_target_piece(sizes, lengths.source) + ratio * per_source_piece(sizes) + first_states
    return sizes.passes * (1 + BACKWARD) * OPERATIONS * forward
