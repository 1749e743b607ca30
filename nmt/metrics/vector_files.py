"""Readers of the word2vec formats and GloVe's: a stream in, the vectors of the words that are needed out.

    D dimension

Text, a line a word: the word, a space, D numbers, spaces between. word2vec puts a line of two numbers before: how many
words, and D. word2vec's binary form has that line too; then word, space, D little-endian float32, and perhaps a line
feed, for each word.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

from nmt.errors import MetricError
from nmt.metrics.vector_stream import HashedStream

_BLOCK = 1 << 20  # what is read at once: little enough to stay in the processor's cache
_LINE_FEED = 10
# No word is longer: what has no space for so many bytes is no table.
_LONGEST_WORD = 1 << 16


@dataclass
class Rows:
    """Vectors as they are found, each as the bytes of its numbers (text: float64, binary: float32).

    `numbers[word]` is the number of its line (text) or place (binary), from 1.
    """

    needed: frozenset[bytes] | None  # None: every word
    numbers: dict[bytes, int] = field(default_factory=dict)
    vectors: list[bytes] = field(default_factory=list)

    def wants(self, word: bytes) -> bool:
        """The first vector of a word counts, as in word2vec and gensim."""
        return (self.needed is None or word in self.needed) and word not in self.numbers

    def add(self, word: bytes, number: int, vector: bytes) -> None:
        self.numbers[word] = number
        self.vectors.append(vector)


def needed_bytes(words: Iterable[str] | None) -> frozenset[bytes] | None:
    return None if words is None else frozenset(word.encode() for word in words)


def read_header(head: bytes) -> tuple[int, int] | None:
    """(words, D) of a first line of two whole numbers; None for any other first line."""
    fields = head.split(b"\n", 1)[0].split()
    if len(fields) == 2 and all(field.isdigit() for field in fields) and b"\n" in head:
        return int(fields[0]), int(fields[1])
    return None


def is_binary(head: bytes) -> bool:
    """Whether what follows the header is float32: bytes that are no text."""
    body = head.split(b"\n", 1)[1]
    if any(byte < 32 and byte not in b"\t\n\r" for byte in body):
        return True
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return error.start < len(body) - 3  # a character cut at the end of the sample is none
    return False


def read_text(stream: HashedStream, header: tuple[int, int] | None, rows: Rows) -> int:
    """Fill `rows` from text, in float64; returns D.

    Only lines of needed words are parsed; of the others the numbers are counted.

    Raises MetricError with its number for a line that does not hold a word and D numbers.
    """
    dimension = None if header is None else header[1]
    number, rest = 0, b""
    while block := stream.read(_BLOCK):
        lines = (rest + block).split(b"\n")
        rest = lines.pop()
        dimension = _read_lines(stream, lines, number, header, dimension, rows)
        number += len(lines)
    if rest.strip():
        dimension = _read_lines(stream, [rest], number, header, dimension, rows)
        number += 1
    if header is not None and number - 1 != header[0]:
        raise MetricError(
            str(stream.path),
            found=f"{number - 1} vectors",
            expected=f"{header[0]}, as its first line says",
            next_step="fetch the file again: it is not whole",
        )
    assert dimension is not None, "the file is not empty: its caller has looked"
    return dimension


def _read_lines(
    stream: HashedStream,
    lines: list[bytes],
    number: int,
    header: tuple[int, int] | None,
    dimension: int | None,
    rows: Rows,
) -> int:
    """Lines that follow `number` others; returns D, which the first line of a file without header tells."""
    for line in lines:
        number += 1
        if number == 1 and header is not None:
            continue
        line = line.rstrip(b" \r")
        if dimension is None:
            dimension = max(1, line.count(b" "))
        word, _, values = line.partition(b" ")
        if line.count(b" ") != dimension or not word:
            word, values = _word_with_spaces(stream, number, line, dimension)
        if rows.wants(word):
            rows.add(word, number, _numbers(stream, number, values, dimension))
    assert dimension is not None, "a block holds a line"
    return dimension


def _word_with_spaces(stream: HashedStream, number: int, line: bytes, dimension: int) -> tuple[bytes, bytes]:
    """Some words of some tables ("at name@domain") hold spaces: all but the last D fields are the word.

    Where the field after the first is a number, there are too many numbers instead.
    """
    fields = line.split(b" ")
    extra = len(fields) - dimension - 1
    if extra > 0 and line[:1] != b" " and not any(_is_number(field) for field in fields[1 : extra + 1]):
        return b" ".join(fields[: extra + 1]), b" ".join(fields[extra + 1 :])
    raise _malformed(
        stream, number, f"{sum(map(_is_number, fields[1:]))} numbers" if line else "an empty line", dimension
    )


def _is_number(text: bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _numbers(stream: HashedStream, number: int, values: bytes, dimension: int) -> bytes:
    fields = values.split(b" ")
    try:
        return array("d", map(float, fields)).tobytes()
    except ValueError:
        wrong = next(value for value in fields if not _is_number(value))
        found = f"{wrong.decode(errors='replace')!r} among the numbers"
        raise _malformed(stream, number, found, dimension) from None


def _malformed(stream: HashedStream, number: int, found: str, dimension: int) -> MetricError:
    return MetricError(
        f"{stream.path}, line {number}",
        found=found,
        expected=f"a word and {dimension} numbers with single spaces between",
        next_step="mend or remove the line",
    )


def read_binary(stream: HashedStream, header: tuple[int, int], rows: Rows) -> None:
    """Fill `rows` from word2vec's binary form, in float32.

    Raises MetricError for a file that ends before the words that its first line counts.
    """
    num_words, dimension = header
    size = 4 * dimension
    data = stream.read(_BLOCK)
    place = data.index(b"\n") + 1
    number = 0
    while number < num_words:
        number, place = _read_records(data, place, size, number, num_words, rows)
        if number < num_words:
            block = stream.read(_BLOCK)
            if not block or len(data) - place > _LONGEST_WORD + size:
                raise _cut(stream, number, num_words)
            data, place = data[place:] + block, 0


def _read_records(data: bytes, place: int, size: int, number: int, num_words: int, rows: Rows) -> tuple[int, int]:
    """The whole records of `data` from `place` on; returns how many records are read by now, and where the next starts.

    This loop runs once for each word of a table, needed or not, and is most of the time that a large one takes.
    """
    end, find, needed, numbers = len(data), data.find, rows.needed, rows.numbers
    while number < num_words:
        space = find(b" ", place)
        after = space + 1 + size
        if space < 0 or after > end:
            break
        if data[place] == _LINE_FEED:  # the end of the record before
            place += 1
        word = data[place:space]
        number += 1
        if (needed is None or word in needed) and word not in numbers:
            rows.add(word, number, data[space + 1 : after])
        place = after
    return number, place


def _cut(stream: HashedStream, number: int, num_words: int) -> MetricError:
    return MetricError(
        f"{stream.path}, vector {number + 1}",
        found="the end of the file" if number else "no word2vec binary data",
        expected=f"{num_words} vectors, as its first line says",
        next_step="fetch the file again: it is not whole",
    )
