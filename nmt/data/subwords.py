"""What the rest of the program knows of subwords: text to ids and back, one interface for every kind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from nmt.config.subword import SubwordConfig, SubwordKind
from nmt.data.lines import Chain
from nmt.data.sentencepieces import SentencePieces, broken_model, learn_sentencepieces
from nmt.data.specials import BOS, EOS, PAD, UNK, UNKNOWN
from nmt.data.subword_cache import content_key, recall
from nmt.data.words import ListedSubwords, count_listed
from nmt.plumbing.folders import cache
from nmt.plumbing.records import parsed

__all__ = ["BOS", "EOS", "PAD", "UNK", "UNKNOWN", "Subwords", "Vocabularies", "learn_vocabularies"]
__all__ += ["subwords_from_bytes"]


class Subwords(Protocol):
    """A vocabulary and the way that text is cut into it. Has no state but itself; safe to share between threads."""

    kind: SubwordKind
    size: int  # pieces, the four special ones included

    def encode(self, line: str) -> list[int]:
        """Ids of the pieces of `line`, without start and end mark; UNK for what the vocabulary lacks."""

    def unknown(self, line: str) -> list[str]:
        """The parts of `line` that the vocabulary lacks, as text."""

    def encode_sampled(self, line: str, rate: float, rng: np.random.Generator) -> list[int]:
        """As `encode`, by a segmentation drawn at `rate` (nmt/data/sampling.py): 0 is the one of `encode`.

        A pure function of line, rate and the state of `rng`. Raises ValueError where there is but one segmentation.
        """

    def decode(self, ids: Iterable[int]) -> str:
        """Detokenised text; PAD, BOS and EOS are left out and UNK is shown as UNKNOWN."""

    def pieces(self, ids: Iterable[int]) -> list[str]:
        """A label for each id, for the axes of a drawing."""

    def surface(self, piece: int) -> str:
        """The text that a piece adds to what stands before it, with the space that parts them."""

    def words(self, line: str) -> list[str]:
        """For each id of `encode(line)` the word of the line that it belongs to."""

    def to_bytes(self) -> bytes:
        """All there is to know, for `subwords_from_bytes`."""


@dataclass(frozen=True)
class Vocabularies:
    """Of source and target; joint: both are the same one."""

    src: Subwords
    tgt: Subwords
    joint: bool


def subwords_from_bytes(kind: SubwordKind, data: bytes) -> Subwords:
    """What `to_bytes` of a vocabulary of this kind gave. Raises DataError for any other bytes."""
    if kind in (SubwordKind.bpe, SubwordKind.unigram):
        return SentencePieces(kind, data)
    try:
        entries = parsed(data)
    except ValueError as error:
        raise broken_model(f"bytes that are no list of {kind.value} ({error})") from error
    if not (isinstance(entries, list) and all(isinstance(entry, str) for entry in entries)):
        raise broken_model(f"JSON that is no list of {kind.value}")
    if len(set(entries)) != len(entries):
        raise broken_model(f"a list of {kind.value} with one of them twice")
    return ListedSubwords(kind, entries)


def learn_vocabularies(cfg: SubwordConfig, src_lines: Iterable[str], tgt_lines: Iterable[str]) -> Vocabularies:
    """Learn the vocabularies of a training set, or take them from the cache if they were learnt from it before.

    Lines are gone through several times, so they are no iterators. SentencePiece models have exactly `cfg.size` pieces;
    words and characters are as many as there are, up to that.
    Raises DataError where the text does not yield so many SentencePiece pieces.
    """
    if cfg.joint:
        both = _recall(cfg, "text of both sides", Chain([src_lines, tgt_lines]))
        return Vocabularies(both, both, joint=True)
    return Vocabularies(_recall(cfg, "source text", src_lines), _recall(cfg, "target text", tgt_lines), joint=False)


def _recall(cfg: SubwordConfig, side: str, lines: Iterable[str]) -> Subwords:
    folder = cache("subwords", cfg.cache)
    key = content_key([cfg.kind.value, str(cfg.size), str(cfg.min_count)], lines)
    return subwords_from_bytes(cfg.kind, recall(folder, key, lambda: _learn(cfg, side, lines).to_bytes()))


def _learn(cfg: SubwordConfig, side: str, lines: Iterable[str]) -> Subwords:
    if cfg.kind in (SubwordKind.bpe, SubwordKind.unigram):
        return learn_sentencepieces(cfg.kind, lines, cfg.size, cfg.min_count, side)
    return count_listed(cfg.kind, lines, cfg.size, cfg.min_count)
