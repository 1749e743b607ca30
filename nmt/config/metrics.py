"""How a translation is scored: what is known of each metric without computing it, and its options.

A metric that is added has an entry in METRICS, a class of options in MetricsConfig where it has any, and a module
`nmt.metrics.NAME` that computes it. Tables, events, early stopping, sweeps and comparisons need no change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from nmt.config.languages import tokenizer_for
from nmt.config.option import Options, option, seed_option
from nmt.errors import ConfigError


@dataclass(frozen=True)
class Figure:
    """A number that says how good a set of translations is, wherever it is shown or chosen by."""

    key: str  # in events, and of train.early_stopping.metric
    label: str  # in tables
    digits: int = 2
    sign: int = 1  # +1 where more is better, -1 where less is
    least: float = 0.0  # no value is smaller
    most: float = 100.0  # no value is larger
    brief: bool = True  # shown where there is room for few

    @property
    def bounds(self) -> tuple[float, float]:
        return self.least, self.most

    def told(self, value: float, sign: str = "") -> str:
        """With its digits; `sign` "+" as in format strings."""
        return f"{value:{sign}.{self.digits}f}"


@dataclass(frozen=True)
class Column:
    """A further figure of a metric in tables of scores; null is shown as "-"."""

    key: str  # in results.json
    label: str
    digits: int = 4
    percent: bool = False

    def told(self, value: float | None) -> str:
        """A cell."""
        if value is None:
            return "-"
        return f"{100 * value:.{self.digits}f} %" if self.percent else f"{value:.{self.digits}f}"


@dataclass(frozen=True)
class Facts:
    """What is known of a metric without computing it."""

    name: str  # in metrics.report and results.json; nmt.metrics.NAME computes it
    label: str  # beside its signature
    figure: Figure
    value: str = "score"  # what results.json calls the figure
    columns: tuple[Column, ...] = ()
    remark: str = ""  # beside its signature: a format of what results.json says of it
    settings: str = "the settings"  # what a score depends on beside the text
    needs_vectors: bool = False  # of words of the target language
    curve: tuple[float, float] | None = None  # a, b of nmt.metrics.agreement, from the authors' own table


LOSS = Figure("loss", "loss", digits=4, sign=-1, most=float("inf"))
METRICS: Mapping[str, Facts] = {
    facts.name: facts
    for facts in (
        Facts(
            "bleu",
            "BLEU",
            Figure("bleu", "BLEU"),
            remark="reference length {ref_len:,}",
            curve=(88.33333333333225, 0.9663926931178954),
        ),
        Facts("chrf", "chrF", Figure("chrf", "chrF", brief=False), curve=(92.999999999972, 1.1142732157139852)),
        Facts(
            "wmd",
            "WMD",
            Figure("wmd_similarity", "WMD similarity", digits=4, most=1.0),
            value="similarity",
            columns=(Column("distance", "WMD distance"), Column("coverage", "coverage", digits=1, percent=True)),
            remark="{num_empty} empty, {num_unknown} without a known word",
            settings="the word vectors and settings",
            needs_vectors=True,
        ),
        Facts(
            "ter",
            "TER",
            Figure("ter", "TER", sign=-1, most=float("inf")),
            remark="{num_edits:,} edits, reference length {ref_len:,.10g}",
        ),
        Facts("chrfpp", "chrF++", Figure("chrfpp", "chrF++")),
    )
}
FIGURES: Mapping[str, Figure] = {figure.key: figure for figure in (LOSS, *(facts.figure for facts in METRICS.values()))}

AUTO = "auto"
TOKENIZERS = (AUTO, "13a", "none", "intl", "char", "zh", "ja-mecab", "ko-mecab")
# Tokenizers of BLEU alone: pieces, by models that are files of their own. Their curves are the same authors'.
FLORES = {"flores101": (84.58445492823891, 1.262507595109315), "flores200": (90.99999999998793, 0.8079046528617078)}
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
        one_of=(*TOKENIZERS, *FLORES),
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
class TerConfig(Options, place="metrics.ter"):
    """Of sacreBLEU's TER, which are Tercom's."""

    normalized: bool = option(False, "whether punctuation becomes words of its own")
    no_punct: bool = option(False, "whether punctuation is left out")
    asian_support: bool = option(False, "with either of both: Chinese and Japanese as well")
    case_sensitive: bool = option(False, "whether case counts")


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
    report: list[str] = option(["bleu", "chrf", "wmd"], f"scores to compute, of {', '.join(METRICS)}")
    bleu: BleuConfig = field(default_factory=BleuConfig)
    chrf: ChrfConfig = field(default_factory=ChrfConfig)
    wmd: WmdConfig = field(default_factory=WmdConfig)
    ter: TerConfig = field(default_factory=TerConfig)
    bootstrap: int = option(
        1_000,
        "resamples behind a confidence interval; 0: no interval",
        at_least=0,
        hint="1000 is usual, 0 leaves intervals out",
    )
    confidence: float = option(0.95, "of an interval", above=0, below=1, hint="0.95 is usual")
    seed: int = seed_option(12_345, "of the resamples")

    def for_language(self, language: str) -> MetricsConfig:
        """With the tokenizers of that language in place of `auto`."""
        return replace(self, bleu=self.bleu.for_language(language), wmd=self.wmd.for_language(language))

    @property
    def facts(self) -> list[Facts]:
        """Of the metrics that are computed."""
        return [METRICS[name] for name in self.report]

    def curve(self, name: str) -> tuple[float, float] | None:
        """Of nmt.metrics.agreement, for a metric as it is set here; nobody has fitted one to chrF with words."""
        if name == "chrf" and self.chrf.word_order:
            return None
        own = FLORES.get(self.bleu.tokenize) if name == "bleu" else None
        return own or METRICS[name].curve

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.report or len(set(self.report)) < len(self.report) or not set(self.report) <= METRICS.keys():
            raise ConfigError(
                "metrics.report",
                found=f"[{','.join(self.report)}]",
                expected=f"some of {', '.join(METRICS)}, each at most once",
                next_step="write a list, such as metrics.report=[bleu,ter]",
            )
