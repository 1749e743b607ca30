"""The command line that asks how likely given translations are."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from nmt.config.commands import Command
from nmt.config.option import option
from nmt.errors import ConfigError


class ScoreFormat(Enum):
    """text: the score of each pair. json: an object a pair, with pieces, their probabilities and the attention."""

    text = "text"
    json = "json"


@dataclass
class ScoreConfig(Command):
    """How likely a checkpoint finds given translations; several checkpoints are an ensemble."""

    may_change: ClassVar[tuple[str, ...]] = tuple(
        f"search.{key}" for key in ("normalisation", "alpha", "coverage", "precision", "batch_tokens")
    )  # nothing is searched for

    source: str = option("", "file of sentences, plain or gzip")
    target: str = option("", "file of their translations, line by line")
    format: ScoreFormat = option(ScoreFormat.text, "text: a score a line; json: an object a line, with all there is")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("source", "target"):
            if not getattr(self, name):
                raise ConfigError(name, found="nothing", expected="a file", next_step=f"write {name}=FILE")
