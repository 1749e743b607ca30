"""Command lines beside training: few keys of their own, and changes of the saved configuration."""

from __future__ import annotations

import glob
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from enum import Enum
from pathlib import Path
from typing import ClassVar, TypeVar

from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import OmegaConf

from nmt.config import mistakes
from nmt.config.option import Options, option
from nmt.config.overrides import apply_overrides, known_keys, parse_override
from nmt.config.reference import Entry, entries, reference, topic_of
from nmt.config.root import Config
from nmt.config.store import SOURCES
from nmt.config.train import Device
from nmt.errors import ConfigError
from nmt.plumbing import edge

AS_SAVED = "Keys with a dot are as the checkpoint has saved them; shown are the defaults of a new run."


class Format(Enum):
    """text: one line a line. json: one object a line, with scores and alignments. pharaoh: text ||| alignment."""

    text = "text"
    json = "json"
    pharaoh = "pharaoh"


@dataclass
class Command(Options):
    """What both programs take."""

    groups: ClassVar[tuple[str, ...]] = ()  # parts of the saved configuration that may be changed

    checkpoint: list[str] = option([], "files, or patterns such as 'runs/*/checkpoints/best.h5'")
    device: Device = option(Device.auto, "where to compute; auto: on a GPU where there is one")
    threads: int = option(0, "for TensorFlow; 0: as many as there are cores", at_least=0, hint="0 takes all cores")
    overrides: list[str] = field(default_factory=list)  # "search.beam=1": for nmt.config.saved.load_config

    def __post_init__(self) -> None:
        if not self.checkpoint:
            raise ConfigError(
                "checkpoint", found="nothing", expected="a file", next_step="write checkpoint=RUN/checkpoints/best.h5"
            )
        super().__post_init__()


@dataclass
class EvaluateConfig(Command):
    """Score one checkpoint; several are compared with the first."""

    groups: ClassVar[tuple[str, ...]] = ("data", "search", "metrics")

    out: str | None = option(None, "folder for results and translations; null: printed alone")


@dataclass
class TranslateConfig(Command):
    """Translate standard input; several checkpoints are an ensemble."""

    groups: ClassVar[tuple[str, ...]] = ("search",)

    format: Format = option(
        Format.text, "json: an object a line, with scores and alignments; pharaoh: text ||| 0-0 1-2, words from 0"
    )
    nbest: int | None = option(
        None, "translations a line, with format=json", at_least=1, hint="1 is the best alone"
    )  # also among the overrides, as search.nbest
    input: str | None = option(None, "file to translate, plain or gzip; null: standard input")
    output: str | None = option(None, "file for translations, gzip where it ends in .gz; null: standard output")
    by_paragraph: bool = option(False, "a line has several sentences, translated each for itself and joined again")
    demands: str | None = option(
        None,
        'file of an object a line, {"prefix": "...", "must": ["..."], "never": ["..."]}, or an empty line',
    )
    glossary: str | None = option(
        None, "file of source term, tab, target term a line: where the one stands in a line the other must in the other"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nbest is not None and self.nbest > 1 and self.format is Format.text:
            raise ConfigError(
                "nbest",
                found=self.nbest,
                expected="1 with format=text, which writes one line for each line",
                next_step="add format=json",
            )


Kind = TypeVar("Kind", bound=Command)


def run_command(main: Callable[[Kind], object], kind: type[Kind], page: Callable[[], str], argv: Sequence[str]) -> int:
    """Call `main` with the command line, typed; -> exit status 0, 2 for a mistake of the user, 130."""

    def work() -> None:
        topic = topic_of(argv)
        if topic is not None:
            print(f"{reference(_entries(kind), topic)}\n\n{AS_SAVED}" if topic else page())
        else:
            main(read_command(argv, kind))

    return edge.command(work)


def _entries(kind: type[Command]) -> list[Entry]:
    """Options of the program, and those of the saved configuration that it may change."""
    return [*entries(kind), *(entry for entry in entries(Config) if entry.key.partition(".")[0] in kind.groups)]


def read_command(argv: Sequence[str], kind: type[Kind]) -> Kind:
    """A checked command line. Raises ConfigError at the first mistake."""
    own = {part.name for part in fields(kind)} - {"overrides"}
    known = sorted(own | {key for key in known_keys(Config) if key.partition(".")[0] in kind.groups})
    settings, changes, files = [], [], []
    for word in argv:
        if word.startswith("-"):
            raise mistakes.dashed(word, known)
        override = parse_override(word)
        key = override.key_or_group
        if key == "checkpoint":
            files = _files(override)
        elif key in own:
            settings.append(override)
        elif "." in key and key.partition(".")[0] in kind.groups:
            _check_change(override)
            changes.append(word)
        else:
            raise _refused(key, kind, known)
    node = apply_overrides(OmegaConf.structured(kind), settings)
    if "nbest" in node and node.nbest is not None:
        changes.append(f"search.nbest={node.nbest}")
    node.checkpoint, node.overrides = files, changes
    command = OmegaConf.to_object(node)
    assert isinstance(command, kind)
    return command


def _files(override: Override) -> list[str]:
    """checkpoint=A.h5, checkpoint=[A.h5,B.h5] or a pattern."""
    value = override.value()
    if override.is_sweep_override():
        text = str(override.input_line).partition("=")[2]
        raise ConfigError(
            "checkpoint", found=text, expected="a file or a list", next_step=f"write 'checkpoint=[{text}]'"
        )
    names = [str(name) for name in (value if isinstance(value, list) else [value]) if name not in (None, "")]
    if isinstance(value, dict) or override.type is not OverrideType.CHANGE:
        text = mistakes.show(override.input_line)
        raise ConfigError("checkpoint", found=text, expected="a file or a list", next_step="write checkpoint=FILE")
    files: list[str] = []
    for name in names:
        matches = sorted(glob.glob(name)) if glob.has_magic(name) and not Path(name).exists() else [name]
        if not matches:
            raise ConfigError(
                "checkpoint",
                found=f"no file that matches {name}",
                expected="at least one",
                next_step="check the folder",
            )
        files += matches
    return files


def _check_change(override: Override) -> None:
    """Before any checkpoint is opened: a key that no saved configuration has, a value of the wrong type."""
    answers: list[ConfigError] = []
    for source in SOURCES.values():
        try:
            apply_overrides(OmegaConf.structured(Config(data=source())), [override])
        except ConfigError as answer:
            answers.append(answer)
    if len(answers) == len(SOURCES):
        raise answers[0]


def _refused(key: str, kind: type[Command], known: list[str]) -> ConfigError:
    """A key that the checkpoint has fixed, a choice of a group, or a misspelling."""
    group = key.partition(".")[0]
    if group not in {*(part.name for part in fields(Config)), "experiment", "debug"}:
        return mistakes.unknown_key(key, known)
    return ConfigError(
        key,
        found="what the checkpoint has fixed",
        expected=f"an option of this program, or one of {', '.join(f'{name}.*' for name in kind.groups)}",
        next_step="leave it out",
    )
