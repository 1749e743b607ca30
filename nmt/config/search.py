"""How a translation is looked for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from nmt.config.option import Options, option
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
class SearchConfig(Options, place="search"):
    beam: int = option(5, "hypotheses a sentence; 1 is greedy", at_least=1, hint="1 is greedy, 5 is usual")
    normalisation: Normalisation = option(
        Normalisation.average, "of scores by length; gnmt: by ((5 + length) / 6)^alpha (Wu et al. 2016)"
    )
    alpha: float = option(0.6, "strength of gnmt", at_least=0, hint="0.6 is usual, 0 does not normalise")
    coverage: float = option(
        0.0, "weight of the coverage penalty (Wu et al. 2016, eq. 14)", at_least=0, hint="0.2 is usual, 0 is off"
    )
    nbest: int = option(1, "translations a sentence", at_least=1, hint="1 is the best alone")
    max_ratio: float = option(
        2.0,
        "a translation has at most max_ratio * source length + max_extra subwords",
        at_least=0,
        hint="0 leaves search.max_extra subwords for every sentence",
    )
    max_extra: int = option(10, "see search.max_ratio", at_least=1, hint="short sentences need it: 10 is usual")
    batch_tokens: int = option(
        4_096, "source subwords a batch, padding included", at_least=1, hint="take the largest that fits into memory"
    )
    max_source: int = option(
        200, "subwords; a longer line is cut, with a warning", at_least=1, hint="say how many subwords a line may have"
    )
    precision: Precision = option(Precision.float32, "of the large products")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nbest > self.beam:
            raise ConfigError(
                "search.nbest",
                found=self.nbest,
                expected=f"at most search.beam ({self.beam})",
                next_step="widen the beam",
            )
