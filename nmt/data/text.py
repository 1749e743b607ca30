"""Parallel text: two files whose lines translate each other."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from nmt.errors import DataError

GZIP_MAGIC = b"\x1f\x8b"
BYTE_ORDER_MARK = "\ufeff"


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


def read_lines(path: Path | str) -> list[str]:
    """The lines of a UTF-8 file, plain or gzip (told by its first bytes, whatever its name).

    Only "\\n" ends a line, as in every tool that counts lines of a corpus; U+2028 and its kin are part of the text.
    A "\\r" before it (files from Windows) and a byte order mark at the start are dropped.

    Raises DataError for a file that is missing, a folder, not ours to read, a broken gzip, empty, or not UTF-8.
    """
    path = Path(path)
    content = _content(path)
    if not content:
        raise DataError(
            str(path), found="an empty file", expected="one sentence a line", next_step="check how the file was written"
        )
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}, line {line}",
            found=f"the byte 0x{content[error.start]:02x}, which is not UTF-8",
            expected="UTF-8 text",
            next_step=f"convert the file, such as with: iconv -f latin1 -t utf-8 {path.name}",
        ) from None
    lines = text.removeprefix(BYTE_ORDER_MARK).split("\n")
    if lines[-1] == "":  # what follows the last "\n" is no line
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def read_parallel(name: str, prefix: Path | str, src: str, tgt: str) -> ParallelText:
    """The pair of files `prefix.src` and `prefix.tgt`, each plain or with `.gz` added.

    Raises DataError as `read_lines` does, and where the files have different numbers of lines.
    """
    paths = [find_side(prefix, language) for language in (src, tgt)]
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


def find_side(prefix: Path | str, language: str) -> Path:
    """`prefix.language` or `prefix.language.gz`, whichever is there; the plain one if both are.

    Raises DataError where neither is, naming the file of that folder whose name is nearest.
    """
    plain = Path(f"{prefix}.{language}")
    packed = Path(f"{plain}.gz")
    for path in (plain, packed):
        if path.exists():
            return path
    raise DataError(
        str(prefix), found=f"neither {plain.name} nor {packed.name}", expected="one of them", next_step=_hint(plain)
    )


def _hint(plain: Path) -> str:
    """What to try instead of a file that is not there."""
    folder = plain.parent
    if not folder.is_dir():
        return f"there is no folder {folder}, so check the path"
    near = get_close_matches(plain.name, sorted(path.name for path in folder.iterdir()), n=1)
    if near:
        return f"the nearest name in {folder} is {near[0]}"
    return f"a PREFIX is the path without .{plain.name.rpartition('.')[2]}, so check it"


def _content(path: Path) -> bytes:
    """The bytes of a file, unpacked."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError(str(path), found="no file", expected="a text file", next_step=_hint(path)) from None
    except IsADirectoryError:
        raise DataError(
            str(path), found="a folder", expected="a text file", next_step="name a file or a PREFIX inside it"
        ) from None
    except PermissionError:
        raise DataError(
            str(path),
            found="no permission to read it",
            expected="a readable file",
            next_step="change its mode (chmod +r) or its owner",
        ) from None
    if not content.startswith(GZIP_MAGIC):
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(
            str(path), found=f"a broken gzip file ({error})", expected="a whole one", next_step="copy the file again"
        ) from None
