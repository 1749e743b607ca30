# B batch, S source step, T target step
"""The models of a service: each reads one language and writes another, and is replaced when its files change."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tensorflow as tf

from nmt.app.likeness import likeness_of
from nmt.app.models import members, open_system
from nmt.app.translate import vectors_of
from nmt.config.commands import VOTE
from nmt.config.languages import language_of
from nmt.config.search import SearchConfig
from nmt.data.specials import EOS
from nmt.data.subwords import Vocabularies
from nmt.errors import NmtError
from nmt.search.demands import Demand
from nmt.search.interface import SearchModel
from nmt.search.likelihood import Scorer
from nmt.search.mbr import LikenessOf
from nmt.search.translate import Translator, pad
from nmt.search.translation import Translation

log = logging.getLogger(__name__)
NOTHING = Demand()
WARM_UP = "a"  # translated before a model is used: its graphs are built then


@dataclass(frozen=True)
class Model:
    """One model, or several that vote, ready to translate. A new one takes its place where its files change."""

    name: str
    files: tuple[Path, ...]
    version: int  # counts the times that it was taken over
    source: str  # language code
    target: str
    best: Translator  # one translation a sentence
    several: Translator
    scorer: Scorer

    def work(self, alternatives: int, demand: Demand = NOTHING) -> ModelWork:
        """What the queue hands sentences to."""
        return ModelWork(self, alternatives, demand)

    def fits(self, sentence: str) -> bool:
        """Whether the model reads all of it."""
        return len(self.best.vocabularies.src.encode(sentence)) <= self.best.cfg.max_source

    def known_share(self, text: str) -> float:
        """Of the characters of a text, the share that its pieces need less than one each: of the own language, high."""
        pieces = self.best.vocabularies.src.encode(text)
        return max(0.0, 1.0 - len(pieces) / max(1, len(text)))


@dataclass(frozen=True)
class ModelWork:
    """Translates sentences, of all of which the same is demanded, with so many alternatives beside the best."""

    model: Model
    alternatives: int
    demand: Demand = NOTHING

    @property
    def key(self) -> tuple[Hashable, ...]:
        return self.model.name, self.model.version, self.alternatives > 0, self.demand

    def __call__(self, sentences: Sequence[str]) -> list[list[Translation]]:
        translator = self.model.several if self.alternatives else self.model.best
        return translator.translate(list(sentences), demands=[self.demand] * len(sentences))


@dataclass(frozen=True)
class Detailed:
    """A translation, and how likely the model finds each of its pieces after those before: log_prob_T."""

    translation: Translation
    log_prob_T: np.ndarray


@dataclass(frozen=True)
class DetailWork:
    """As ModelWork, with the probabilities of the pieces."""

    plain: ModelWork

    @property
    def key(self) -> tuple[Hashable, ...]:
        return *self.plain.key, "detail"

    def __call__(self, sentences: Sequence[str]) -> list[list[Detailed]]:
        found = self.plain(sentences)
        pairs = [(sentence, one) for sentence, several in zip(sentences, found, strict=True) for one in several]
        real = [(self._source(sentence), one.tokens) for sentence, one in pairs if one.tokens]
        scored: Iterator[np.ndarray] = iter(())
        if real:
            sources, targets = zip(*real, strict=True)
            judged = self.plain.model.scorer(tf.constant(pad(sources)), tf.constant(pad(targets)))
            scored = iter(judged.log_prob_BT.numpy())
        detailed = iter(
            [Detailed(one, next(scored)[: len(one.tokens)] if one.tokens else np.zeros(0)) for _, one in pairs]
        )
        return [[next(detailed) for _ in several] for several in found]

    def _source(self, sentence: str) -> list[int]:
        translator = self.plain.model.best
        return [*translator.vocabularies.src.encode(sentence)[: translator.cfg.max_source], EOS]


Opener = Callable[[str, tuple[Path, ...], int], Model]  # of a name, its files, and how often it was taken over


class Shelf:
    """The models by their names, in the order of the command line."""

    def __init__(self, names: Sequence[str], opener: Opener) -> None:
        """Raises what `opener` does for a model that cannot be used."""
        self._open = opener
        self._models: dict[str, Model] = {}
        self._seen: dict[str, tuple[object, ...]] = {}
        for file in names:
            files = tuple(members(file))
            name = self._free_name(files)
            self._seen[name] = stamps(files)
            self._models[name] = self._open(name, files, 1)
        self._closing = threading.Event()
        self._look = threading.Event()

    @property
    def models(self) -> list[Model]:
        return list(self._models.values())

    def pick(self, source: str, target: str, name: str | None = None) -> Model | None:
        """The first model for this pair of languages, or the named one if it is for the pair."""
        for model in self.models:
            if (model.source, model.target) == (source, target) and name in (None, model.name):
                return model
        return None

    def detect(self, text: str) -> list[tuple[str, float]]:
        """The languages that models read, the likeliest first, with shares in 0..1 that sum to 1.

        It is a guess among these languages alone: the one whose pieces the text needs fewest of.
        """
        shares: dict[str, float] = {}
        for model in self.models:
            shares[model.source] = max(shares.get(model.source, 0.0), model.known_share(text))
        weights = {language: share**4 for language, share in shares.items()}
        total = sum(weights.values()) or 1.0
        return sorted(((code, weight / total) for code, weight in weights.items()), key=lambda pair: -pair[1])

    def look_now(self) -> None:
        """Look whether files have changed, soon and in another thread."""
        self._look.set()

    def watch(self, every_s: float) -> threading.Thread:
        """Look every so often (0: when asked to) until `close`."""

        def run() -> None:
            while not self._closing.is_set():
                self._look.wait(every_s or None)
                self._look.clear()
                if not self._closing.is_set():
                    self.take_over()

        thread = threading.Thread(target=run, name="watch", daemon=True)
        thread.start()
        return thread

    def close(self) -> None:
        """End the watch."""
        self._closing.set()
        self._look.set()

    def take_over(self) -> None:
        """Open what has changed. Where that fails the model stays as it was, with the reason in the log."""
        for name, model in list(self._models.items()):
            now = stamps(model.files)
            if now == self._seen[name] or None in now:  # a file that is gone may be about to be replaced
                continue
            self._seen[name] = now
            try:
                self._models[name] = self._open(name, model.files, model.version + 1)
                log.info("%s: taken over anew", name)
            except NmtError as error:
                log.warning("%s stays as it was: %s", name, error)
            except Exception:  # of the disk or the memory, say: the watch goes on
                log.exception("%s stays as it was", name)

    def _free_name(self, files: Sequence[Path]) -> str:
        stem = VOTE.join(file.stem for file in files)
        number = 1
        while (name := stem if number == 1 else f"{stem}-{number}") in self._models:
            number += 1
        return name


def checkpoint_opener(overrides: tuple[str, ...], alternatives: int) -> Opener:
    """Opens checkpoints with `overrides` of their configurations, for so many alternatives beside the best.

    The opener raises CheckpointError, ConfigError where one of the files cannot be used.
    """

    def opened(name: str, files: tuple[Path, ...], version: int) -> Model:
        system = open_system(files, overrides)
        first = system.first
        data, search = first.config.data, first.config.search
        languages = language_of(data.src), data.language
        likeness = likeness_of(first.config, lambda: vectors_of(first))
        return make_model(
            name, files, version, languages, system.model, first.vocabularies, search, alternatives, likeness
        )

    return opened


def make_model(
    name: str,
    files: tuple[Path, ...],
    version: int,
    languages: tuple[str, str],
    model: SearchModel,
    vocabularies: Vocabularies,
    search: SearchConfig,
    alternatives: int,
    likeness: LikenessOf | None = None,
) -> Model:
    """Ready to translate, its graphs built."""
    nbest = min(search.width, 1 + alternatives)
    best, several = (
        Translator(model, vocabularies, replace(search, nbest=number), likeness_of=likeness, fixed=True, turned=True)
        for number in (1, nbest)
    )
    for translator in (best, several) if alternatives else (best,):
        translator.translate([WARM_UP] * (search.alone + 1))  # so many are not searched alone
    return Model(name, files, version, *languages, best, several, Scorer(model, search))


def stamps(files: Sequence[Path]) -> tuple[object, ...]:
    """What changes when a file does; for one that is not there, nothing."""

    def stamp(file: Path) -> object:
        try:
            found = os.stat(file)
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    return tuple(map(stamp, files))
