"""How a translation is scored."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum

from nmt.config.languages import tokenizer_for
from nmt.config.option import Options, option

AUTO = "auto"
TOKENIZERS = (AUTO, "13a", "none", "intl", "char", "zh", "ja-mecab", "ko-mecab")
TOKENIZE = "auto follows the target language, none is for text that is already tokenised"


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


@dataclass
class BleuConfig(Options, place="metrics.bleu"):
    tokenize: str = option(
        AUTO,
        "sacreBLEU's tokenizer; auto: by the target language; none: for text that is already tokenised",
        one_of=TOKENIZERS,
        hint=TOKENIZE,
    )
    lowercase: bool = option(False, "whether case does not count")

    def for_language(self, language: str) -> BleuConfig:
        """With the tokenizer of that language in place of `auto`."""
        return replace(self, tokenize=tokenizer_for(language)) if self.tokenize == AUTO else self


@dataclass
class ChrfConfig(Options, place="metrics.chrf"):
    word_order: int = option(0, "0 is chrF, 2 is chrF++", at_least=0, hint="0 is chrF, 2 is chrF++")


@dataclass
class WmdConfig(Options, place="metrics.wmd"):
    """Similarity by Word Mover's Distance (Kusner et al. 2015)."""

    vectors: str | None = option(
        None, "word2vec, GloVe, gensim or npz file; null: trained on the target side of the training set"
    )
    dimensions: int = option(100, "of trained vectors", at_least=1, hint="50 to 300 are usual")
    epochs: int = option(10, "of training vectors", at_least=1, hint="5 to 10 are usual")
    window: int = option(5, "of training vectors: words to each side", at_least=1, hint="5 is usual")
    norm: Norm = option(Norm.unit, "word vectors scaled to length 1, or raw")
    aggregate: Aggregate = option(Aggregate.max, "over the references of one sentence")
    sigma: float = option(1.0, "similarity is exp(-distance / sigma)", above=0, hint="1 is the definition's")
    stop_words: str = option("auto", "auto: of the target language; a language code; none")
    tokenize: str = option(
        AUTO, "as metrics.bleu.tokenize, for the words that are moved", one_of=TOKENIZERS, hint=TOKENIZE
    )
    lowercase: bool = option(True, "whether case does not count")
    backend: Backend = option(Backend.exact, "exact: our engine; pyemd: the reference implementation, slower")
    cache: str | None = option(None, "folder of trained vectors; null: the user's cache folder")

    def for_language(self, language: str) -> WmdConfig:
        """With the tokenizer of that language in place of `auto`."""
        return replace(self, tokenize=tokenizer_for(language)) if self.tokenize == AUTO else self


@dataclass
class MetricsConfig(Options, place="metrics"):
    bleu: BleuConfig = field(default_factory=BleuConfig)
    chrf: ChrfConfig = field(default_factory=ChrfConfig)
    wmd: WmdConfig = field(default_factory=WmdConfig)
    bootstrap: int = option(
        1_000,
        "resamples behind a confidence interval; 0: no interval",
        at_least=0,
        hint="1000 is usual, 0 leaves intervals out",
    )
    confidence: float = option(0.95, "of an interval", above=0, below=1, hint="0.95 is usual")
    seed: int = option(12_345, "of the resamples")

    def for_language(self, language: str) -> MetricsConfig:
        """With the tokenizers of that language in place of `auto`."""
        return replace(self, bleu=self.bleu.for_language(language), wmd=self.wmd.for_language(language))
