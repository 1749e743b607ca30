"""Standard input to standard output, a line for each line."""

from __future__ import annotations

import logging
import sys
from dataclasses import replace
from pathlib import Path

from nmt.app.bundle import open_checkpoint
from nmt.config.commands import TranslateConfig
from nmt.errors import CheckpointError
from nmt.search.ensembles import Ensemble
from nmt.search.stream import decode_lines, translate_stream
from nmt.search.translate import Translator
from nmt.training.device import choose_device


def translate_lines(command: TranslateConfig) -> None:
    """Translate what comes in; several checkpoints vote on every word."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    choose_device(command.device, command.threads)
    loaded = [open_checkpoint(Path(file), tuple(command.overrides)) for file in command.checkpoint]
    first = loaded[0]
    for other in loaded[1:]:
        if other.vocabularies.tgt.to_bytes() != first.vocabularies.tgt.to_bytes():
            raise CheckpointError(
                str(other.path),
                found="another target vocabulary",
                expected=f"that of {first.path}",
                next_step="an ensemble votes on pieces, so train its members with the same subwords",
            )
    model = first.model if len(loaded) == 1 else Ensemble([one.model for one in loaded])
    translator = Translator(model, first.vocabularies, replace(first.config.search))
    lines = decode_lines(sys.stdin.buffer, "standard input")
    translate_stream(translator, lines, sys.stdout.write, command.format.value, command.nbest or 1)
    sys.stdout.flush()
