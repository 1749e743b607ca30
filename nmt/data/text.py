"""Parallel text: two files whose lines translate each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nmt.errors import DataError
from nmt.plumbing.text import near, read_lines


@dataclass(frozen=True)
class ParallelText:
    """`src[i]` and `tgt[i]` translate each other."""

    name: str
    src: Sequence[str]
    tgt: Sequence[str]

    def __post_init__(self) -> None:
        assert len(self.src) == len(self.tgt), f"{self.name}: {len(self.src)} and {len(self.tgt)} lines"

    def __len__(self) -> int:
        return len(self.src)


def read_parallel(name: str, prefix: Path | str, src: str, tgt: str) -> ParallelText:
    """The pair of files `prefix.src` and `prefix.tgt`, each plain or with `.gz` added.

    Raises DataError as `read_lines` does, and where the files have different numbers of lines.
    """
    paths = find_sides(prefix, src, tgt)
    lines = [read_lines(path) for path in paths]
    same_length(paths, lines)
    return ParallelText(name, *lines)


def same_length(paths: Sequence[Path], lines: Sequence[Sequence[str]]) -> None:
    """Raises DataError where two files have different numbers of lines."""
    if len(lines[0]) != len(lines[1]):
        raise DataError(
            f"{paths[0]}, {paths[1]}",
            found=f"{len(lines[0])} and {len(lines[1])} lines",
            expected="as many lines on both sides, line n translating line n",
            next_step="find the line that one side lost or gained",
        )


def find_sides(prefix: Path | str, src: str, tgt: str) -> list[Path]:
    """The files of both languages. Raises DataError as `find_side` does, and where both are one and the same."""
    paths = [find_side(prefix, language) for language in (src, tgt)]
    if paths[0].samefile(paths[1]):
        raise DataError(
            "data.src, data.tgt",
            found=f"{src} and {tgt}, which are one file ({paths[0]})",
            expected="a file of either language, line n translating line n",
            next_step="name both languages, as in data.src=en data.tgt=fr",
        )
    return paths


def find_side(prefix: Path | str, language: str) -> Path:
    """`prefix.language` or `prefix.language.gz`, whichever is there; the plain one if both are.

    Raises DataError where neither is, naming the file of that folder whose name is nearest, and for a pipe, a socket or
    a device: text is gone through more than once.
    """
    plain = Path(f"{prefix}.{language}")
    packed = Path(f"{plain}.gz")
    for path in (plain, packed):
        if path.is_file() or path.is_dir():  # of a folder its reader will complain
            return path
        if path.exists():
            raise DataError(
                str(path),
                found="a pipe, a socket or a device",
                expected="a file, which can be read more than once",
                next_step="write the text into a file first",
            )
    raise DataError(
        str(prefix), found=f"neither {plain.name} nor {packed.name}", expected="one of them", next_step=near(plain)
    )
