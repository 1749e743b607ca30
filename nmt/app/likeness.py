"""What a choice by agreement (`search.mbr`) compares texts with: the metrics as the configuration sets them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nmt.config.root import Config
from nmt.config.search import Utility
from nmt.metrics.likeness import BleuLikeness, ChrfLikeness, WmdLikeness
from nmt.metrics.wmd import WordMover
from nmt.search.mbr import Likeness, LikenessOf


def likeness_of(config: Config, mover: Callable[[], WordMover]) -> LikenessOf | None:
    """None where nothing is chosen by agreement; `mover` is asked for where word vectors are needed."""
    if config.search.mbr is Utility.none:
        return None
    words = mover() if config.search.mbr is Utility.wmd else None

    def prepare(texts: Sequence[str]) -> Likeness:
        if words is not None:
            return WmdLikeness(texts, words)
        if config.search.mbr is Utility.bleu:
            return BleuLikeness(texts, config.metrics.bleu)
        return ChrfLikeness(texts, config.metrics.chrf)

    return prepare
