"""First values of the weights: a pure function of (seed, name, shape)."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf


@dataclass(frozen=True)
class Initial:
    """Makes named variables. The same seed and name give the same values, whatever was made before."""

    seed: int
    dtype: tf.DType = tf.float32
    compute: tf.DType | None = None  # the type of the large products; None: that of the weights

    def _rng(self, name: str) -> np.random.Generator:
        return np.random.default_rng([self.seed, zlib.crc32(name.encode())])

    def _weight(self, name: str, first_value: Callable[[], np.ndarray]) -> tf.Variable:
        return tf.Variable(first_value().astype(self.dtype.as_numpy_dtype), name=name, dtype=self.dtype)

    def glorot(self, name: str, rows: int, *columns: int) -> tf.Variable:
        """Kernels [rows, sum(columns)] side by side, each uniform in +-sqrt(6 / (rows + columns)) (Glorot 2010)."""

        def value() -> np.ndarray:
            rng = self._rng(name)
            parts = [rng.uniform(-1, 1, (rows, size)) * np.sqrt(6 / (rows + size)) for size in columns]
            return np.concatenate(parts, axis=1)

        return self._weight(name, value)

    def orthogonal(self, name: str, size: int, count: int) -> tf.Variable:
        """`count` orthogonal [size, size] kernels side by side: [size, count * size] (Saxe et al. 2014)."""

        def value() -> np.ndarray:
            rng = self._rng(name)
            parts = []
            for _ in range(count):
                q, r = np.linalg.qr(rng.standard_normal((size, size)))
                parts.append(q * np.sign(np.diag(r)))
            return np.concatenate(parts, axis=1)

        return self._weight(name, value)

    def normal(self, name: str, rows: int, columns: int, deviation: float) -> tf.Variable:
        return self._weight(name, lambda: self._rng(name).standard_normal((rows, columns)) * deviation)

    def uniform(self, name: str, size: int, bound: float) -> tf.Variable:
        return self._weight(name, lambda: self._rng(name).uniform(-bound, bound, (size,)))

    def constant(self, name: str, values: np.ndarray) -> tf.Variable:
        return self._weight(name, lambda: values)


@dataclass(frozen=True)
class Existing(Initial):
    """Hands out weights that exist, by name: a second model of the same weights."""

    weights: Mapping[str, tf.Tensor] = field(default_factory=dict)

    def _weight(self, name: str, first_value: Callable[[], np.ndarray]) -> tf.Tensor:
        return self.weights[name]
