"""How text becomes pieces."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from nmt.config.option import Options, option
from nmt.errors import ConfigError


class SubwordKind(Enum):
    """SentencePiece's two models, or whole words, or characters."""

    bpe = "bpe"
    unigram = "unigram"
    words = "words"
    characters = "characters"


@dataclass
class SubwordConfig(Options, place="subword"):
    kind: SubwordKind = option(SubwordKind.words, "set by the group option")
    joint: bool = option(False, "one vocabulary for both sides")
    size: int = option(
        8_000,
        "pieces of a vocabulary, four special ones included; for words and characters the most frequent",
        at_least=5,
        hint="four are special; 8000 is usual for 30,000 pairs",
    )
    min_count: int = option(
        1, "words and characters seen less often are unknown", at_least=1, hint="1 keeps every word"
    )
    sampling: float = option(
        0.0,
        "BPE-dropout rate (Provilkov 2020), or 1 - alpha-smoothing of unigram sampling (Kudo 2018); 0 is off",
        at_least=0,
        below=1,
        hint="0.1 is usual, 0 is off",
    )
    cache: str | None = option(
        None, "folder of what was learnt, and of corpora cut into it; null: the user's cache folder"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sampling and self.kind in (SubwordKind.words, SubwordKind.characters):
            raise ConfigError(
                "subword.sampling",
                found=self.sampling,
                expected=f"0 with subword.kind={self.kind.value}, which has one segmentation",
                next_step="choose subword=bpe or subword=unigram",
            )
