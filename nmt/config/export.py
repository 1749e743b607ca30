"""The command line that turns a checkpoint into a folder of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from nmt.config import mistakes
from nmt.config.commands import Command
from nmt.config.option import option
from nmt.errors import ConfigError


@dataclass
class ExportConfig(Command):
    """A checkpoint as a SavedModel with subwords, program and model card."""

    may_change: ClassVar[tuple[str, ...]] = ("search",)
    unused: ClassVar[Mapping[str, str]] = {"search.alone": "leave it out: the graph is TensorFlow's"}

    out: str = option("", "folder to write, new or empty; FOLDER alone says the same")
    licence: str | None = option(None, "of the model, for its card, as CC-BY-4.0; null: unknown")

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.checkpoint) > 1:
            raise ConfigError(
                "checkpoint",
                found=f"{len(self.checkpoint)} files",
                expected="one",
                next_step="average them with `nmt checkpoint average`, or export each",
            )
        if not self.out:
            raise ConfigError(
                "out", found="nothing", expected="a folder", next_step="write nmt export checkpoint=FILE FOLDER"
            )
        if self.licence is not None and not self.licence.strip():
            raise ConfigError(
                "licence", found="no text", expected="a name", next_step="leave it out where it is unknown"
            )


def with_folder(argv: Sequence[str]) -> list[str]:
    """The words of a command line, its FOLDER as out=FOLDER; of several they are left, to be refused."""
    bare = [word for word in argv if "=" not in word and not word.startswith("-")]
    if len(bare) != 1 or "--help" in argv or "-h" in argv:
        return list(argv)
    return [f"out={mistakes.in_quotes(word)}" if word == bare[0] else word for word in argv]
