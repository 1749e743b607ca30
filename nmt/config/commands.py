"""Command lines beside training: few keys of their own, and changes of the saved configuration."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import Enum
from functools import cache
from typing import Any, ClassVar, TypeVar

from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig, OmegaConf

from nmt.config import mistakes
from nmt.config.named import TABLES, enter, matching
from nmt.config.option import Options, option
from nmt.config.overrides import apply_overrides, known_keys, parse_override
from nmt.config.reference import Entry, entries, reference, topic_of
from nmt.config.root import Config
from nmt.config.store import SOURCES
from nmt.config.train import Device
from nmt.errors import ConfigError
from nmt.plumbing import edge

MODEL = ".h5"  # the ending of a checkpoint
VOTE = "+"  # between the files of an ensemble
# Changes of a test set's source; how each is made: nmt.compare.robustness.
WORSE = ("typos", "capitals", "lowercase", "no_punctuation", "doubled", "nfd")
EVERY = "all"
AS_SAVED = "Keys with a dot are as the checkpoint has saved them; shown are the defaults of a new run."


class Format(Enum):
    """text: one line a line. json: one object a line, with scores and alignments. pharaoh: text ||| alignment."""

    text = "text"
    json = "json"
    pharaoh = "pharaoh"


@dataclass
class Command(Options):
    """What both programs take."""

    may_change: ClassVar[tuple[str, ...]] = ()  # parts or keys of the saved configuration that may be changed
    unused: ClassVar[Mapping[str, str]] = {}  # keys of these parts that change nothing here, and what to do instead

    checkpoint: list[str] = option([], "files, or patterns such as 'runs/*/checkpoints/best.h5'")
    device: Device = option(Device.auto, "where to compute; auto: on a GPU where there is one")
    threads: int = option(0, "for TensorFlow; 0: as many as there are cores", at_least=0, hint="0 takes all cores")
    overrides: list[str] = field(default_factory=list)  # "search.beam=1": for nmt.config.saved.load_config

    def __post_init__(self) -> None:
        if not self.checkpoint and not self.needs_no_checkpoint():
            raise ConfigError(
                "checkpoint", found="nothing", expected="a file", next_step="write checkpoint=RUN/checkpoints/best.h5"
            )
        super().__post_init__()

    def needs_no_checkpoint(self) -> bool:
        """Whether there is something to do without."""
        return False

    @classmethod
    def changes(cls, key: str) -> bool:
        """Whether this key of the saved configuration may be changed."""
        part = key.partition(".")[0]
        return part != key and (part in cls.may_change or key in cls.may_change) and key not in cls.unused


@dataclass
class EvaluateConfig(Command):
    """Score one system; several are compared with the first."""

    may_change: ClassVar[tuple[str, ...]] = ("data", "search", "metrics")

    out: str | None = option(None, "folder for results and translations; null: printed alone")
    outputs: dict[str, str] = option({}, "+outputs.NAME=FILE: translations of any toolkit, a line a sentence")
    groups: dict[str, list[str]] = option(
        {}, "+groups.NAME=PATTERN: runs of one configuration, checkpoints (.h5) or their outputs"
    )
    references: dict[str, str] = option({}, "+references.NAME=FILE: further references; an empty line is none")
    segments: dict[str, dict[str, str]] = option(
        {}, "+segments.METRIC.NAME=FILE: scores of sentences that came from elsewhere, a number a line"
    )
    signatures: dict[str, str] = option({}, "+signatures.METRIC=TEXT: what those scores depend on")
    robustness: list[str] = option([], f"test sets made worse, of {', '.join(WORSE)}; [{EVERY}]: each of them")
    training: str | None = option(
        None, "source side of the training text, to compare systems by the rarest word of a sentence; null: not done"
    )

    def needs_no_checkpoint(self) -> bool:
        return bool(self.outputs or self.groups)

    @property
    def decodes(self) -> bool:
        """Whether any system is a model, not its output."""
        return bool(self.checkpoint) or any(path.endswith(MODEL) for paths in self.groups.values() for path in paths)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.robustness = list(WORSE) if self.robustness == [EVERY] else self.robustness
        if not set(self.robustness) <= set(WORSE) or len(set(self.robustness)) < len(self.robustness):
            raise ConfigError(
                "robustness",
                found=f"[{','.join(self.robustness)}]",
                expected=f"some of {', '.join(WORSE)}, each at most once, or {EVERY}",
                next_step=f"write robustness=[{EVERY}]",
            )
        if self.robustness and not self.decodes:
            raise ConfigError(
                "robustness",
                found="no checkpoint",
                expected="one: files of translations cannot translate other text",
                next_step="add checkpoint=FILE, or leave it out",
            )
        names = [*self.checkpoint, *self.outputs, *self.groups]
        if len(set(names)) < len(dict.fromkeys(self.checkpoint)) + len(self.outputs) + len(self.groups):
            raise ConfigError(
                "outputs, groups",
                found="a name that two systems have",
                expected="a name for each",
                next_step="rename one of them",
            )
        for name, paths in self.groups.items():
            if len({path.endswith(MODEL) for path in paths}) > 1:
                raise ConfigError(
                    f"groups.{name}",
                    found="checkpoints beside other files",
                    expected="runs of one configuration: all checkpoints, or all their outputs",
                    next_step="narrow the pattern",
                )


@dataclass
class TranslateConfig(Command):
    """Translate standard input; several checkpoints are an ensemble."""

    may_change: ClassVar[tuple[str, ...]] = ("search",)

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
        if (topic := topic_of(argv)) is not None:
            print(f"{reference(entries_of(kind), topic)}\n\n{AS_SAVED}" if topic else page())
        else:
            main(read_command(argv, kind))

    return edge.command(work)


def entries_of(kind: type[Command]) -> list[Entry]:
    """Options of the program, and those of the saved configuration that it may change."""
    return [*entries(kind), *(entry for entry in entries(Config) if kind.changes(entry.key))]


def read_command(argv: Sequence[str], kind: type[Kind]) -> Kind:
    """A checked command line. Raises ConfigError at the first mistake."""
    own = {part.name for part in fields(kind)} - {"overrides"}
    known = sorted(own | {key for key in known_keys(Config) if kind.changes(key) or key in kind.may_change})
    settings, changes, files = [], [], []
    tables: dict[str, dict[str, Any]] = {key: {} for key in TABLES if key in own}
    for word in argv:
        if word.startswith("-"):
            raise mistakes.dashed(word, known)
        if word.endswith(MODEL) and "=" not in word:
            raise mistakes.without_key(word, "checkpoint")
        override = _files_override(word) if word.startswith("checkpoint=") else parse_override(word)
        key = override.key_or_group
        if key == "checkpoint":
            files = _files(override)
        elif key.partition(".")[0] in tables:
            enter(override, tables)
        elif key in own:
            settings.append(override)
        elif kind.changes(key):
            changes.append(_change(override))
        else:
            raise _refused(key, kind, known)
    node = apply_overrides(OmegaConf.structured(kind), settings)
    if "nbest" in node and node.nbest is not None:
        changes.append(f"search.nbest={node.nbest}")
    node.checkpoint, node.overrides = files, changes
    for key, entries_of_table in tables.items():
        node[key] = entries_of_table
    command = OmegaConf.to_object(node)
    assert isinstance(command, kind)
    return command


def _files_override(word: str) -> Override:
    """Raises ConfigError, with quotes around each name that needs them, where Hydra's grammar does not know it."""
    try:
        return parse_override(word)
    except ConfigError as mistake:
        value = word.partition("=")[2]
        if not (value.startswith("[") and value.endswith("]")) or '"' in value:
            raise
        names = re.split(r"(?<=\.h5),", value[1:-1])  # other commas belong to a name
        raise ConfigError(
            "checkpoint",
            found=mistakes.show(value),
            expected="names without special characters, or in quotes",
            next_step=f"write {mistakes.listed('checkpoint', names)}",
        ) from mistake


