"""The words that open a translator from a program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nmt.config.commands import Command


@dataclass
class TranslatorConfig(Command):
    """Checkpoints to translate with; several are an ensemble."""

    may_change: ClassVar[tuple[str, ...]] = ("search",)
