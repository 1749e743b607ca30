"""The folder of an export: whole, or not there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from nmt import __version__
from nmt.app.models import Loaded, open_checkpoint
from nmt.compare.folder import claimed_out, writable
from nmt.config.export import ExportConfig
from nmt.config.search import SearchConfig
from nmt.config.subword import SubwordKind
from nmt.data import sentencepieces, words
from nmt.data.subwords import Vocabularies
from nmt.errors import ConfigError, DataError
from nmt.export.card import card
from nmt.export.graph import check_search, save
from nmt.plumbing.claims import LOCK
from nmt.plumbing.files import write_bytes, write_text
from nmt.search.stream import CHUNK_LINES
from nmt.training.device import choose_device

TEMPLATES = Path(__file__).parent / "templates"
MAKING = ".making"  # in the folder, while it is written
MODEL, PROGRAM, CARD = "model", "translate.py", "README.md"
PIECES = (SubwordKind.bpe, SubwordKind.unigram)


def export(command: ExportConfig) -> None:
    """Write the folder. Raises ConfigError where it is not empty, CheckpointError, DataError."""
    choose_device(command.device, command.threads)
    loaded = open_checkpoint(Path(command.checkpoint[0]), tuple(command.overrides))
    check_search(loaded.config.search)
    folder = Path(command.out)
    with claimed_out(command.out), writable(folder):
        names = write_folder(folder, loaded, command.licence)
    print(f"exported to {folder}: {', '.join(names)}")


def write_folder(folder: Path, loaded: Loaded, licence: str | None) -> list[str]:
    """-> names in the folder; the card comes last, so where there is one all is there."""
    there = sorted(path.name for path in folder.iterdir() if path.name not in (LOCK, MAKING))
    if there:
        raise ConfigError(
            "out",
            found=f"{folder}, with {there[0]} in it",
            expected="a new or an empty folder",
            next_step="name another one",
        )
    making = folder / MAKING
    shutil.rmtree(making, ignore_errors=True)  # of a process that was killed
    making.mkdir()
    try:
        write_parts(making, loaded, licence)
        names = sorted((path.name for path in making.iterdir()), key=lambda name: (name == CARD, name))
        for name in names:
            os.replace(making / name, folder / name)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return names


def write_parts(folder: Path, loaded: Loaded, licence: str | None) -> None:
    """SavedModel, subwords, program and card."""
    told = card(loaded, licence)  # first: it may be refused
    try:
        save(loaded.model, loaded.vocabularies, loaded.config.search, str(folder / MODEL))
    except tf.errors.OpError as error:
        raise DataError(
            str(folder.parent),
            found=f"a disk that refuses ({error.message})",
            expected="a folder that can be written to",
            next_step="choose another with out=",
        ) from error
    files = subword_files(loaded.vocabularies)
    for name, content in files.items():
        write_bytes(folder / name, content)
    values = texts(loaded.vocabularies.src.kind, loaded.config.search, list(files))
    write_text(folder / PROGRAM, render("translate.py.jinja", values))
    write_text(folder / CARD, render("README.md.jinja", values | told))


def subword_files(vocabularies: Vocabularies) -> dict[str, bytes]:
    """Name -> content: one file where both sides share their pieces."""
    ending = "model" if vocabularies.src.kind in PIECES else "json"
    if vocabularies.joint:
        return {f"subwords.{ending}": vocabularies.src.to_bytes()}
    return {f"source.{ending}": vocabularies.src.to_bytes(), f"target.{ending}": vocabularies.tgt.to_bytes()}


def texts(kind: SubwordKind, search: SearchConfig, files: Sequence[str]) -> dict[str, Any]:
    """What both templates show."""
    stand_ins = sentencepieces.STAND_INS if kind in PIECES else words.STAND_INS
    return {
        "kind": kind.value,
        "pieces": kind in PIECES,
        "words": kind is SubwordKind.words,
        "characters": kind is SubwordKind.characters,
        "files": (files[0], files[-1]),
        "max_source": search.max_source,
        "batch_tokens": search.batch_tokens,
        "chunk": CHUNK_LINES,
        "hidden": ascii(stand_ins.hidden),
        "shown": ascii(stand_ins.shown),
        "glue": ascii(words.GLUE),
        "marks": repr(words.MARKS),
        "signatures": SIGNATURES,
        "version": __version__,
    }


def render(name: str, values: dict[str, Any]) -> str:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(name).render(values)


MEMORY = "`states`, `keys`, `mask`, `state_0`, ..."
FOUND = "`ids` [B, M, T], `length`, `score`, `log_prob` [B, M], `attention` [B, M, T, S]"
SIGNATURES = (
    {"name": "translate", "takes": "`source` int32 [B, S]", "gives": FOUND},
    {
        "name": "greedy",
        "takes": "`source` int32 [B, S]",
        "gives": "the same, M = 1: the best word after the best word",
    },
    {"name": "encode", "takes": "`source` int32 [B, S]", "gives": f"{MEMORY}: a row a sentence"},
    {
        "name": "step",
        "takes": f"`token` int32 [N], {MEMORY}: a row a prefix",
        "gives": "`logits` [N, V], `attention` [N, S], the new `state_0`, ...",
    },
)
