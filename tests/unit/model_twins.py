# S source step, T target step, U state, D encoder state, V vocabulary
"""The whole model once more in NumPy: one sentence at a time, plain loops, no padding, weights by their names.

`python tests/unit/model_twins.py` (from the root of the repository) writes the golden files of the model.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from nmt.config.model import Attention, Cell, Decoder, ModelConfig, Tie

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
BOS = 1

# The golden sentence pair: ids of a source and a target, both with their end mark (2).
GOLDEN_SOURCE, GOLDEN_TARGET = [4, 6, 5, 2], [5, 4, 2]
GOLDEN_VOCABULARY = (7, 6)


def tiny_config(**options) -> ModelConfig:
    """Sizes that all differ, so that no two axes can be mistaken for one another."""
    sizes = {"embedding": 3, "encoder_units": 2, "units": 5, "attention_units": 6}
    if options.get("attention") is Attention.dot:
        sizes["units"] = 4
    return ModelConfig(**{**sizes, **options})


# One configuration for each value of each option, several at a time.
CONFIGS = {
    "default": {},
    "lstm, conditional, tied 3-way": {"cell": Cell.lstm, "decoder": Decoder.conditional, "tie": Tie.all},
    "single_layer, tied 2-way": {"attention": Attention.single_layer, "tie": Tie.target},
    "wide output": {"output_units": 7},
    "luong_general, stacked": {"attention": Attention.luong_general, "encoder_layers": 2, "decoder_layers": 3},
    "dot, stacked, residual, lstm": {
        "attention": Attention.dot,
        "cell": Cell.lstm,
        "encoder_layers": 3,
        "decoder_layers": 2,
        "residual": True,
    },
    "conditional, stacked, residual": {
        "decoder": Decoder.conditional,
        "encoder_layers": 2,
        "decoder_layers": 2,
        "residual": True,
    },
    "layer norm": {"layer_norm": True},
    "deep, stacked": {"transition_depth": 3, "encoder_layers": 2, "decoder_layers": 2},
    "layer norm, lstm, conditional, stacked": {
        "layer_norm": True,
        "cell": Cell.lstm,
        "decoder": Decoder.conditional,
        "encoder_layers": 2,
        "decoder_layers": 2,
    },
}


def configs() -> dict[str, ModelConfig]:
    return {name: tiny_config(**options) for name, options in CONFIGS.items()}


def layer_prefix(side: str, number: int, count: int) -> str:
    return side if count == 1 else f"{side}/layer_{number}"


def weight_shapes(config: ModelConfig, source_vocab: int, target_vocab: int) -> dict[str, tuple[int, ...]]:
    """Every variable of the model by name, written down from the documentation of the layers."""
    cell, gates = config.cell.value, {Cell.gru: 3, Cell.lstm: 4}[config.cell]
    width, units, double = config.embedding, config.units, 2 * config.encoder_units
    shapes: dict[str, tuple[int, ...]] = {}

    def recurrent(prefix: str, inputs: int, size: int) -> None:
        shapes[f"{prefix}/{cell}/kernel"] = (inputs, gates * size)
        shapes[f"{prefix}/{cell}/bias"] = (gates * size,)
        shapes[f"{prefix}/{cell}/recurrent_kernel"] = (size, gates * size)
        if config.layer_norm:
            shapes.update({f"{prefix}/{cell}/{name}": (gates * size,) for name in ("gain", "recurrent_gain")})
            own = ("recurrent_bias",) if config.cell is Cell.gru else ("cell_gain", "cell_bias")
            shapes.update({f"{prefix}/{cell}/{name}": (size,) for name in own})

    def layer(prefix: str, inputs: int, size: int) -> None:
        recurrent(prefix, inputs, size)
        for number in range(2, config.transition_depth + 1):
            recurrent(f"{prefix}/transition_{number}", 0, size)
            for name in ("kernel", "gain"):
                shapes.pop(f"{prefix}/transition_{number}/{cell}/{name}", None)

    for number in range(config.encoder_layers):
        for way in ("forward", "backward"):
            prefix = layer_prefix("encoder", number, config.encoder_layers)
            layer(f"{prefix}/{way}", double if number else width, config.encoder_units)
    first = layer_prefix("decoder", 0, config.decoder_layers)
    layer(first, width, units)
    if config.decoder is Decoder.conditional:
        recurrent(f"{first}/second", double, units)
        shapes[f"{first}/second/{cell}/context_kernel"] = shapes.pop(f"{first}/second/{cell}/kernel")
        if config.layer_norm:
            shapes[f"{first}/second/{cell}/context_gain"] = shapes.pop(f"{first}/second/{cell}/gain")
    else:
        shapes[f"{first}/{cell}/context_kernel"] = (double, gates * units)
        if config.layer_norm:
            shapes[f"{first}/{cell}/context_gain"] = (gates * units,)
    for number in range(1, config.decoder_layers):
        layer(f"decoder/layer_{number}", units + double, units)
    shapes |= {"decoder/start/kernel": (double, units * config.decoder_layers)}
    shapes |= {"decoder/start/bias": (units * config.decoder_layers,)}
    shapes |= attention_shapes(config, f"{first}/attention")
    deep = config.output_units or width
    shapes |= {"output/deep/kernel": (units + width + double, deep), "output/deep/bias": (deep,)}
    shapes |= {"output/bias": (target_vocab,)}
    if config.tie is Tie.all:
        shapes["embedding/table"] = (source_vocab, width)
    else:
        shapes |= {"encoder/embedding/table": (source_vocab, width), "decoder/embedding/table": (target_vocab, width)}
    if config.tie is Tie.none:
        shapes["output/table"] = (target_vocab, deep)
    return shapes


def attention_shapes(config: ModelConfig, prefix: str) -> dict[str, tuple[int, ...]]:
    units, double, hidden = config.units, 2 * config.encoder_units, config.attention_units
    shapes: dict[Attention, dict[str, tuple[int, ...]]] = {
        Attention.bahdanau: {"query_kernel": (units, hidden), "memory_kernel": (double, hidden), "energy": (hidden,)},
        Attention.single_layer: {"query_kernel": (units, 1), "memory_kernel": (double, 1)},
        Attention.luong_general: {"memory_kernel": (double, units)},
        Attention.dot: {},
    }
    return {f"{prefix}/{name}": shape for name, shape in shapes[config.attention].items()}


def range_filled(shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """-0.5 to 0.5 in even steps over each weight, every second weight the other way round."""
    weights = {}
    for number, (name, shape) in enumerate(sorted(shapes.items())):
        ramp = np.linspace(-0.5, 0.5, int(np.prod(shape))).reshape(shape)
        weights[name] = ramp if number % 2 else -ramp
    return weights


def random_filled(shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, np.ndarray]:
    """Standard normal, over the root of the rows for matrices: weights of ordinary size, all of them used."""
    rng = np.random.default_rng(seed)
    return {
        name: rng.standard_normal(shape) / (np.sqrt(shape[0]) if len(shape) > 1 else 1)
        for name, shape in sorted(shapes.items())
    }


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def softmax(energy_S: np.ndarray) -> np.ndarray:
    power_S = np.exp(energy_S - energy_S.max())
    return power_S / power_S.sum()


def layer_norm(x: np.ndarray, gain: np.ndarray) -> np.ndarray:
    return gain * (x - x.mean()) / np.sqrt(x.var() + 1e-5)


def gates_norm(x: np.ndarray, gain: np.ndarray, cell: Cell) -> np.ndarray:
    """A GRU's two gates are normalised together and its candidate for itself; all of an LSTM together."""
    if cell is Cell.lstm:
        return layer_norm(x, gain)
    two = 2 * len(x) // 3
    return np.concatenate([layer_norm(x[:two], gain[:two]), layer_norm(x[two:], gain[two:])])


