"""A trained model for programs and notebooks; the same code as `translate.py` and the service.

    from nmt.translator import Translator

    translator = Translator.open("best.h5", "search.nbest=2")
    for result in translator.translate(["a man rides a bike .", "two dogs run ."]):
        print(result.text, result.score, [other.text for other in result.alternatives])

In a notebook a result shows where the model looked as it wrote each piece.

T piece of the translation, S piece of the source
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

import numpy as np
from numpy.typing import NDArray

from nmt.app.translate import open_translator
from nmt.config import mistakes
from nmt.config.api import TranslatorConfig
from nmt.config.commands import read_command
from nmt.config.train import Device
from nmt.errors import ConfigError, DataError
from nmt.report.heatmap import attention_png
from nmt.report.pages import image
from nmt.search.demands import Demand
from nmt.search.translate import Translator as Search
from nmt.search.translation import Translation
from nmt.training.device import choose_device

__all__ = ["Demand", "Result", "Translator"]
Path = str | os.PathLike[str]


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """The translation of one text."""

    source: str
    text: str
    score: float  # comparable between the translations of one text: the higher the better
    log_prob: float  # natural logarithm, of the whole sentence
    pieces: list[str]  # what the text was written in; the last one is the end mark
    source_pieces: list[str]
    attention: NDArray[np.float32]  # [T, S]: where the model looked as it wrote each piece; each row sums to 1
    alternatives: list[Result] = field(default_factory=list)  # the next best, up to `search.nbest`

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Result({self.source!r} -> {self.text!r}, score {self.score:.4f})"

    def _repr_html_(self) -> str:
        """What a notebook shows: the texts, and the attention as a heat map."""
        rest = "".join(f"<li>{escape(other.text)} ({other.score:.4f})</li>" for other in self.alternatives)
        head = f"<p>{escape(self.source)}<br><strong>{escape(self.text)}</strong> ({self.score:.4f})</p>\n"
        title = "Where the model looked"
        picture = attention_png(self.source_pieces, self.pieces, self.attention, title) if self.pieces else b""
        return head + (f"<ul>{rest}</ul>\n" if rest else "") + image(picture, title)


class Translator:
    """A trained model, or several that vote. Its graphs are built as it first translates."""

    def __init__(self, search: Search) -> None:
        self._search = search

    @classmethod
    def open(cls, checkpoint: Path | Sequence[Path], *words: str) -> Translator:
        """A translator of one file or, as an ensemble, of several.

        `words` are those of `translate.py`: "search.beam=8", "search.nbest=3", "device=cpu", "threads=2". Raises
        ConfigError for a word that is none of them, CheckpointError for a file that cannot be used.
        """
        files = [checkpoint] if isinstance(checkpoint, (str, os.PathLike)) else checkpoint
        names = ",".join(mistakes.in_quotes(os.fspath(file)) for file in files)
        command = read_command([*words, f"checkpoint=[{names}]"], TranslatorConfig)
        _set_up(command)
        return cls(open_translator(command.checkpoint, tuple(command.overrides)))

    def translate(self, texts: Sequence[str], demands: Sequence[Demand] | None = None) -> list[Result]:
        """The best translation of each text, in order; a blank text has an empty one.

        `demands` has for each text what its translation begins with, what it has and what it has not. Raises DataError
        where `texts` is one text, where demands are not as many, or where no translation meets them.
        """
        if isinstance(texts, str):
            raise DataError("texts", found="one text", expected="a list of texts", next_step="write translate([text])")
        if demands is not None and len(demands) != len(texts):
            raise DataError(
                "demands",
                found=f"{len(demands)} for {len(texts)} texts",
                expected="one for each",
                next_step="write Demand() where nothing is asked",
            )
        found = self._search.translate(texts, demands=demands)
        return [_result(text, its) for text, its in zip(texts, found, strict=True)]


def _result(source: str, found: Sequence[Translation]) -> Result:
    best, *others = found
    return Result(
        source,
        best.text,
        best.score,
        best.log_prob,
        best.pieces_tgt,
        best.pieces_src,
        np.zeros((0, 0), np.float32) if best.weight_TS is None else best.weight_TS,
        [_result(source, [other]) for other in others],
    )


def _set_up(command: TranslatorConfig) -> None:
    """Raises ConfigError where a device or threads are asked for that TensorFlow can no longer take."""
    try:
        choose_device(command.device, command.threads)
    except RuntimeError as error:  # it has begun to compute in this program, and keeps the devices that it has
        if command.device is not Device.auto or command.threads:
            raise ConfigError(
                "device, threads",
                found="another choice after TensorFlow has begun to compute",
                expected="one choice in a program, before anything is computed",
                next_step="open the first translator earlier, or leave them out",
            ) from error
