"""Readers of the word2vec formats and GloVe's: a stream in, the vectors of the words that are needed out.

    D dimension

Text, a line a word: the word, a space, D numbers, spaces between. word2vec puts a line of two numbers before: how many
words, and D. word2vec's binary form has that line too; then word, space, D little-endian float32, and perhaps a line
feed, for each word.
"""

from __future__ import annotations

import logging
import re
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from nmt.errors import MetricError
from nmt.metrics.vector_stream import HashedStream
from nmt.plumbing.text import BYTE_ORDER_MARK

LOG = logging.getLogger(__name__)
_BLOCK = 1 << 20  # what is read at once: little enough to stay in the processor's cache
SAMPLE = 1 << 13  # what is looked at first
# No word is longer: what has no space for so many bytes is no table.
_LONGEST_WORD = 1 << 15
_LONGEST_LINE = 1 << 26
_MOST_DIGITS = 18  # of a number in a first line
LARGEST_DIMENSION = 1 << 20
_ENOUGH_NUMBERS = 64  # of a row that is cut off: they are no chance


class Sink(Protocol):
    """Takes vectors as they come. `found` has the words it has by now: of a word that comes twice the first counts."""

    needed: frozenset[bytes] | None  # None: every word
    found: dict[bytes, int]

    def add(self, word: bytes, number: int, place: int, values: bytes) -> None:
        """`number` of the line (text) or record (binary), from 1; `place` of the word in the file; its numbers."""
        ...


@dataclass
class Rows:
    """The vectors themselves, as the bytes of their numbers, which `convert` makes of what the file has.

    `found[word]` is the number of its line or record.
    """

    needed: frozenset[bytes] | None
    convert: Callable[[int, bytes], bytes]
    found: dict[bytes, int] = field(default_factory=dict)
    vectors: bytearray = field(default_factory=bytearray)

    def add(self, word: bytes, number: int, place: int, values: bytes) -> None:
        self.found[word] = number
        self.vectors += self.convert(number, values)


def needed_bytes(words: Iterable[str] | None) -> frozenset[bytes] | None:
    return None if words is None else frozenset(word.encode() for word in words)


def word_fault(word: bytes) -> str:
    """What is wrong with a word, which may be nothing."""
    try:
        word.decode()
    except UnicodeDecodeError:
        return f"bytes that are no UTF-8 ({word[:20]!r})"
    return ""


def read_header(head: bytes) -> tuple[int, int] | None:
    """(words, D) of a first line of two whole numbers; None for any other first line."""
    line, end, _ = head.removeprefix(BYTE_ORDER_MARK).partition(b"\n")
    fields = line.split()
    if end and len(fields) == 2 and all(field.isdigit() and len(field) <= _MOST_DIGITS for field in fields):
        return int(fields[0]), int(fields[1])
    return None


def is_text(head: bytes, header: tuple[int, int] | None) -> bool:
    """Whether a file that starts with `head` (at least SAMPLE bytes, or all of it) has its numbers written out.

    It has where the first row is a word and numbers: text is text with an escape sequence or a byte 0 among its words.
    Of another row bytes tell that are in no text.
    """
    rows = head if header is None else head.partition(b"\n")[2]
    row, end, _ = rows.partition(b"\n")
    numbers = row.rstrip(b" \r").split(b" ")[1:]
    if not end and len(head) >= SAMPLE:
        numbers = numbers[:-1]  # the last one may be cut off
    least = 1 if header is None else min(header[1], _ENOUGH_NUMBERS)
    if len(numbers) >= least and all(map(_is_number, numbers[-least:])):
        return True
    if header is None:
        return b"\0" not in head
    try:
        rows.decode()
    except UnicodeDecodeError as error:
        return error.start >= len(rows) - 3  # a character cut off at the end of the sample is none
    return not any(byte < 32 and byte not in b"\t\n\r" for byte in rows)


def read_text(stream: HashedStream, header: tuple[int, int] | None, sink: Sink) -> int:
    """Hand the lines of needed words to `sink`; returns D. Of the other lines only the numbers are counted.

    Raises MetricError with its number for a line that does not hold a word and D numbers.
    """
    reader = _Lines(stream, header, sink)
    rest = b""
    while block := stream.read(_BLOCK):
        lines = (rest + block).split(b"\n")
        rest = lines.pop()
        reader.take(lines)
        if len(rest) > _LONGEST_LINE:
            raise _malformed(
                stream.path, reader.number + 1, f"a line of more than {_LONGEST_LINE:,} bytes", reader.dimension or 1
            )
    if rest.strip():
        reader.take([rest])
    if header is not None:
        _compare(stream.path, header[0], reader.number - 1)
    assert reader.dimension is not None, "the file is not empty: its caller has looked"
    return reader.dimension


class _Lines:
    """`number` of lines taken so far, and the `place` where the next one starts."""

    def __init__(self, stream: HashedStream, header: tuple[int, int] | None, sink: Sink) -> None:
        self.path, self.sink = stream.path, sink
        self.has_header = header is not None
        self.dimension = None if header is None else header[1]  # else the first line tells
        self.number = self.place = 0

    def take(self, lines: list[bytes]) -> None:
        needed, found = self.sink.needed, self.sink.found
        for whole in lines:
            self.number += 1
            place, self.place = self.place, self.place + len(whole) + 1
            if self.number == 1:
                if self.has_header:
                    continue
                whole = whole.removeprefix(BYTE_ORDER_MARK)
                place = self.place - 1 - len(whole)
            line = whole.rstrip(b" \r")
            if self.dimension is None:
                self.dimension = _dimension(line)
            word, _, values = line.partition(b" ")
            if line.count(b" ") != self.dimension or not word:
                word, values = _word_with_spaces(self.path, self.number, line, self.dimension)
            if (needed is None or word in needed) and word not in found:
                self.sink.add(word, self.number, place, values)


