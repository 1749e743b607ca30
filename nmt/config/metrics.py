"""How a translation is scored."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from nmt.errors import ConfigError

TOKENIZERS = ("13a", "none", "intl", "char", "zh", "ja-mecab", "ko-mecab")


class Norm(Enum):
    """Word vectors scaled to length 1, or as they come."""

    unit = "unit"
    raw = "raw"


class Aggregate(Enum):
    """Over the references of one sentence."""

    max = "max"
    mean = "mean"


class Backend(Enum):
    """exact: our engine; pyemd: the reference implementation, slower."""

    exact = "exact"
    pyemd = "pyemd"


def check_tokenizer(place: str, name: str) -> None:
    """Raises ConfigError unless sacreBLEU knows the tokenizer `name`."""
    if name not in TOKENIZERS:
        raise ConfigError(
            place,
            found=name,
            expected=f"one of {', '.join(TOKENIZERS)}",
            next_step="13a is for text, none for text that is already tokenised",
        )


@dataclass
class BleuConfig:
    tokenize: str = "13a"
    lowercase: bool = False

    def __post_init__(self) -> None:
        check_tokenizer("metrics.bleu.tokenize", self.tokenize)


@dataclass
class ChrfConfig:
    word_order: int = 0  # 0 is chrF, 2 is chrF++

    def __post_init__(self) -> None:
        if self.word_order < 0:
            raise ConfigError(
                "metrics.chrf.word_order",
                found=self.word_order,
                expected="at least 0",
                next_step="0 is chrF, 2 is chrF++",
            )


@dataclass
class WmdConfig:
    """Similarity by Word Mover's Distance (Kusner et al. 2015)."""

    vectors: str | None = (
        None  # word2vec, GloVe, gensim or npz file; None: trained on the target side of the training set
    )
    dimensions: int = 100  # of trained vectors
    epochs: int = 10
    window: int = 5
    norm: Norm = Norm.unit
    aggregate: Aggregate = Aggregate.max
    sigma: float = 1.0
    stop_words: str = "auto"  # auto: of the target language; a language code; none
    tokenize: str = "13a"
    lowercase: bool = True
    backend: Backend = Backend.exact
    cache: str | None = None  # folder of trained vectors; None: the user's cache folder

    def __post_init__(self) -> None:
        check_tokenizer("metrics.wmd.tokenize", self.tokenize)
        if self.sigma <= 0:
            raise ConfigError(
                "metrics.wmd.sigma", found=self.sigma, expected="more than 0", next_step="1 is the definition's"
            )
        for key in ("dimensions", "epochs", "window"):
            if getattr(self, key) < 1:
                raise ConfigError(
                    f"metrics.wmd.{key}",
                    found=getattr(self, key),
                    expected="at least 1",
                    next_step="the default is a good start",
                )


@dataclass
class MetricsConfig:
    bleu: BleuConfig = field(default_factory=BleuConfig)
    chrf: ChrfConfig = field(default_factory=ChrfConfig)
    wmd: WmdConfig = field(default_factory=WmdConfig)
    bootstrap: int = 1_000  # resamples behind a confidence interval; 0: no interval
    confidence: float = 0.95
    seed: int = 12_345  # of the resamples

    def __post_init__(self) -> None:
        if self.bootstrap < 0:
            raise ConfigError(
                "metrics.bootstrap",
                found=self.bootstrap,
                expected="at least 0",
                next_step="1000 is usual, 0 leaves intervals out",
            )
        if not 0 < self.confidence < 1:
            raise ConfigError(
                "metrics.confidence", found=self.confidence, expected="0 < confidence < 1", next_step="0.95 is usual"
            )
