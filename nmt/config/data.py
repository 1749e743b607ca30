"""Which text is trained on, and what it is scored on."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from nmt.errors import ConfigError


class Variant(Enum):
    """Multi30k as text, or as most papers score it: lower-cased, punctuation-normalised, Moses-tokenised."""

    raw = "raw"
    tok = "lc.norm.tok"
    locals()["lc.norm.tok"] = tok  # an alias: OmegaConf looks members up by name


@dataclass
class DataConfig:
    """What all sources of text share. A PREFIX is a path to which `.en` or `.en.gz` is added."""

    source: str = "captions"  # captions | multi30k | files | mixture: set by the group option
    src: str = "en"  # language codes; also the endings of the files
    tgt: str = "de"
    dir: str | None = None  # where a corpus lies; None: the source's own place
    train: str | None = None  # PREFIX
    dev: str | None = None  # PREFIX; replaces the source's own dev set
    test: str | None = None  # PREFIX; replaces the source's own test set
    tests: dict[str, str] = field(default_factory=dict)  # further test sets: NAME -> PREFIX
    max_length: int = 100  # subwords a side; longer training pairs are dropped
    max_ratio: float = 9.0  # longer side over shorter side, in subwords; larger ones are dropped

    def __post_init__(self) -> None:
        if self.max_length < 1:
            raise ConfigError(
                "data.max_length",
                found=self.max_length,
                expected="at least 1",
                next_step="say how many subwords a sentence may have",
            )
        if self.max_ratio < 1:
            raise ConfigError(
                "data.max_ratio", found=self.max_ratio, expected="at least 1", next_step="9 keeps all but broken pairs"
            )
        for name in self.tests:
            if name in ("dev", "test", "") or not name.replace("-", "").replace("_", "").isalnum():
                raise ConfigError(
                    "data.tests",
                    found=repr(name),
                    expected="a name of letters, digits, '-' and '_' other than dev and test",
                    next_step="rename the test set: it becomes part of a file name",
                )


@dataclass
class CaptionsConfig(DataConfig):
    """The embedded corpus: captions written by a grammar, the same for the same seed."""

    source: str = "captions"
    train_pairs: int = 9_000
    dev_pairs: int = 500
    test_pairs: int = 500
    grammar_seed: int = 2018

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.src, self.tgt) != ("en", "de"):
            raise ConfigError(
                "data.src, data.tgt",
                found=f"{self.src}, {self.tgt}",
                expected="en, de (all that the embedded grammar writes)",
                next_step="use data=files for another pair of languages",
            )
        for key in ("train_pairs", "dev_pairs", "test_pairs"):
            if getattr(self, key) < 1:
                raise ConfigError(
                    f"data.{key}",
                    found=getattr(self, key),
                    expected="at least 1",
                    next_step="the default is a good size",
                )
        if self.train is not None or self.dir is not None:
            raise ConfigError(
                "data.train, data.dir",
                found=self.train or self.dir,
                expected="neither with data=captions, which is written, not read",
                next_step="use data=files for a corpus of your own",
            )


@dataclass
class Multi30kConfig(DataConfig):
    """Multi30k (Elliott et al. 2016): from `data.dir`, else downloaded from its public repository and verified."""

    source: str = "multi30k"
    variant: Variant = Variant.raw

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.train is not None:
            raise ConfigError(
                "data.train",
                found=self.train,
                expected="nothing with data=multi30k, which has its own training set",
                next_step="use data=files for a corpus of your own",
            )


@dataclass
class FilesConfig(DataConfig):
    """One's own parallel files: `PREFIX.src` and `PREFIX.tgt`, line by line, plain or gzip, UTF-8."""

    source: str = "files"


@dataclass
class MixtureConfig(DataConfig):
    """Several training corpora at integer ratios, spread evenly; dev and test by PREFIX."""

    source: str = "mixture"
    corpora: dict[str, str] = field(default_factory=dict)  # NAME -> PREFIX
    ratio: dict[str, int] = field(default_factory=dict)  # NAME -> parts

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.train is not None:
            raise ConfigError(
                "data.train",
                found=self.train,
                expected="nothing with data=mixture",
                next_step="name the training corpora in data.corpora",
            )
        if set(self.corpora) != set(self.ratio):
            raise ConfigError(
                "data.ratio",
                found=sorted(self.ratio),
                expected=f"one entry for each of data.corpora ({sorted(self.corpora)})",
                next_step="give each corpus its parts",
            )
        if any(part < 0 for part in self.ratio.values()) or (self.ratio and not any(self.ratio.values())):
            raise ConfigError(
                "data.ratio",
                found=dict(self.ratio),
                expected="integers of at least 0, not all 0",
                next_step="217 and 124 mean 7 : 4",
            )
