"""Which stages there are, in which order, and what each is known by.

    text -> models of round 1 -> their translations -> sum-1 -> models of round 2 -> ... -> sum -> final models

A stage is known by a digest of what it does and of the stages before it, so what a change of the command leaves as it
was is not done again: other filters take the same models and the same translations.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from nmt.augment.material import SIDES, Material
from nmt.augment.recipe import Direction, Recipe
from nmt.config.augment import BACK, DIVERSIFY, FORWARD, AugmentConfig, Back, read_search_words
from nmt.config.root import Config
from nmt.config.saved import dump, load_config
from nmt.sweep.trials import identify


@dataclass(frozen=True)
class Stage:
    """`name` is that of its folder, as long as no other stage has it."""

    name: str
    ident: str


@dataclass(frozen=True)
class Text(Stage):
    """The material, written; `lines`: which sentences are to be translated, and their digests."""

    lines: Mapping[str, str]
    pairs: str  # digest


@dataclass(frozen=True)
class Training(Stage):
    """A model: `number` counts those of a round and a direction, from 1. Round 0: a final model."""

    direction: Direction
    round: int
    number: int
    seed: int
    corpus: Text | Sum
    config: Config  # wherever its texts lie

    @cached_property
    def group(self) -> str:
        """Models that differ in their seed alone have the same."""
        return ident_of(identify(replace(self.config, seed=0)), self.corpus.ident)


@dataclass(frozen=True)
class Translation(Stage):
    """Sentences of a name of SIDES by the best checkpoint of a model, or by those of several that vote."""

    models: tuple[Training, ...]  # they differ in their seeds alone
    lines: str
    search: tuple[str, ...]

    @property
    def model(self) -> Training:
        """The first."""
        return self.models[0]


@dataclass(frozen=True)
class Part:
    """What becomes of a translation: pairs of a method."""

    method: str
    made: Translation


@dataclass(frozen=True)
class Sum(Stage):
    """The real text and what was made of it; a `whole` one is what the final models learn from."""

    parts: tuple[Part, ...]
    whole: bool


@dataclass(frozen=True)
class Plan:
    """Stages of one level do not need each other."""

    levels: tuple[tuple[Stage, ...], ...]

    def __iter__(self) -> Iterator[Stage]:
        return (stage for level in self.levels for stage in level)

    @property
    def text(self) -> Text:
        return next(stage for stage in self if isinstance(stage, Text))

    @property
    def sum(self) -> Sum:
        return next(stage for stage in self if isinstance(stage, Sum) and stage.whole)

    @property
    def finals(self) -> list[Training]:
        return [stage for stage in self if isinstance(stage, Training) and stage.round == 0]


def seed_of(seed: int, round: int, direction: Direction, number: int) -> int:
    """Of a model: another for each of them, whatever else is trained."""
    words = f"{seed} {round} {direction.value} {number}"
    return int(hashlib.sha256(words.encode()).hexdigest()[:8], 16)


def ident_of(*facts: object) -> str:
    """12 hexadecimal digits, as those of a trial."""
    return hashlib.sha256(json.dumps(facts, default=str).encode()).hexdigest()[:12]


def make_plan(command: AugmentConfig, recipe: Recipe, material: Material) -> Plan:
    """Raises ConfigError."""
    return _Planner(command, recipe, material).plan()


class _Planner:
    def __init__(self, command: AugmentConfig, recipe: Recipe, material: Material) -> None:
        self.command, self.recipe = command, recipe
        self.lines = {name: material.digest_of(name) for name in self._names()}
        self.pairs = material.digest
        self.search = read_search_words(command.translate)
        saved = dump(recipe.configs[Direction.forward])
        self.draws = {  # a mistake shows before anything is trained
            method: load_config(saved, self._search(method)).search.samples > 0 for method in command.methods
        }

    def plan(self) -> Plan:
        command = self.command
        text = Text("text", ident_of("text", self.pairs, self.lines), self.lines, self.pairs)
        levels: list[tuple[Stage, ...]] = [(text,)]
        corpus: Text | Sum = text
        diverse: list[Part] = []
        others: list[Part] = []
        rounds = command.rounds if DIVERSIFY in command.methods else 1
        for round in range(1, rounds + 1):
            models = self._models(round, corpus)
            if DIVERSIFY in command.methods:
                diverse += [self._part(DIVERSIFY, (model,)) for model in models if model.number <= command.models]
            if round == 1:
                wanted = ((FORWARD, Direction.forward, command.teachers), (BACK, Direction.backward, 1))
                others = [
                    self._part(name, tuple(one for one in models if one.direction is way and one.number <= count))
                    for name, way, count in wanted
                    if name in command.methods
                ]
            made = [part.made for part in (*diverse, *others) if part.made.model.round == round]
            levels += [tuple(models), _each_once(made)]
            if round < rounds:
                corpus = self._sum(f"sum-{round}", diverse, False)
                levels.append((corpus,))
        whole = self._sum("sum", [*diverse, *others], True)
        levels += [(whole,), tuple(self._finals(whole))]
        return Plan(tuple(level for level in levels if level))

    def _names(self) -> tuple[str, ...]:
        """Of the sentences that are translated."""
        command = self.command
        found = {"source", "target"} if DIVERSIFY in command.methods else set()
        found |= {"mono_src" if command.mono_src else "source"} if FORWARD in command.methods else set()
        found |= {"mono_tgt" if command.mono_tgt else "target"} if BACK in command.methods else set()
        return tuple(name for name in SIDES if name in found)

    def _models(self, round: int, corpus: Text | Sum) -> list[Training]:
        command = self.command
        diverse = command.models if DIVERSIFY in command.methods else 0
        teachers = command.teachers if FORWARD in command.methods and round == 1 else 0
        counts = {
            Direction.forward: max(diverse, teachers),
            Direction.backward: max(diverse, BACK in command.methods),
        }
        return [self._model(round, way, number, corpus) for way in Direction for number in range(1, counts[way] + 1)]

    def _model(self, round: int, way: Direction, number: int, corpus: Text | Sum) -> Training:
        seed = seed_of(self.recipe.config.seed, round, way, number)
        config = replace(self.recipe.configs[way], seed=seed)
        name = f"train-{round}-{way.value}-{number}"
        learnt = corpus.pairs if isinstance(corpus, Text) else corpus.ident
        return Training(name, ident_of(identify(config), learnt), way, round, number, seed, corpus, config)

    def _finals(self, corpus: Sum) -> Iterator[Training]:
        for number in range(1, self.command.final + 1):
            seed = (self.recipe.config.seed + number - 1) % 2**32
            config = replace(self.recipe.final.configs[Direction.forward], seed=seed)
            ident = ident_of("final", identify(config), corpus.ident)
            yield Training(f"final-{number}", ident, Direction.forward, 0, number, seed, corpus, config)

    def _part(self, method: str, models: tuple[Training, ...]) -> Part:
        """Diversification and forward translations are what the search of the recipe finds."""
        model = models[0]
        forward = model.direction is Direction.forward
        lines = "source" if forward else "target"
        if method == FORWARD and self.command.mono_src:
            lines = "mono_src"
        if method == BACK and self.command.mono_tgt:
            lines = "mono_tgt"
        command = self.command
        search = self._search(method, *([f"search.seed={model.seed}"] if self.draws[method] else []))
        what = (lines, self.lines[lines], search, command.part, command.min_score is not None)
        ident = ident_of("translate", *(one.ident for one in models), *what)
        name = f"translate-{model.round}-{model.direction.value}-{model.number}" if method == DIVERSIFY else method
        return Part(method, Translation(name, ident, models, lines, search))

    def _search(self, method: str, *seed: str) -> tuple[str, ...]:
        drawn = ["search.samples=1"] if method == BACK and self.command.back is Back.sampling else []
        return (*drawn, "search.nbest=1", *seed, *self.search)

    def _sum(self, name: str, parts: Sequence[Part], whole: bool) -> Sum:
        command = self.command
        data = self.recipe.config.data
        kept = (command.min_score, command.min_similarity, command.vectors_src, command.vectors_tgt, data.max_ratio)
        noise = (command.back, command.drop, command.blank, command.shuffle, command.filler, self.recipe.config.seed)
        form = (command.tag, noise, command.upsample, command.gzip) if whole else ()
        made = [(part.method, part.made.ident) for part in parts]
        return Sum(name, ident_of("sum", made, kept, form, whole), tuple(parts), whole)


def _each_once(stages: Sequence[Stage]) -> tuple[Stage, ...]:
    """What two methods need is done once."""
    found: dict[str, Stage] = {}
    for stage in stages:
        found.setdefault(stage.ident, stage)
    return tuple(found.values())
