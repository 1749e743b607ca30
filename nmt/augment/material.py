"""The text that all stages begin with: real pairs, dev and test sets, and the sentences that are to be translated."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from nmt.arithmetic import reduce_ratio
from nmt.config.augment import BACK, AugmentConfig
from nmt.config.data import DataConfig
from nmt.data.check import BLOCK
from nmt.data.corpora import Corpora, is_apart, load_corpora
from nmt.data.leaks import NEAR, WRITTEN, Block, Sought
from nmt.data.lines import open_lines
from nmt.data.text import ParallelText
from nmt.errors import ConfigError, DataError
from nmt.plumbing.files import replacing
from nmt.plumbing.text import counted

SRC, TGT = range(2)
# What is translated: a side of the training text, or files of one language. Name -> its side.
SIDES = {"source": SRC, "target": TGT, "mono_src": SRC, "mono_tgt": TGT}


class Leaks:
    """Sentences of dev and test sets, looked for as `nmt check` does it."""

    def __init__(self, sets: Iterable[ParallelText], near: bool) -> None:
        """near: also those that differ in a fifth of their words."""
        texts = list(sets)
        self._least = NEAR if near else WRITTEN
        self._sought = [Sought([line for text in texts for line in side(text, one)]) for one in (SRC, TGT)]

    def places(self, lines: Sequence[str], of: int) -> set[int]:
        """Lines, from 0, of that side that are sentences of a set."""
        sought, found = self._sought[of], set[int]()
        for first in range(0, len(lines), BLOCK):
            one = sought.find(Block.of(lines[first : first + BLOCK]))
            codes = one.code_C[one.degree_C >= self._least]
            found.update((first + codes // max(1, len(sought))).tolist())
        return found


def side(text: ParallelText, of: int) -> Sequence[str]:
    return text.src if of == SRC else text.tgt


@dataclass(frozen=True)
class Material:
    """`sets`: dev, and the test sets by their names. `mono`: by the names of SIDES, where files were given."""

    languages: tuple[str, str]
    real: ParallelText
    dev: ParallelText
    tests: Mapping[str, ParallelText]
    mono: Mapping[str, Sequence[str]]
    near: bool  # whether what is near to a dev or test sentence leaks

    @cached_property
    def leaks(self) -> Leaks:
        return Leaks([self.dev, *self.tests.values()], self.near)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all pairs."""
        texts = {"real": self.real, "dev": self.dev, **{f"test {name}": text for name, text in self.tests.items()}}
        sides = itertools.product(texts.items(), (SRC, TGT))
        return _sha256({f"{name} {self.languages[of]}": side(text, of) for (name, text), of in sides})

    def digest_of(self, name: str) -> str:
        """SHA-256 of what is translated by that name of SIDES, of a side of the training text that of all pairs."""
        return _sha256({name: self.mono[name]}) if name in self.mono else self.digest

    def sentences(self, name: str) -> list[str]:
        """Of that name of SIDES, each once."""
        lines = self.mono[name] if name in self.mono else side(self.real, SIDES[name])
        return list(dict.fromkeys(line for line in lines if line.strip()))

    def to_translate(self, name: str) -> list[str]:
        """Its sentences without those of dev and test sets. Raises DataError where none is left."""
        each = self.sentences(name)
        leaked = self.leaks.places(each, SIDES[name])
        if len(leaked) == len(each):
            raise DataError(
                name if name in self.mono else f"{name} side of the training text",
                found=f"{counted(len(leaked), 'sentence')}, all of them of the dev set or a test set",
                expected="sentences to translate",
                next_step="look at the text with nmt check",
            )
        return [line for place, line in enumerate(each) if place not in leaked]

    def write(self, folder: Path, names: Iterable[str]) -> None:
        """real, dev, tests/NAME, and what is to be translated, each file whole or not at all."""
        (folder / "tests").mkdir(parents=True, exist_ok=True)
        texts = {"real": self.real, "dev": self.dev, **{f"tests/{name}": text for name, text in self.tests.items()}}
        for (name, text), of in itertools.product(texts.items(), (SRC, TGT)):
            write_lines(folder / f"{name}.{self.languages[of]}", side(text, of))
        for name in names:
            write_lines(folder / lines_file(name), self.to_translate(name))


def _sha256(texts: Mapping[str, Sequence[str]]) -> str:
    found = hashlib.sha256()
    for name, lines in texts.items():
        found.update(f"{name} {len(lines)}\n".encode())
        for line in lines:
            found.update(f"{line}\n".encode())
    return found.hexdigest()


def lines_file(name: str) -> str:
    """Of a name of SIDES, in the folder of the text."""
    return f"to_translate_{name}.txt"


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """A file that appears whole, on the disk."""
    with replacing(path, sync=True) as fd, open(fd, "w", encoding="utf-8", newline="\n", closefd=False) as file:
        file.writelines(f"{line}\n" for line in lines)


def load_material(command: AugmentConfig, data: DataConfig) -> Material:
    """Raises DataError as `load_corpora` does, ConfigError where a sentence has the tag already."""
    corpora = load_corpora(data)
    mono = {
        name: list(itertools.chain.from_iterable(open_lines(Path(file)) for file in files))
        for name, files in (("mono_src", command.mono_src), ("mono_tgt", command.mono_tgt))
        if files
    }
    real = one_epoch(corpora)
    if command.tag is not None and BACK in command.methods:
        _refuse_tag(command.tag, [*mono.get("mono_src", ()), *real.src])
    return Material((data.src, data.tgt), real, corpora.dev, corpora.tests, mono, not is_apart(data))


def _refuse_tag(tag: str, lines: Sequence[str]) -> None:
    found = next((line for line in lines if tag in line.split()), None)
    if found is not None:
        raise ConfigError(
            "tag", found=f"{tag} in the source text ({found})", expected="a word of its own", next_step="choose another"
        )


def one_epoch(corpora: Corpora) -> ParallelText:
    """The training text; of a mixture each corpus as often as an epoch has it, one after another."""
    if len(corpora.train) == 1:
        return corpora.train[0]
    parts = reduce_ratio(corpora.ratio)
    cycles = max(-(-len(text) // part) for text, part in zip(corpora.train, parts, strict=True))
    places = [(text, place % len(text)) for text, part in zip(corpora.train, parts, strict=True)
              for place in range(cycles * part)]  # fmt: skip
    return ParallelText("train", [text.src[at] for text, at in places], [text.tgt[at] for text, at in places])
