"""The command line that learns a shortlist."""

from __future__ import annotations

from dataclasses import dataclass

from nmt.config.commands import Command
from nmt.config.option import option
from nmt.errors import ConfigError


@dataclass
class ShortlistConfig(Command):
    """Learn which target pieces go with each source piece, from where a checkpoint looks in its training text."""

    source: str = option("", "file of sentences, plain or gzip: the training text")
    target: str = option("", "file of their translations, line by line")
    output: str = option("", "file to write, for search.shortlist")
    pieces: int = option(20, "target pieces that go with a source piece, at most", at_least=1, hint="20 is usual")
    frequent: int = option(100, "most frequent pieces, which any sentence may have", at_least=0, hint="100 is usual")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("source", "target", "output"):
            if not getattr(self, name):
                raise ConfigError(name, found="nothing", expected="a file", next_step=f"write {name}=FILE")
        if len(self.checkpoint) > 1:
            raise ConfigError(
                "checkpoint",
                found=f"{len(self.checkpoint)} files",
                expected="one: its attention is what is learnt from",
                next_step="name one member of an ensemble; its shortlist serves them all",
            )
