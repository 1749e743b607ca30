# B batch, N rows, H state, S source step, T target step, V vocabulary, W source vocabulary
"""A recurrent model small enough to be searched by hand, its NumPy twin, and searches written the long way round."""

from __future__ import annotations

import math
from itertools import product
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from nmt.config.search import Normalisation, SearchConfig

PAD, BOS, EOS, UNK = 0, 1, 2, 3


class ToyMemory(NamedTuple):
    states_BSH: tf.Tensor
    mask_BS: tf.Tensor
    initial: tuple[tf.Tensor]


class ToyModel(tf.Module):
    """h' = tanh(h R + E[y] + c),  a = softmax(h . x_s),  c = sum_s a_s x_s,  logits = h' O + b.

    `set_weights` changes it without a new trace. It computes in float64: with such large weights it is chaotic, and
    the rounding of float32 would grow into differences that have nothing to do with the search.
    """

    def __init__(self, target_vocab: int, source_vocab: int = 8, width: int = 5) -> None:
        super().__init__()
        self.target_vocab, self.width = target_vocab, width
        shapes = {
            "source_WH": (source_vocab, width),
            "target_VH": (target_vocab, width),
            "recurrent_HH": (width, width),
            "output_HV": (width, target_vocab),
            "bias_V": (target_vocab,),
        }
        self.weights = {name: tf.Variable(tf.zeros(shape, tf.float64), name=name) for name, shape in shapes.items()}

    def set_weights(self, seed: int, scale: float = 1.5, end: float = 0.0) -> ToyModel:
        """Random weights; `end` is added to the logit of EOS."""
        rng = np.random.default_rng(seed)
        for variable in self.weights.values():
            variable.assign(rng.normal(0, scale, variable.shape))
        self.weights["bias_V"].assign_add(end * tf.one_hot(EOS, self.target_vocab, dtype=tf.float64))
        return self

    def for_loop(self, turned=False):
        return self

    def encode(self, source_BS: tf.Tensor) -> ToyMemory:
        states_BSH = tf.gather(self.weights["source_WH"], source_BS)
        mask_BS = source_BS != PAD
        weight_BS1 = tf.cast(mask_BS, tf.float64)[:, :, tf.newaxis]
        start_BH = tf.reduce_sum(states_BSH * weight_BS1, 1) / tf.reduce_sum(weight_BS1, 1)
        return ToyMemory(states_BSH, mask_BS, (start_BH,))

    def step(self, token_N, state, memory):
        energy_NS = tf.einsum("nh,nsh->ns", state[0], memory.states_BSH)
        weight_NS = tf.nn.softmax(tf.where(memory.mask_BS, energy_NS, energy_NS.dtype.min))
        context_NH = tf.einsum("ns,nsh->nh", weight_NS, memory.states_BSH)
        new_NH = state[0] @ self.weights["recurrent_HH"] + tf.gather(self.weights["target_VH"], token_N) + context_NH
        new_NH = tf.tanh(new_NH)
        logits_NV = new_NH @ self.weights["output_HV"] + self.weights["bias_V"]
        return tf.cast(logits_NV, tf.float32), (new_NH,), weight_NS


class Path(NamedTuple):
    """A hypothesis of the twin."""

    tokens: tuple[int, ...]
    log_prob: float
    state_H: np.ndarray
    weight_TS: tuple[np.ndarray, ...]


class Twin:
    """The same model in NumPy and float64, for one sentence without padding."""

    def __init__(self, model: ToyModel, source: list[int], cfg: SearchConfig) -> None:
        self.weights = {name: variable.numpy().astype(np.float64) for name, variable in model.weights.items()}
        self.cfg, self.vocab = cfg, model.target_vocab
        self.x_SH = self.weights["source_WH"][source]
        self.limit = math.floor(cfg.max_ratio * len(source)) + cfg.max_extra
        self.start = Path((), 0.0, self.x_SH.mean(axis=0), ())

    def extend(self, path: Path, token: int) -> Path:
        w, before = self.weights, path.tokens[-1] if path.tokens else BOS
        energy_S = self.x_SH @ path.state_H
        weight_S = np.exp(energy_S - energy_S.max())
        weight_S /= weight_S.sum()
        state_H = np.tanh(path.state_H @ w["recurrent_HH"] + w["target_VH"][before] + weight_S @ self.x_SH)
        logits_V = state_H @ w["output_HV"] + w["bias_V"]
        log_prob = logits_V[token] - np.log(np.exp(logits_V - logits_V.max()).sum()) - logits_V.max()
        return Path((*path.tokens, token), path.log_prob + log_prob, state_H, (*path.weight_TS, weight_S))

    def write(self, tokens: tuple[int, ...]) -> Path:
        path = self.start
        for token in tokens:
            path = self.extend(path, token)
        return path

    def score(self, path: Path) -> float:
        length, cfg = len(path.tokens), self.cfg
        kinds = {
            Normalisation.none: 1,
            Normalisation.average: length,
            Normalisation.gnmt: ((5 + length) / 6) ** cfg.alpha,
        }
        coverage = np.log(np.minimum(np.sum(path.weight_TS, axis=0), 1)).sum()
        return path.log_prob / kinds[cfg.normalisation] + cfg.coverage * coverage

    def all_paths(self) -> list[Path]:
        """Every sentence that may be written, best first."""
        words = range(UNK, self.vocab)
        texts = [(*text, EOS) for length in range(self.limit) for text in product(words, repeat=length)]
        return sorted(map(self.write, texts), key=self.score, reverse=True)

    def beam(self) -> list[Path]:
        """Beam search in words: sort all continuations, keep as many as the beam is wide, until none is left."""
        prefixes, finished, width = [self.start], [], self.cfg.beam
        while prefixes and width:
            end = len(prefixes[0].tokens) + 1 >= self.limit
            words = [EOS] if end else range(EOS, self.vocab)
            continued = [self.extend(path, word) for path in prefixes for word in words]
            kept = sorted(continued, key=lambda path: path.log_prob, reverse=True)[:width]
            prefixes = [path for path in kept if path.tokens[-1] != EOS]
            finished += [path for path in kept if path.tokens[-1] == EOS]
            width = self.cfg.beam - len(finished)
        return sorted(finished, key=self.score, reverse=True)[: self.cfg.nbest]


def padded(sentences: list[list[int]], length: int | None = None) -> tf.Tensor:
    longest = max(map(len, sentences)) if length is None else length
    return tf.constant([[*ids, *[PAD] * (longest - len(ids))] for ids in sentences], tf.int32)


def found(hypotheses, row: int) -> list[tuple[int, ...]]:
    """The n-best list of one sentence, as tuples of ids."""
    lengths = hypotheses.length_BM[row].numpy()
    tokens_MT = hypotheses.tokens_BMT[row].numpy()
    assert all(not tokens_MT[rank, length:].any() for rank, length in enumerate(lengths))
    return [tuple(tokens_MT[rank, :length].tolist()) for rank, length in enumerate(lengths) if length]
