"""How a translation is looked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from nmt.config.option import Options, option, seed_option
from nmt.config.precision import Precision
from nmt.errors import ConfigError


class Normalisation(Enum):
    """none: sum of log-probabilities; average: divided by length.

    gnmt: divided by ((5 + length) / 6)^alpha (Wu et al. 2016, eq. 14).
    """

    none = "none"
    average = "average"
    gnmt = "gnmt"


class Utility(Enum):
    """What makes translations near to each other."""

    none = "none"
    bleu = "bleu"
    chrf = "chrf"
    wmd = "wmd"


# What shapes a draw, and changes nothing where none is made.
OF_DRAWS = ("temperature", "top_k", "top_p", "epsilon", "seed")


def idle_keys(samples: int) -> tuple[str, ...]:
    """Those that change nothing with so many draws a sentence."""
    return ("diversity",) if samples else OF_DRAWS


@dataclass
class SearchConfig(Options, place="search"):
    beam: int = option(
        5, "hypotheses a sentence; 1 is greedy", at_least=1, at_most=1_000, hint="1 is greedy, 5 is usual"
    )
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
        at_most=100,
        hint="0 leaves search.max_extra subwords for every sentence",
    )
    max_extra: int = option(
        10, "see search.max_ratio", at_least=1, at_most=10_000, hint="short sentences need it: 10 is usual"
    )
    batch_tokens: int = option(
        4_096, "source subwords a batch, padding included", at_least=1, hint="take the largest that fits into memory"
    )
    max_source: int = option(
        200, "subwords; a longer line is cut, with a warning", at_least=1, hint="say how many subwords a line may have"
    )
    precision: Precision = option(Precision.float32, "of the large products")
    alone: int = option(
        2,
        "sentences of a batch, at most, for a search in NumPy, one after the other (docs/search.md); 0: none",
        at_least=0,
        at_most=64,
        hint="2 is quick on a CPU, 0 leaves all to TensorFlow",
    )
    min_length: int = option(
        0, "subwords before the end mark, at least", at_least=0, at_most=10_000, hint="0 lets a model end at once"
    )
    no_repeat: int = option(
        0,
        "no n-gram of so many subwords stands in a translation twice; 0: any may",
        at_least=0,
        at_most=100,
        hint="3 or 4 is usual, 0 is off",
    )
    diversity: float = option(
        0.0,
        "what the r-th best continuation of one prefix loses, times r (Li, Monroe & Jurafsky 2016)",
        at_least=0,
        hint="0.5 spreads the translations of one sentence, 0 is off",
    )
    must: list[str] = option([], "words or phrases that every translation has")
    never: list[str] = option([], "words or phrases that no translation has")
    replace_unknown: bool = option(False, "unknown pieces become the source word that the attention looked at")
    dictionary: str | None = option(
        None, "file of source word, tab, target word a line, for search.replace_unknown; null: the source word as it is"
    )
    shortlist: str | None = option(
        None, "file of nmt shortlist: only pieces that go with the source's are written; null: all"
    )
    samples: int = option(
        0,
        "translations drawn at random a sentence; 0: a search for the best",
        at_least=0,
        at_most=10_000,
        hint="0 searches with a beam",
    )
    temperature: float = option(
        1.0, "of a draw: below 1 likely words become more likely", above=0, hint="1 draws as the model says"
    )
    top_k: int = option(
        0, "a draw takes one of the k likeliest words; 0: any", at_least=0, hint="0 leaves all words in"
    )
    top_p: float = option(
        1.0, "... one of the fewest that have this much probability", above=0, at_most=1, hint="1 leaves all words in"
    )
    epsilon: float = option(
        0.0, "... one of at least this probability", at_least=0, below=1, hint="0.02 is usual, 0 leaves all words in"
    )
    seed: int = seed_option(1, "of the draws")
    mbr: Utility = option(
        Utility.none, "take the translation that is nearest to the others (Kumar & Byrne 2004): by which score"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nbest > self.width:
            found, more = ("samples", "draw more") if self.samples else ("beam", "widen the beam")
            raise ConfigError(
                "search.nbest",
                found=self.nbest,
                expected=f"at most search.{found} ({self.width})",
                next_step=more,
            )
        if self.mbr is not Utility.none and self.width < 2:
            raise ConfigError(
                "search.mbr",
                found=f"{self.mbr.value} with {self.width} translation a sentence",
                expected="several to choose from",
                next_step="set search.samples=32, or widen search.beam",
            )
        if self.dictionary is not None and not self.replace_unknown:
            raise ConfigError(
                "search.dictionary",
                found=self.dictionary,
                expected="search.replace_unknown=true beside it",
                next_step="add search.replace_unknown=true",
            )
        if self.shortlist is not None and (
            self.samples or self.min_length or self.no_repeat or self.must or self.never
        ):
            raise ConfigError(
                "search.shortlist",
                found=self.shortlist,
                expected="neither draws nor rules beside it: they are of all pieces",
                next_step="leave one of them out",
            )
        for key in idle_keys(self.samples):
            found, usual = getattr(self, key), getattr(SearchConfig, key)
            if found != usual:
                raise ConfigError(
                    f"search.{key}",
                    found=found,
                    expected=f"{usual} with search.samples={self.samples}, which it would not change",
                    next_step="search with a beam: search.samples=0" if self.samples else "add search.samples=32",
                )

    def greedy(self) -> SearchConfig:
        """The quickest search with the same rules: the best word, then the best word after it."""
        draws = {key: getattr(SearchConfig, key) for key in OF_DRAWS}
        return replace(self, beam=1, nbest=1, samples=0, mbr=Utility.none, **draws)

    @property
    def width(self) -> int:
        """How many translations of a sentence there are to choose from."""
        return self.samples or self.beam