def gru(gates: np.ndarray, state: tuple, recurrent: np.ndarray) -> tuple:
    (h,) = state
    x_z, x_r, x_n = np.split(gates, 3)
    h_z, h_r, h_n = np.split(recurrent, 3)
    z, r = sigmoid(x_z + h_z), sigmoid(x_r + h_r)
    return ((1 - z) * np.tanh(x_n + r * h_n) + z * h,)


def lstm(gates: np.ndarray, state: tuple, recurrent: np.ndarray, seen=lambda c: c) -> tuple:
    _, c = state
    i, f, o, g = np.split(gates + recurrent, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return (sigmoid(o) * np.tanh(seen(c)), c)


def energies(kind: Attention, w: dict[str, np.ndarray], prefix: str, query: np.ndarray, states_SD) -> np.ndarray:
    def energy(h: np.ndarray) -> float:
        if kind is Attention.bahdanau:
            hidden = np.tanh(query @ w[f"{prefix}/query_kernel"] + h @ w[f"{prefix}/memory_kernel"])
            return float(w[f"{prefix}/energy"] @ hidden)
        if kind is Attention.single_layer:
            return float((h @ w[f"{prefix}/memory_kernel"] + query @ w[f"{prefix}/query_kernel"])[0])
        return float(query @ (h @ w[f"{prefix}/memory_kernel"] if kind is Attention.luong_general else h))

    return np.array([energy(h) for h in states_SD])


class Twin:
    """`teach` and what it is made of, for one sentence without padding."""

    def __init__(self, config: ModelConfig, weights: dict[str, np.ndarray]) -> None:
        self.config, self.w = config, weights
        self.first = layer_prefix("decoder", 0, config.decoder_layers)

    def cell(self, prefix: str, x: np.ndarray | None, state: tuple, context: np.ndarray | None = None) -> tuple:
        prefix = f"{prefix}/{self.config.cell.value}"

        def product(value: np.ndarray, kernel: str, gain: str) -> np.ndarray:
            y = value @ self.w[f"{prefix}/{kernel}"]
            return gates_norm(y, self.w[f"{prefix}/{gain}"], self.config.cell) if self.config.layer_norm else y

        gates = self.w[f"{prefix}/bias"].copy()
        if x is not None:
            gates += product(x, "kernel", "gain")
        if context is not None:
            gates += product(context, "context_kernel", "context_gain")
        recurrent = product(state[0], "recurrent_kernel", "recurrent_gain")
        if self.config.cell is Cell.gru:
            if self.config.layer_norm:
                recurrent[-len(state[0]) :] += self.w[f"{prefix}/recurrent_bias"]
            return gru(gates, state, recurrent)
        if not self.config.layer_norm:
            return lstm(gates, state, recurrent)
        gain, bias = self.w[f"{prefix}/cell_gain"], self.w[f"{prefix}/cell_bias"]
        return lstm(gates, state, recurrent, lambda c: layer_norm(c, gain) + bias)

    def further(self, prefix: str, state: tuple) -> tuple:
        for number in range(2, self.config.transition_depth + 1):
            state = self.cell(f"{prefix}/transition_{number}", None, state)
        return state

    def start(self, h: np.ndarray) -> tuple:
        return (h,) if self.config.cell is Cell.gru else (h, np.zeros_like(h))

    def direction(self, prefix: str, inputs: list[np.ndarray]) -> list[np.ndarray]:
        state, outputs = self.start(np.zeros(self.config.encoder_units)), []
        for x in inputs:
            state = self.further(prefix, self.cell(prefix, x, state))
            outputs.append(state[0])
        return outputs

    def table(self, side: str) -> np.ndarray:
        return self.w["embedding/table" if self.config.tie is Tie.all else f"{side}/embedding/table"]

    def encode(self, source: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """-> states [S, D], and what both directions ended with [D]."""
        x_SI = self.table("encoder")[source]
        for number in range(self.config.encoder_layers):
            prefix = layer_prefix("encoder", number, self.config.encoder_layers)
            forward = self.direction(f"{prefix}/forward", list(x_SI))
            backward = self.direction(f"{prefix}/backward", list(x_SI[::-1]))[::-1]
            y_SD = np.concatenate([forward, backward], axis=1)
            x_SI = x_SI + y_SD if self.config.residual and number else y_SD
        half = self.config.encoder_units
        return x_SI, np.concatenate([x_SI[-1, :half], x_SI[0, half:]])

    def starts(self, ends_D: np.ndarray) -> list[tuple]:
        joined = np.tanh(ends_D @ self.w["decoder/start/kernel"] + self.w["decoder/start/bias"])
        return [self.start(h) for h in np.split(joined, self.config.decoder_layers)]

    def step(self, word: int, states: list[tuple], states_SD: np.ndarray):
        """-> logits [V], new states, attention [S], deep output [E]."""
        y, state = self.table("decoder")[word], states[0]
        conditional = self.config.decoder is Decoder.conditional
        if conditional:
            state = self.cell(self.first, y, state)
        weight_S = softmax(energies(self.config.attention, self.w, f"{self.first}/attention", state[0], states_SD))
        context = weight_S @ states_SD
        if conditional:
            state = self.cell(f"{self.first}/second", None, state, context)
        else:
            state = self.cell(self.first, y, state, context)
        state = self.further(self.first, state)
        output, new = state[0], [state]
        for number in range(1, self.config.decoder_layers):
            prefix = f"decoder/layer_{number}"
            state = self.further(prefix, self.cell(prefix, np.concatenate([output, context]), states[number]))
            output = output + state[0] if self.config.residual else state[0]
            new.append(state)
        joined = np.concatenate([output, y, context])
        deep_E = np.tanh(joined @ self.w["output/deep/kernel"] + self.w["output/deep/bias"])
        table_VE = self.w["output/table"] if self.config.tie is Tie.none else self.table("decoder")
        return table_VE @ deep_E + self.w["output/bias"], new, weight_S, deep_E

    def teach(self, source: list[int], target: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """-> logits [T, V], attention [T, S]."""
        states_SD, ends_D = self.encode(source)
        states, logits, attention = self.starts(ends_D), [], []
        for word in [BOS, *target[:-1]]:
            logits_V, states, weight_S, _ = self.step(word, states, states_SD)
            logits.append(logits_V)
            attention.append(weight_S)
        return np.array(logits), np.array(attention)


def golden_values() -> dict[str, Any]:
    config = tiny_config()
    twin = Twin(config, range_filled(weight_shapes(config, *GOLDEN_VOCABULARY)))
    states_SD, ends_D = twin.encode(GOLDEN_SOURCE)
    logits_TV, weight_TS = twin.teach(GOLDEN_SOURCE, GOLDEN_TARGET)
    values = {"encoder_states": states_SD, "encoder_ends": ends_D, "logits": logits_TV, "attention": weight_TS}
    return {"source": GOLDEN_SOURCE, "target": GOLDEN_TARGET, **{name: v.tolist() for name, v in values.items()}}


if __name__ == "__main__":
    names = {name: list(shape) for name, shape in sorted(weight_shapes(tiny_config(), 12, 10).items())}
    for file, content in (("model_names.json", names), ("model_tiny.json", golden_values())):
        (GOLDEN / file).write_text(json.dumps(content, indent=1) + "\n")
