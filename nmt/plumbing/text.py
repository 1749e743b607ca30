"""Text that users bring, in a file or on a pipe: UTF-8, plain or gzip, a byte order mark before it or none.

What it is shows in its first bytes and never in its name. Only "\\n" ends a line, as in every tool that counts lines of
a corpus; U+2028 and its kin are part of the text. A "\\r" before it (files from Windows) is dropped.
"""

from __future__ import annotations

import gzip
import io
import re
import shlex
import zlib
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from nmt.errors import DataError, NmtError, reason_of

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
GZIP = b"\x1f\x8b"
BROKEN_GZIP = (EOFError, gzip.BadGzipFile, zlib.error)
_HEAD = 1 << 13  # bytes that a kind is told by
_LONGEST_MARK = 16  # of those below: fewer bytes may still become one


class Kind(NamedTuple):
    """What is no text as it stands, and the filter (standard input to standard output) that makes text of it."""

    name: str
    filter: str
    ending: str = ""  # that the names of such files have


_KINDS = (
    (re.compile(rb"\xfd7zXZ\x00"), Kind("xz-compressed data", "xz -dc", ".xz")),
    (re.compile(rb"\x28\xb5\x2f\xfd"), Kind("zstd-compressed data", "zstd -dc", ".zst")),
    (re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"), Kind("bzip2-compressed data", "bzip2 -dc", ".bz2")),
    (re.compile(rb"\x04\x22\x4d\x18"), Kind("lz4-compressed data", "lz4 -dc", ".lz4")),
    (re.compile(rb"\x1f\x9d"), Kind("data of compress", "gzip -dc", ".Z")),
    (re.compile(rb"PK\x03\x04"), Kind("a zip archive", "funzip", ".zip")),
    (re.compile(rb"\xff\xfe\x00\x00|\x00\x00\xfe\xff"), Kind("UTF-32", "iconv -f utf-32 -t utf-8")),
    (re.compile(rb"\xff\xfe|\xfe\xff"), Kind("UTF-16", "iconv -f utf-16 -t utf-8")),
)
# Where most bytes are 0, of each four: text of the Latin alphabet without a byte order mark.
_BY_ZEROS = {
    (False, True, False, True): Kind("UTF-16", "iconv -f utf-16le -t utf-8"),
    (True, False, True, False): Kind("UTF-16", "iconv -f utf-16be -t utf-8"),
    (False, True, True, True): Kind("UTF-32", "iconv -f utf-32le -t utf-8"),
    (True, True, True, False): Kind("UTF-32", "iconv -f utf-32be -t utf-8"),
}


def counted(number: int, noun: str) -> str:
    """1 line, 2 lines."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def kind_of(head: bytes) -> Kind | None:
    """What data that starts with `head` is, where it is a known kind that is neither UTF-8 nor gzip."""
    for mark, kind in _KINDS:
        if mark.match(head):
            return kind
    lanes = [head[lane:_HEAD:4] for lane in range(4)]
    zeros = tuple(bool(lane) and 2 * lane.count(0) > len(lane) for lane in lanes)
    return next((kind for pattern, kind in _BY_ZEROS.items() if pattern == zeros), None)


def refuse_kind(head: bytes, name: str, packed: bool = False, error: type[NmtError] = DataError) -> None:
    """Raises `error` with the command that makes text of it, where data that starts with `head` is of another kind.

    `packed`: it came out of gzip. `name` is that of a file, or of a stream such as standard input.
    """
    kind = kind_of(head)
    if kind is None:
        return
    own, plain = "FILE", "TEXT"
    if Path(name).exists():
        own = Path(name).name
        plain = own.removesuffix(kind.ending) if kind.ending and own.endswith(kind.ending) else f"{own}.utf8"
    through = f"gzip -dc < {shlex.quote(own)} | {kind.filter}" if packed else f"{kind.filter} < {shlex.quote(own)}"
    raise error(
        name,
        found=f"{kind.name} in gzip" if packed else kind.name,
        expected="UTF-8 text, plain or gzip",
        next_step=f"make it that, such as with: {through} > {shlex.quote(plain)}",
    )


def read_bytes(path: Path) -> bytes:
    """All of a file, unpacked, its byte order mark left out.

    Raises DataError for a file that is missing, a folder, not ours to read, a broken gzip, or of another kind.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError(str(path), found="no file", expected="a text file", next_step=near(path)) from None
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
    except OSError as error:
        raise DataError(str(path), found=reason_of(error), expected="a text file", next_step="name another") from None
    packed = content.startswith(GZIP)
    if packed:
        try:
            content = gzip.decompress(content)
        except BROKEN_GZIP as error:
            raise _broken_gzip(str(path), error) from None
    refuse_kind(content[:_HEAD], str(path), packed)
    return content.removeprefix(BYTE_ORDER_MARK)


def read_lines(path: Path | str) -> list[str]:
    """The lines of a file.

    Raises DataError as `read_bytes` does, and where it is empty, not UTF-8, or has a byte 0.
    """
    path = Path(path)
    content = read_bytes(path)
    if not content:
        raise DataError(
            str(path), found="an empty file", expected="one sentence a line", next_step="check how the file was written"
        )
    lines = decode(content, path).split("\n")
    if lines[-1] == "":  # what follows the last "\n" is no line
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def decode(content: bytes, path: Path) -> str:
    """Raises DataError, with the line, for what is not UTF-8, and for a byte 0: SentencePiece passes over its line."""
    own = shlex.quote(path.name)
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}, line {_line(content, error.start)}",
            found=f"the byte 0x{content[error.start]:02x}, which is not UTF-8",
            expected="UTF-8 text",
            next_step=f"convert the file, such as with: iconv -f latin1 -t utf-8 {own}",
        ) from None
    if b"\0" in content:
        raise DataError(
            f"{path}, line {_line(content, content.index(0))}",
            found="a byte 0",
            expected="UTF-8 text",
            next_step=f"take such bytes out, such as with: tr -d '\\000' < {own}",
        )
    return text