def _dimension(line: bytes) -> int:
    """How many numbers follow the first word, which may hold spaces where none of its parts is a number."""
    fields = line.split(b" ")[1:]
    first = next((place for place, text in enumerate(fields) if not text or _is_number(text)), 0)
    return max(1, len(fields) - first)


def _word_with_spaces(path: Path, number: int, line: bytes, dimension: int) -> tuple[bytes, bytes]:
    """Some words of some tables ("at name@domain") hold spaces: all but the last D fields are the word.

    Where the field after the first is a number, there are too many numbers instead.
    """
    fields = line.split(b" ")
    extra = len(fields) - dimension - 1
    if extra > 0 and line[:1] != b" " and not any(_is_number(field) for field in fields[1 : extra + 1]):
        return b" ".join(fields[: extra + 1]), b" ".join(fields[extra + 1 :])
    raise _malformed(
        path, number, f"{sum(map(_is_number, fields[1:]))} numbers" if line else "an empty line", dimension
    )


def _is_number(text: bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def text_numbers(path: Path, number: int, values: bytes) -> bytes:
    """The float64 numbers of line `number`, as bytes. Raises MetricError where one is no number."""
    fields = values.split(b" ")
    try:
        return array("d", map(float, fields)).tobytes()
    except ValueError:
        wrong = next(value for value in fields if not _is_number(value))
        found = f"{wrong.decode(errors='replace')!r} among the numbers"
        raise _malformed(path, number, found, len(fields)) from None


def _malformed(path: Path, number: int, found: str, dimension: int) -> MetricError:
    return MetricError(
        f"{path}, line {number}",
        found=found,
        expected=f"a word and {dimension} numbers with single spaces between",
        next_step="mend or remove the line",
    )


def _compare(path: Path, promised: int, found: int) -> None:
    if promised != found:
        LOG.warning("%s: its first line promises %d vectors, and it has %d.", path, promised, found)


def read_binary(stream: HashedStream, header: tuple[int, int], sink: Sink) -> None:
    """Hand the records of needed words in word2vec's binary form to `sink`.

    Raises MetricError for a file that does not end where a record does.
    """
    num_words, dimension = header
    reader = _Records(4 * dimension, sink)
    data, start, more = stream.read(_BLOCK), 0, True
    place = data.index(b"\n") + 1
    while more:
        taken = reader.take(data, place, start)
        stuck = taken == place and len(data) - place >= reader.longest
        start, rest, place = start + taken, data[taken:], 0
        data = _window(stream, rest, start, 2 * reader.longest)
        more = len(data) > len(rest) and not stuck
    if data.strip(b"\n") or not reader.number:
        raise MetricError(
            f"{stream.path}, vector {reader.number + 1}",
            found="the end of the file" if reader.number else "no word2vec binary data",
            expected=f"{num_words} vectors, as its first line says",
            next_step="fetch the file again: it is not whole",
        )
    _compare(stream.path, num_words, reader.number)


def _window(stream: HashedStream, rest: bytes, start: int, least: int) -> bytes:
    """`rest`, which begins at `start` of the file, and what follows; no more than `rest` at the end."""
    if stream.plain is None:
        return rest + stream.read(_BLOCK)
    return stream.plain.window(start, max(_BLOCK, least))


class _Records:
    """`number` of records taken so far; none is longer than `longest`."""

    def __init__(self, size: int, sink: Sink) -> None:
        self.size, self.sink = size, sink
        self.number = 0
        self.longest = _LONGEST_WORD + size + 2
        # A word (after what may end the record before) with its space, and what follows the last whole record: nothing
        # in Python runs once a record as fast as this expression. Its second part keeps it from looking further on.
        self.record = re.compile(rb"([^ ]{0,%d} )(?s:.{%d})|(?s:.+)" % (_LONGEST_WORD, size))
        needed = sink.needed
        self.wanted = None if needed is None else {start + word + b" " for word in needed for start in (b"", b"\n")}

    def take(self, data: bytes, place: int, start: int) -> int:
        """The whole records from `place` on, in data that begins at `start` of the file; where the next begins."""
        words: list[bytes] = self.record.findall(data, place)
        if words and not words[-1]:
            words.pop()
        lengths_W = np.fromiter(map(len, words), np.int64, len(words))
        ends = (place + np.cumsum(lengths_W + self.size)).tolist()
        wanted, found = self.wanted, self.sink.found
        for row in range(len(words)) if wanted is None else [row for row, word in enumerate(words) if word in wanted]:
            word, after = words[row][:-1].removeprefix(b"\n"), ends[row]
            if word not in found:
                values = after - self.size
                self.sink.add(word, self.number + row + 1, start + values - len(word) - 1, data[values:after])
        self.number += len(words)
        return ends[-1] if ends else place
