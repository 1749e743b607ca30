"""Translations of one set of sentences, and their scores."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nmt.config.metrics import MetricsConfig
from nmt.data.text import ParallelText
from nmt.metrics.bleu import BleuScore, bleu
from nmt.metrics.chrf import ChrfScore, chrf
from nmt.metrics.scores import results
from nmt.metrics.wmd import WmdScore, WordMover
from nmt.plumbing.files import write_text
from nmt.search.translate import Translation, Translator


@dataclass(frozen=True)
class Scored:
    """One set of sentences, translated and scored; `best` has one translation a sentence."""

    text: ParallelText
    best: list[Translation]
    bleu: BleuScore
    chrf: ChrfScore
    wmd: WmdScore
    seconds: float

    @property
    def lines(self) -> list[str]:
        return [translation.text for translation in self.best]

    def results(self, checkpoint: str, config: MetricsConfig) -> dict[str, Any]:
        """The content of results.json."""
        return results(
            checkpoint=checkpoint,
            data=self.text.name,
            sentences=len(self.best),
            seconds=self.seconds,
            bleu=self.bleu,
            chrf=self.chrf,
            wmd=self.wmd,
            cfg=config,
        )

    def figures(self) -> dict[str, float]:
        """The scores as events name them."""
        return {"bleu": self.bleu.score, "chrf": self.chrf.score, "wmd_similarity": self.wmd.similarity}


def score(
    text: ParallelText,
    translator: Translator,
    mover: WordMover,
    config: MetricsConfig,
    bootstrap: int,
    progress: Callable[[int], object] | None = None,
) -> Scored:
    """Translate the source side and compare with the target side; `bootstrap` resamples give the intervals."""
    started = time.perf_counter()
    best = [translations[0] for translations in translator.translate(text.src, progress=progress)]
    lines = [translation.text for translation in best]
    references = [[line] for line in text.tgt]
    return Scored(
        text,
        best,
        bleu(lines, references, config.bleu, bootstrap, config.confidence, config.seed),
        chrf(lines, references, config.chrf, bootstrap, config.confidence, config.seed),
        mover.score(lines, references),
        time.perf_counter() - started,
    )


def write_results(folder: Path, name: str, content: dict[str, Any]) -> Path:
    """results.json for the test set called test, results-NAME.json for another."""
    path = folder / ("results.json" if name == "test" else f"results-{name}.json")
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    return path


def write_translations(folder: Path, name: str, lines: list[str]) -> Path:
    """translations/NAME.txt, a line a sentence."""
    path = folder / "translations" / f"{name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, "".join(f"{line}\n" for line in lines))
    return path