def _files(override: Override) -> list[str]:
    """checkpoint=A.h5, checkpoint=[A.h5,B.h5], a pattern, or several that vote: A.h5+B.h5."""
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
        files += matching("checkpoint", name)
    return files


def _change(override: Override) -> str:
    """The word that changes a saved configuration. Whether that has an entry already (`data.tests.NAME`) is not the
    user's to know, so a `+` is put before it.

    Raises ConfigError, before any checkpoint is opened, for a key that no saved configuration has, or a value of the
    wrong type.
    """
    word = str(override.input_line)
    ways = [override, parse_override(f"+{word}")] if override.type is OverrideType.CHANGE else [override]
    answers: list[ConfigError] = []
    for way in ways:
        for source in SOURCES:
            try:
                apply_overrides(_defaults(source), [way])
                return str(way.input_line)
            except ConfigError as answer:
                answers.append(answer)
    raise answers[0]


@cache
def _defaults(source: str) -> DictConfig:
    """Of a configuration with that source of data; whoever changes it changes a copy."""
    node: DictConfig = OmegaConf.structured(Config(data=SOURCES[source]()))
    return node


def _refused(key: str, kind: type[Command], known: list[str]) -> ConfigError:
    """A key that the checkpoint has fixed, one that changes nothing here, a choice of a group, or a misspelling."""
    group, dot, _ = key.partition(".")
    here = bool(dot) and group in {name.partition(".")[0] for name in kind.may_change}
    if group not in {*(part.name for part in fields(Config)), "experiment", "debug"} or (
        here and key not in known_keys(Config)
    ):
        return mistakes.unknown_key(key, known)
    names = ", ".join(name if "." in name else f"{name}.*" for name in kind.may_change)
    return ConfigError(
        key,
        found="what changes nothing here" if here else "what the checkpoint has fixed",
        expected=f"an option of this program, or one of {names}",
        next_step=kind.unused.get(key, "leave it out"),
    )
