"""Standard input to standard output, a line for each line."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from nmt.app.bundle import open_checkpoint
from nmt.config.commands import Format, TranslateConfig
from nmt.data.subwords import Vocabularies
from nmt.errors import CheckpointError
from nmt.plumbing.text import decode_lines, unpacked
from nmt.search.ensembles import Ensemble
from nmt.search.stream import CHUNK_LINES, translate_stream
from nmt.search.translate import Translator
from nmt.training.device import choose_device

STDIN = "standard input"


def translate_lines(command: TranslateConfig) -> None:
    """Translate what comes in; several checkpoints vote on every word."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    choose_device(command.device, command.threads)
    loaded = [open_checkpoint(Path(file), tuple(command.overrides)) for file in command.checkpoint]
    first = loaded[0]
    for other in loaded[1:]:
        side = differing_side(first.vocabularies, other.vocabularies)
        if side is not None:
            raise CheckpointError(
                str(other.path),
                found=f"another {side} vocabulary",
                expected=f"that of {first.path}",
                next_step="train the members of an ensemble on the same corpus with the same subwords",
            )
    model = first.model if len(loaded) == 1 else Ensemble([one.model for one in loaded])
    translator = Translator(model, first.vocabularies, first.config.search)
    nbest = 1 if command.format is Format.text else first.config.search.nbest
    lines = decode_lines(unpacked(sys.stdin.buffer, STDIN), STDIN)
    chunk = 1 if sys.stdin.isatty() else CHUNK_LINES  # a person waits for each answer
    try:
        translate_stream(translator, lines, write_line, command.format.value, nbest, chunk)
    except BrokenPipeError:  # whoever read, such as `head`, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the flush at exit would complain again


def write_line(line: str) -> None:
    """UTF-8 whatever the locale, handed on at once."""
    sys.stdout.buffer.write(line.encode())
    sys.stdout.buffer.flush()


def differing_side(ours: Vocabularies, theirs: Vocabularies) -> str | None:
    """source or target: the side whose pieces are not the same."""
    for side, one, other in (("source", ours.src, theirs.src), ("target", ours.tgt, theirs.tgt)):
        if one.kind is not other.kind or one.to_bytes() != other.to_bytes():
            return side
    return None
