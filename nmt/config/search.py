"""How a translation is looked for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from nmt.config.precision import Precision
from nmt.errors import ConfigError


class Normalisation(Enum):
    """none: sum of log-probabilities; average: divided by length.

    gnmt: divided by ((5 + length) / 6)^alpha (Wu et al. 2016, eq. 14).
    """

    none = "none"
    average = "average"
    gnmt = "gnmt"


@dataclass
class SearchConfig:
    beam: int = 5  # 1 is greedy
    normalisation: Normalisation = Normalisation.average
    alpha: float = 0.6  # of gnmt
    coverage: float = 0.0  # weight of the coverage penalty (Wu et al. 2016, eq. 14)
    nbest: int = 1
    max_ratio: float = 2.0  # a translation has at most max_ratio * source length + max_extra subwords
    max_extra: int = 10
    batch_tokens: int = 4_096  # source subwords a batch, padding included
    max_source: int = 200  # subwords; a longer line is cut, with a warning
    precision: Precision = Precision.float32  # of the large products

    def __post_init__(self) -> None:
        for key in ("beam", "nbest", "batch_tokens", "max_source", "max_extra"):
            if getattr(self, key) < 1:
                raise ConfigError(
                    f"search.{key}",
                    found=getattr(self, key),
                    expected="at least 1",
                    next_step="the default is a good start",
                )
        if self.nbest > self.beam:
            raise ConfigError(
                "search.nbest",
                found=self.nbest,
                expected=f"at most search.beam ({self.beam})",
                next_step="widen the beam",
            )
        for key in ("alpha", "coverage", "max_ratio"):
            if getattr(self, key) < 0:
                raise ConfigError(
                    f"search.{key}",
                    found=getattr(self, key),
                    expected="at least 0",
                    next_step="the default is a good start",
                )
