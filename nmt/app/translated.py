"""Translations of one set of sentences, and their scores."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nmt.compare.sentences import Trace
from nmt.config.metrics import METRICS, MetricsConfig
from nmt.data.subwords import UNK, Subwords, Vocabularies
from nmt.data.text import ParallelText
from nmt.metrics.metric import Score, Scorer
from nmt.metrics.results import results
from nmt.report.doctor import Examined, examine
from nmt.search.translate import Translation, Translator


@dataclass(frozen=True)
class Translated:
    """One set of sentences, translated and scored; `found` has the translations of each, best first."""

    text: ParallelText
    found: list[list[Translation]]
    scores: Mapping[str, Score]  # by the names of metrics.report; of the best
    seconds: float
    shortlist: str | None = None  # its signature, where the search had one

    @property
    def best(self) -> list[Translation]:
        return [translations[0] for translations in self.found]

    @property
    def nbest(self) -> list[list[tuple[str, float]]]:
        """Texts and scores."""
        return [[(one.text, one.score) for one in translations] for translations in self.found]

    @property
    def lines(self) -> list[str]:
        return [translation.text for translation in self.best]

    def results(self, checkpoint: str, config: MetricsConfig, leaked: Sequence[int] = ()) -> dict[str, Any]:
        """The content of results.json; `leaked`: sentences that stand in the training text."""
        content = results(
            checkpoint=checkpoint,
            data=self.text.name,
            sentences=len(self.found),
            seconds=self.seconds,
            scores=self.scores,
            cfg=config,
            leaked=leaked,
        )
        if self.shortlist is not None:
            content["shortlist"] = self.shortlist
        examined = self.examined()
        return content if examined is None else {**content, "attention": examined.as_json()}

    def examined(self) -> Examined | None:
        """What is to be said of the attention."""
        return examine(one.weight_TS for one in self.best if one.weight_TS is not None)

    def figures(self) -> dict[str, float]:
        """The scores as events name them."""
        return {METRICS[name].figure.key: score.value for name, score in self.scores.items()}


def traces_of(translated: Translated, vocabularies: Vocabularies) -> list[Trace | None]:
    """How the model came to each line; None where it had nothing to look at."""
    return [
        None if one.weight_TS is None else _trace(line, one, one.weight_TS, vocabularies.src)
        for line, one in zip(translated.text.src, translated.best, strict=True)
    ]


def _trace(line: str, one: Translation, weight_TS: np.ndarray, source: Subwords) -> Trace:
    words = source.words(line)[: len(one.pieces_src) - 1]
    unknown = UNK in one.tokens or bool(source.unknown(line))
    return Trace(words, one.pieces_src, one.pieces_tgt, weight_TS, unknown)


def translate_and_score(
    text: ParallelText,
    translator: Translator,
    scorer: Scorer,
    bootstrap: int,
    progress: Callable[[int], object] | None = None,
    references: Sequence[Sequence[str]] | None = None,
) -> Translated:
    """Translate the source side and compare with `references`, by default the target side; `bootstrap` resamples give
    the intervals."""
    started = time.perf_counter()
    found = translator.translate(text.src, progress=progress)
    given = [[line] for line in text.tgt] if references is None else references
    scores = scorer.score([translations[0].text for translations in found], given, bootstrap)
    return Translated(text, found, scores, time.perf_counter() - started, translator.signature)