def _line(content: bytes, place: int) -> int:
    return content.count(b"\n", 0, place) + 1


def near(path: Path) -> str:
    """What to try instead of a file that is not there."""
    folder = path.parent
    if not folder.is_dir():
        return f"there is no folder {folder}, so check the path"
    names = get_close_matches(path.name, sorted(other.name for other in folder.iterdir()), n=1)
    if names:
        return f"the nearest name in {folder} is {names[0]}"
    return f"a PREFIX is the path without {path.suffix}, so check it" if path.suffix else "check the path"


class _Joined(io.RawIOBase):
    """What was read of a stream, and after it the stream, as it comes."""

    def __init__(self, head: bytes, rest: io.BufferedReader) -> None:
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        block = self._head[: len(buffer)] or self._rest.read1(len(buffer))
        self._head = self._head[len(block) :]
        buffer[: len(block)] = block
        return len(block)


def unpacked(stream: BinaryIO, name: str) -> BinaryIO:
    """A stream that may be gzip as plain bytes, handed on as they come: a person who types is not kept waiting.

    Raises DataError where it is of another kind, such as UTF-16.
    """
    source = cast("io.BufferedReader", stream)
    head = b""
    while len(head) < _LONGEST_MARK and b"\n" not in head and (more := source.read1(_HEAD)):
        head += more
    joined = io.BufferedReader(_Joined(head, source))
    if not head.startswith(GZIP):
        refuse_kind(head, name)
        return cast("BinaryIO", joined)
    content = gzip.GzipFile(fileobj=joined)
    try:
        refuse_kind(content.peek(_HEAD), name, packed=True)
    except BROKEN_GZIP as error:
        raise _broken_gzip(name, error) from None
    return cast("BinaryIO", content)


def decode_lines(lines: Iterable[bytes], name: str) -> Iterator[str]:
    """Lines of a binary stream as text; text streams would also break them at a lone "\\r".

    Raises DataError for bytes that are not UTF-8, with their line, and where a gzip stream breaks off.
    """
    source = iter(lines)
    number = 0
    while (line := _next_line(source, name)) is not None:
        number += 1
        try:
            text = line.removeprefix(BYTE_ORDER_MARK if number == 1 else b"").decode()
        except UnicodeDecodeError as error:
            raise DataError(
                f"{name}, line {number}",
                found=f"the byte 0x{line[error.start]:02x} at place {error.start + 1}",
                expected="UTF-8",
                next_step="convert it, for example with iconv",
            ) from error
        yield text.removesuffix("\n").removesuffix("\r")


def _next_line(lines: Iterator[bytes], name: str) -> bytes | None:
    try:
        return next(lines, None)
    except BROKEN_GZIP as error:
        raise _broken_gzip(name, error) from None


def _broken_gzip(name: str, error: Exception) -> DataError:
    return DataError(
        name, found=f"a broken gzip file ({error})", expected="a whole one", next_step="copy the file again"
    )
