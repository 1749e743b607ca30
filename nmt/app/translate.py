"""Text in, translations out, a line for each line."""

from __future__ import annotations

import gzip
import logging
import readline as readline  # what is typed at the prompt has a history
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from nmt.app.demands import demand_of
from nmt.app.likeness import likeness_of
from nmt.app.models import Loaded, open_system
from nmt.app.vectors import vectors_of_checkpoint
from nmt.checkpoint.bundle import opened
from nmt.config.commands import Format, TranslateConfig
from nmt.metrics.vectors import VectorSource
from nmt.plumbing.files import replacing
from nmt.plumbing.text import decode_lines, read_lines, unpacked
from nmt.search.stream import CHUNK_LINES, translate_stream
from nmt.search.translate import Translator
from nmt.training.device import choose_device

STDIN = "standard input"
PROMPT = "> "


def translate_lines(command: TranslateConfig) -> None:
    """Translate what comes in; several checkpoints vote on every word."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    choose_device(command.device, command.threads)
    demands, lines = demand_of(command), lines_of(command)
    translator = open_translator(command.checkpoint, tuple(command.overrides))
    nbest = translator.cfg.nbest if command.format is Format.json else 1
    typed = command.input is None and sys.stdin.isatty()
    chunk = 1 if typed else CHUNK_LINES  # a person waits for each answer
    with writer(command.output) as write:
        counted = progress(lines, typed or (command.output is None and sys.stdout.isatty()))
        translate_stream(
            translator, counted, write, command.format, nbest, chunk, demands, by_paragraph=command.by_paragraph
        )


def open_translator(checkpoints: Sequence[str], overrides: tuple[str, ...]) -> Translator:
    """One model, or several that vote. Raises CheckpointError where their vocabularies differ."""
    system = open_system([Path(file) for file in checkpoints], overrides)
    first = system.first
    likeness = likeness_of(first.config, lambda: vectors_of(first))
    return Translator(system.model, first.vocabularies, first.config.search, likeness_of=likeness, fixed=True)


def vectors_of(loaded: Loaded) -> VectorSource:
    """The word vectors of a checkpoint, which translating passes over unless it asks for them."""
    with opened(loaded.path) as again:
        return vectors_of_checkpoint(loaded.path, again.bundle, loaded.config, ())


def lines_of(command: TranslateConfig) -> Iterator[str]:
    """The lines to translate: of a file, typed at a prompt, or of standard input."""
    if command.input is not None:
        return iter(read_lines(Path(command.input)))
    if sys.stdin.isatty() and sys.stdout.isatty():
        return typed_lines()
    return decode_lines(unpacked(sys.stdin.buffer, STDIN), STDIN)


def typed_lines() -> Iterator[str]:
    """Lines that a person types, with those before at the arrow keys, until the end of input (ctrl-d)."""
    while True:
        try:
            yield input(PROMPT)
        except EOFError:
            print()
            return


def progress(lines: Iterable[str], watched: bool) -> Iterable[str]:
    """The lines, counted on standard error where a person looks there and the translations go elsewhere."""
    bar: Iterable[str] = tqdm(lines, unit="line", desc="read", disable=watched or not sys.stderr.isatty())
    return bar


@contextmanager
def writer(output: str | None) -> Iterator[Callable[[str], object]]:
    """A function that writes a line, UTF-8 whatever the locale: to standard output, at once, or to a file that gets its
    name once it is whole."""
    if output is None:
        yield write_line
        return
    with replacing(Path(output)) as handle, open(handle, "wb", closefd=False) as plain:
        if output.endswith(".gz"):
            with gzip.GzipFile(fileobj=plain, mode="wb", mtime=0) as packed:
                yield lambda line: packed.write(line.encode())
        else:
            yield lambda line: plain.write(line.encode())


def write_line(line: str) -> None:
    """To standard output, handed on at once."""
    sys.stdout.buffer.write(line.encode())
    sys.stdout.buffer.flush()
