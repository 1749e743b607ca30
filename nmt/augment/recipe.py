"""What the words of a command line say of every stage that trains, in either direction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from operator import attrgetter

from nmt.config import mistakes
from nmt.config.compose import composed
from nmt.config.root import Config
from nmt.config.train import Distribution
from nmt.data.corpora import TEST
from nmt.errors import ConfigError
from nmt.sweep.trials import key_of

# Options of the one language that is written, and what they are where the other one is.
OF_TARGET = {
    "metrics.wmd.vectors": "null",
    "search.must": "[]",
    "search.never": "[]",
    "search.dictionary": "null",
    "search.shortlist": "null",
}


class Direction(Enum):
    """forward: from source to target, as the recipe says; backward: the other way."""

    forward = "forward"
    backward = "backward"


@dataclass(frozen=True)
class Recipe:
    """`words` and `flags` as they were typed, what they say, and what they say of a model in either direction."""

    words: tuple[str, ...]
    flags: tuple[str, ...]
    config: Config
    configs: Mapping[Direction, Config] = field(default_factory=dict)  # wherever the texts of the stages lie
    other: Recipe | None = None  # of the final models, where theirs is another

    @property
    def final(self) -> Recipe:
        """Of the final models."""
        return self if self.other is None else self.other

    def training_words(
        self, direction: Direction, seed: int, train: str, dev: str, tests: Mapping[str, str]
    ) -> tuple[str, ...]:
        """Of train.py: the recipe on these texts, by PREFIX. Metrics follow the language that is written."""
        data = self.config.data
        forward = direction is Direction.forward
        src, tgt = (data.src, data.tgt) if forward else (data.tgt, data.src)
        values = {"data.src": src, "data.tgt": tgt, "data.train": train, "data.dev": dev}
        if forward and data.tgt_language is not None:
            values["data.tgt_language"] = data.tgt_language
        values |= {f"+data.tests.{name}" if name != TEST else "data.test": prefix for name, prefix in tests.items()}
        own = [word for word in self.words if key_of(word) not in ("data", "seed") and not _is_of_data(word)]
        if not forward:
            there = [key for key in OF_TARGET if attrgetter(key)(self.config)]
            own = [word for word in own if key_of(word) not in there]
            own += [f"{key}={OF_TARGET[key]}" for key in there]
        return (
            *own,
            "data=files",
            *(f"{key}={mistakes.in_quotes(value)}" for key, value in values.items()),
            *(f"data.max_length={data.max_length}", f"data.max_ratio={data.max_ratio!r}"),
            *(f"data.check={mistakes.show(data.check)}", f"seed={seed}"),
        )


def read_recipe(words: Sequence[str], flags: Sequence[str], final: Sequence[str] = ()) -> Recipe:
    """`final`: words that the final models have instead of those of the same keys. Raises ConfigError."""
    recipe = _checked(words, flags)
    if not final:
        return recipe
    keys = set(map(key_of, final))
    return replace(recipe, other=_checked([*(word for word in words if key_of(word) not in keys), *final], flags))


def _checked(words: Sequence[str], flags: Sequence[str]) -> Recipe:
    recipe = Recipe(tuple(words), tuple(flags), composed([*flags, *words]))
    if recipe.config.train.distribution is Distribution.multi_worker:
        raise ConfigError(
            "train.distribution",
            found="multi_worker",
            expected="one or mirrored: stages are processes of this machine",
            next_step="leave it out",
        )
    configs = {}
    for direction in Direction:
        configs[direction] = composed([*flags, *recipe.training_words(direction, 0, "train", "dev", {})])
        configs[direction].check_training()
    return replace(recipe, configs=configs)


def _is_of_data(word: str) -> bool:
    return key_of(word).startswith("data.")
