"""The command line of the service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from nmt.config.commands import Command
from nmt.config.option import option
from nmt.errors import ConfigError


@dataclass
class ServeConfig(Command):
    """Serve checkpoints over HTTP; A.h5+B.h5 is an ensemble."""

    may_change: ClassVar[tuple[str, ...]] = ("search",)
    unused: ClassVar[Mapping[str, str]] = {"search.nbest": "write alternatives=N, the translations beside the best"}

    host: str = option("127.0.0.1", "address to listen at; 0.0.0.0: whoever reaches this machine")
    port: int = option(5_000, "0: any that is free", at_least=0, at_most=65_535, hint="5000 is LibreTranslate's")
    max_characters: int = option(5_000, "of one request", at_least=1, hint="longer ones are answered with 413")
    max_sentences: int = option(1_000, "of one request", at_least=1, hint="more are answered with 413")
    queue: int = option(4_000, "sentences that may wait", at_least=1, hint="more are answered with 429")
    batch: int = option(128, "sentences translated together, at most", at_least=1, hint="128 keeps two cores busy")
    at_once: int = option(
        2,
        "batches that a processor translates at once, sharing its cores; a GPU: one",
        at_least=1,
        at_most=64,
        hint="2 is quick",
    )
    wait_ms: int = option(
        5, "that the oldest sentence waits for company", at_least=0, at_most=60_000, hint="0 waits for nobody"
    )
    cache: int = option(10_000, "recent sentences that are remembered", at_least=0, hint="0 remembers none")
    alternatives: int = option(3, "translations beside the best, at most", at_least=0, hint="0 gives none")
    keys: str | None = option(None, "file of a key a line, one of which each request needs; null: none")
    watch_s: float = option(
        2.0,
        "between looks for new checkpoints; 0: on SIGHUP alone",
        at_least=0,
        at_most=86_400,
        hint="2 is quick",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.host:  # which would be every address of this machine
            raise ConfigError(
                "host", found="nothing", expected="an address", next_step="leave it out to serve this machine alone"
            )
