# T target step, B batch, S source step, E embedding, U decoder state, D encoder state, A attention, G gates
"""Writes the target, looking at the source at every step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from nmt.config.model import Decoder as DecoderKind
from nmt.config.model import ModelConfig
from nmt.model.attention import attend, make_attention
from nmt.model.cells import Projection, make_cell
from nmt.model.embedding import Embedded
from nmt.model.initial import Initial
from nmt.model.layer_norm import layer_norm
from nmt.model.noise import Noise, state_mask
from nmt.model.products import multiply
from nmt.model.recurrence import Nest, unroll
from nmt.model.transitions import FurtherTransitions
from nmt.model.weights import Direct, Weights

DecoderState = tuple[Nest, ...]  # a cell's state for each layer


class Memory(NamedTuple):
    """The encoded source, as a decoder looks at it."""

    states_BSD: tf.Tensor
    keys_BSA: tf.Tensor  # [B, S, any]: as its attention projects them, or [B, S]
    mask_BS: tf.Tensor  # bool: real words
    initial: DecoderState


class Decoded(NamedTuple):
    """What the output layer works with, and where the attention was; time first."""

    states_TBU: tf.Tensor
    contexts_TBD: tf.Tensor
    weight_TBS: tf.Tensor | None


class AttentiveLayer(tf.Module):
    """The recurrent layer that attends.

    plain (Bahdanau et al. 2015, appendix A.1.2): c_t = attend(s_{t-1}), then s_t = cell(y_{t-1}, c_t; s_{t-1}).
    conditional (Sennrich et al. 2017, "Nematus", section 3): s' = cell_1(y_{t-1}; s_{t-1}), c_t = attend(s'),
    s_t = cell_2(c_t; s'). Further transitions follow (`transitions.py`). With layer normalisation the product with the
    context has its own, as in `cells.py`.
    """

    def __init__(self, config: ModelConfig, initial: Initial, prefix: str) -> None:
        super().__init__(name="attentive")
        self.rate, self.prefix, self.compute = config.dropout_state, prefix, initial.compute
        self.conditional = config.decoder is DecoderKind.conditional
        cell_name = config.cell.value
        self.cell = make_cell(config, initial, prefix, config.units)
        self.input = Projection(initial, f"{prefix}/{cell_name}", config.embedding, self.cell)
        self.attention = make_attention(config, initial, f"{prefix}/attention")
        self.second = make_cell(config, initial, f"{prefix}/second", config.units) if self.conditional else self.cell
        second = f"{prefix}/second/{cell_name}" if self.conditional else f"{prefix}/{cell_name}"
        sizes = [config.units] * self.second.num_gates
        self.context_DG = initial.glorot(f"{second}/context_kernel", 2 * config.encoder_units, *sizes)
        self.kernels = [*self.cell.kernels, *self.attention.kernels, self.context_DG]
        self.vectors = [*self.attention.vectors, *self.cell.vectors]
        if self.conditional:
            self.second_bias_G = initial.constant(f"{second}/bias", self.second.gate_bias())
            self.kernels += self.second.kernels
            self.vectors += [self.second_bias_G, *self.second.vectors]
        if config.layer_norm:
            self.context_gain_G = initial.constant(f"{second}/context_gain", np.ones(sum(sizes)))
            self.vectors += [self.context_gain_G]
        self.further = FurtherTransitions(config, initial, prefix, config.units)
        self.kernels += self.further.kernels
        self.vectors += self.further.vectors

    def masks(self, like_BU: tf.Tensor, noise: Noise | None) -> list[tf.Tensor | None]:
        """Variational dropout of the states of the two transitions, and of the further ones."""
        first = state_mask(like_BU, self.rate, noise, f"{self.prefix}/first")
        second = state_mask(like_BU, self.rate, noise, f"{self.prefix}/second") if self.conditional else None
        return [first, second, *self.further.masks(like_BU, noise)]

    def transition(
        self,
        weights: Weights,
        state: Nest,
        gates_BG: tf.Tensor,
        keys_BSA: tf.Tensor,
        values_BSD: tf.Tensor,
        mask_BS: tf.Tensor,
        dropped: Sequence[tf.Tensor | None] = (None, None),
    ) -> tuple[Nest, tf.Tensor, tf.Tensor]:
        """One step: -> new state, context [B, D], attention [B, S]. `gates_BG`: the projected y_{t-1}."""
        if self.conditional:
            state = self.cell(weights, gates_BG, state, dropped[0])
        context_BD, weight_BS = attend(self.attention, weights, state[0], keys_BSA, values_BSD, mask_BS)
        context_BG = weights.product(context_BD, self.context_DG)
        if self.second.groups:
            context_BG = layer_norm(context_BG, weights.read(self.context_gain_G), self.second.groups)
        if self.conditional:
            gates = context_BG + weights.read(self.second_bias_G)
            state = self.second(weights, gates, state, dropped[1])
        else:  # add_n and not +: both have one gradient then, which the loop keeps once.
            state = self.cell(weights, tf.add_n([gates_BG, context_BG]), state, dropped[0])
        return self.further(weights, state, dropped[2:]), context_BD, weight_BS

    def unroll(
        self, embedded_TBE: Embedded, memory: Memory, noise: Noise | None, with_attention: bool
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor | None]:
        """All steps of a given target: -> states [T, B, U], contexts [T, B, D], attention [T, B, S] if asked for."""
        dropped = self.masks(memory.initial[0][0], noise)

        def step(weights: Weights, state: Nest, gates_BG: Nest, shared: Nest) -> tuple[Nest, Nest]:
            keys_BSA, values_BSD = shared
            state, context_BD, weight_BS = self.transition(
                weights, state, gates_BG, keys_BSA, values_BSD, memory.mask_BS, dropped
            )
            return state, (state[0], context_BD, weight_BS) if with_attention else (state[0], context_BD)

        shared = (memory.keys_BSA, memory.states_BSD)
        gates_TBG = self.input(embedded_TBE)
        outputs, _ = unroll(step, self.kernels, self.vectors, memory.initial[0], gates_TBG, shared, self.compute)
        return outputs if with_attention else (*outputs, None)


class UpperLayer(tf.Module):
    """A recurrent layer above the attentive one; it sees the layer below and the context."""

    def __init__(self, config: ModelConfig, initial: Initial, prefix: str) -> None:
        super().__init__(name="upper")
        self.rate, self.prefix, self.residual = config.dropout_state, prefix, config.residual
        self.compute = initial.compute
        self.cell = make_cell(config, initial, prefix, config.units)
        width = config.units + 2 * config.encoder_units
        self.input = Projection(initial, f"{prefix}/{config.cell.value}", width, self.cell)
        self.further = FurtherTransitions(config, initial, prefix, config.units)

    def unroll(self, below_TBU: tf.Tensor, contexts_TBD: tf.Tensor, start: Nest, noise: Noise | None) -> tf.Tensor:
        """-> states [T, B, U]."""
        mask_BU = state_mask(start[0], self.rate, noise, self.prefix)
        further_masks = self.further.masks(start[0], noise)

        def step(weights: Weights, state: Nest, gates_BG: Nest, shared: Nest) -> tuple[Nest, Nest]:
            state = self.further(weights, self.cell(weights, gates_BG, state, mask_BU), further_masks)
            return state, state[0]

        gates_TBG = self.input(tf.concat([below_TBU, contexts_TBD], axis=2))
        kernels = [*self.cell.kernels, *self.further.kernels]
        vectors = [*self.cell.vectors, *self.further.vectors]
        states_TBU, _ = unroll(step, kernels, vectors, start, gates_TBG, (), self.compute)
        return below_TBU + states_TBU if self.residual else states_TBU

    def step(self, below_BU: tf.Tensor, context_BD: tf.Tensor, state: Nest) -> tuple[tf.Tensor, Nest]:
        """-> output [B, U], new state."""
        weights = Direct(self.compute)
        state = self.cell(weights, self.input(tf.concat([below_BU, context_BD], axis=1)), state, None)
        state = self.further(weights, state)
        return (below_BU + state[0] if self.residual else state[0]), state


class Decoder(tf.Module):
    """An attentive layer, further layers above it, and the states they start from: tanh(W [h_last ; h_first] + b)."""

    def __init__(self, config: ModelConfig, initial: Initial) -> None:
        super().__init__(name="decoder")
        one, self.compute = config.decoder_layers == 1, initial.compute
        self.first = AttentiveLayer(config, initial, "decoder" if one else "decoder/layer_0")
        self.upper = [UpperLayer(config, initial, f"decoder/layer_{n}") for n in range(1, config.decoder_layers)]
        sizes = [config.units] * config.decoder_layers
        self.start_DU = initial.glorot("decoder/start/kernel", 2 * config.encoder_units, *sizes)
        self.start_bias_U = initial.constant("decoder/start/bias", np.zeros(sum(sizes)))

    def remember(self, states_BSD: tf.Tensor, ends_BD: tf.Tensor, mask_BS: tf.Tensor) -> Memory:
        """Everything about the source that does not change while decoding; the keys are projected here, once."""
        starts_BX = tf.tanh(multiply(ends_BD, self.start_DU, self.compute) + self.start_bias_U)
        starts = tf.split(starts_BX, 1 + len(self.upper), axis=1)
        cells = [self.first.cell, *(layer.cell for layer in self.upper)]
        initial = tuple(cell.start(start_BU) for cell, start_BU in zip(cells, starts, strict=True))
        return Memory(states_BSD, self.first.attention.project(states_BSD), mask_BS, initial)

    def unroll(self, embedded_TBE: Embedded, memory: Memory, noise: Noise | None, with_attention: bool) -> Decoded:
        """All steps of a given target, whose embedded words come shifted by one."""
        states_TBU, contexts_TBD, weight_TBS = self.first.unroll(embedded_TBE, memory, noise, with_attention)
        for layer, start in zip(self.upper, memory.initial[1:], strict=True):
            states_TBU = layer.unroll(states_TBU, contexts_TBD, start, noise)
        return Decoded(states_TBU, contexts_TBD, weight_TBS)

    def step(
        self, gates_BG: tf.Tensor, state: DecoderState, memory: Memory
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, DecoderState]:
        """One word: -> output [B, U], context [B, D], attention [B, S], new state.

        `gates_BG`: the word before, as `first.input` projects it.
        """
        first, context_BD, weight_BS = self.first.transition(
            Direct(self.compute),
            state[0],
            gates_BG,
            memory.keys_BSA,
            memory.states_BSD,
            memory.mask_BS,
        )
        output_BU, new = first[0], [first]
        for layer, old in zip(self.upper, state[1:], strict=True):
            output_BU, upper = layer.step(output_BU, context_BD, old)
            new.append(upper)
        return output_BU, context_BD, weight_BS, tuple(new)
