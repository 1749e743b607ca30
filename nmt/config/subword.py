"""How text becomes pieces."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from nmt.errors import ConfigError


class SubwordKind(Enum):
    """SentencePiece's two models, or whole words, or characters."""

    bpe = "bpe"
    unigram = "unigram"
    words = "words"
    characters = "characters"


@dataclass
class SubwordConfig:
    kind: SubwordKind = SubwordKind.words
    joint: bool = False  # one vocabulary for both sides
    size: int = 8_000  # pieces a vocabulary, special ones included; for words and characters the most frequent
    min_count: int = 1  # words and characters seen less often are unknown
    sampling: float = (
        0.0  # BPE-dropout rate (Provilkov 2020), or 1 - alpha-smoothing of unigram sampling (Kudo 2018); 0 is off
    )
    cache: str | None = None  # folder of what was learnt, and of corpora cut into it; None: the user's cache folder

    def __post_init__(self) -> None:
        if self.size < 5:
            raise ConfigError(
                "subword.size",
                found=self.size,
                expected="at least 5 (four special pieces and one of text)",
                next_step="8000 is usual for 30,000 pairs",
            )
        if not 0 <= self.sampling < 1:
            raise ConfigError(
                "subword.sampling",
                found=self.sampling,
                expected="0 <= sampling < 1",
                next_step="0.1 is usual, 0 is off",
            )
        if self.sampling and self.kind in (SubwordKind.words, SubwordKind.characters):
            raise ConfigError(
                "subword.sampling",
                found=self.sampling,
                expected=f"0 with subword.kind={self.kind.value}, which has one segmentation",
                next_step="choose subword=bpe or subword=unigram",
            )
        if self.min_count < 1:
            raise ConfigError(
                "subword.min_count", found=self.min_count, expected="at least 1", next_step="1 keeps every word"
            )
