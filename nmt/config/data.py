"""Which text is trained on, and what it is scored on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from nmt.config.languages import language_of
from nmt.config.option import Options, option, seed_option
from nmt.errors import ConfigError

SOURCE = "captions, multi30k, enja, files or mixture: set by the group option"
PAIRS = "9000 to train on and 500 to score on take a minute"


class Variant(Enum):
    """Multi30k as text, or as most papers score it: lower-cased, punctuation-normalised, Moses-tokenised."""

    raw = "raw"
    tok = "lc.norm.tok"
    locals()["lc.norm.tok"] = tok  # an alias: OmegaConf looks members up by name


@dataclass
class DataConfig(Options, place="data"):
    """What all sources of text share. A PREFIX is a path to which `.en` or `.en.gz` is added."""

    source: str = option("captions", SOURCE)
    src: str = option("en", "language of the source, also the ending of its files")
    tgt: str = option("de", "language of the target, also the ending of its files")
    tgt_language: str | None = option(None, "code of the target language, for scoring; null: data.tgt says it")
    base: str | None = option(None, "folder that a saved run was started in: its relative paths start there")
    dir: str | None = option(None, "folder of the corpus; null: the source's own place, or downloaded (multi30k, enja)")
    train: str | None = option(None, "PREFIX of one's own training text: PREFIX.en, PREFIX.de or .gz")
    dev: str | None = option(None, "PREFIX of the text that chooses the best checkpoint; null: the source's own")
    test: str | None = option(None, "PREFIX of the text that is scored at the end; null: the source's own")
    tests: dict[str, str] = option({}, "further test sets: +data.tests.NAME=PREFIX")
    check: bool = option(True, "look through the training text for dev and test sentences as a run begins")
    max_length: int = option(
        100,
        "subwords a side; longer training pairs are dropped",
        at_least=1,
        hint="say how many subwords a sentence may have",
    )
    max_ratio: float = option(
        9.0,
        "longer side over shorter side, in subwords; larger ones are dropped",
        at_least=1,
        hint="9 keeps all but broken pairs",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in self.tests:
            if name in ("dev", "test", "") or not name.replace("-", "").replace("_", "").isalnum():
                raise ConfigError(
                    "data.tests",
                    found=repr(name),
                    expected="a name of letters, digits, '-' and '_' other than dev and test",
                    next_step="rename the test set: it becomes part of a file name",
                )

    @property
    def language(self) -> str:
        """Of the target side, by two letters where there are such: de for tok.de, zh for zh-CN."""
        return language_of(self.tgt if self.tgt_language is None else self.tgt_language)

    def check_training(self) -> None:
        """Raises ConfigError where nothing says what to train on, or what chooses the best checkpoint."""


def needed(key: str, expected: str = "a PREFIX, the path of a pair of files without their endings") -> ConfigError:
    """What is missing on the command line."""
    return ConfigError(key, found="nothing", expected=expected, next_step=f"add {key}=... to the command line")


def refuse_folder(config: DataConfig) -> None:
    """data.dir must not be passed over in silence where nothing looks for it. Raises ConfigError."""
    if config.dir is not None and not isinstance(config, PublishedConfig):
        raise ConfigError(
            "data.dir",
            found=config.dir,
            expected=f"nothing with data={config.source}",
            next_step="write the folder in front of each PREFIX",
        )


@dataclass
class CaptionsConfig(DataConfig):
    """The embedded corpus: captions written by a grammar, the same for the same seed."""

    source: str = option("captions", SOURCE)
    train_pairs: int = option(9_000, "sentence pairs to train on", at_least=1, hint=PAIRS)
    dev_pairs: int = option(500, "sentence pairs of the dev set", at_least=1, hint=PAIRS)
    test_pairs: int = option(500, "sentence pairs of the test set", at_least=1, hint=PAIRS)
    grammar_seed: int = seed_option(2018, "of what is written")

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.src, self.tgt) != ("en", "de"):
            raise ConfigError(
                "data.src, data.tgt",
                found=f"{self.src}, {self.tgt}",
                expected="en, de (all that the embedded grammar writes)",
                next_step="use data=files for another pair of languages",
            )
        if self.train is not None or self.dir is not None:
            raise ConfigError(
                "data.train, data.dir",
                found=self.train or self.dir,
                expected="neither with data=captions, which is written, not read",
                next_step="use data=files for a corpus of your own",
            )


@dataclass
class PublishedConfig(DataConfig):
    """A corpus with training, dev and test sets: from `data.dir`, else downloaded from its public repository."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.train is not None:
            raise ConfigError(
                "data.train",
                found=self.train,
                expected=f"nothing with data={self.source}, which has its own training set",
                next_step="use data=files for a corpus of your own",
            )


@dataclass
class Multi30kConfig(PublishedConfig):
    """Multi30k (Elliott et al. 2016), English-German."""

    source: str = option("multi30k", SOURCE)
    variant: Variant = option(Variant.raw, "raw text, or as most papers score it: lower-cased and tokenised")


@dataclass
class EnjaConfig(PublishedConfig):
    """small_parallel_enja: 50,000 short English-Japanese pairs of the Tanaka corpus, tokenised."""

    source: str = option("enja", SOURCE)
    tgt: str = option("ja", "language of the target, also the ending of its files")


@dataclass
class FilesConfig(DataConfig):
    """One's own parallel files: `PREFIX.src` and `PREFIX.tgt`, line by line, plain or gzip, UTF-8."""

    source: str = option("files", SOURCE)

    def check_training(self) -> None:
        refuse_folder(self)
        for key, prefix in (("data.train", self.train), ("data.dev", self.dev)):
            if prefix is None:
                raise needed(key)


@dataclass
class MixtureConfig(DataConfig):
    """Several training corpora at integer ratios, spread evenly; dev and test by PREFIX."""

    source: str = option("mixture", SOURCE)
    corpora: dict[str, str] = option({}, "training corpora: +data.corpora.NAME=PREFIX")
    ratio: dict[str, int] = option({}, "parts of each: +data.ratio.NAME=PARTS")

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

    def parts(self) -> dict[str, int]:
        """Those of each corpus that has any. Raises ConfigError where none has."""
        parts = {name: part for name, part in self.ratio.items() if part}
        if not parts:
            raise needed("data.corpora", "a PREFIX for each name, and its parts in data.ratio")
        return parts

    def check_training(self) -> None:
        refuse_folder(self)
        self.parts()
        if self.dev is None:
            raise needed("data.dev")
