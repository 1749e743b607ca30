"""What a choice by agreement (`search.mbr`) compares texts with: the metrics as the configuration sets them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nmt.config.root import Config
from nmt.config.search import Utility
from nmt.metrics.likeness import BleuLikeness, ChrfLikeness, WmdLikeness
from nmt.metrics.vectors import VectorSource
from nmt.metrics.wmd import WordMover
from nmt.search.mbr import Likeness, LikenessOf


def likeness_of(config: Config, vectors: Callable[[], VectorSource | None]) -> LikenessOf | None:
    """None where nothing is chosen by agreement; `vectors` is asked where words need them."""
    if config.search.mbr is Utility.none:
        return None
    words: WordMover | None = None
    if config.search.mbr is Utility.wmd:
        source = vectors()
        assert source is not None, "see needs_vectors of nmt.app.vectors"
        words = WordMover(source, config.metrics.wmd, config.data.language)

    def prepare(texts: Sequence[str]) -> Likeness:
        if words is not None:
            return WmdLikeness(texts, words)
        if config.search.mbr is Utility.bleu:
            return BleuLikeness(texts, config.metrics.bleu)
        return ChrfLikeness(texts, config.metrics.chrf)

    return prepare
