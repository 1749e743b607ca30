"""Changes to a file that hurt its reader: of bytes, of lines, of numbers, of the values of JSON and YAML.

All of them follow from the generator of random numbers that is handed in.
"""

from __future__ import annotations

import gzip
import json
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import yaml

INTEGERS = (0, 1, 7, 127, 128, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63, 2**64 - 1)
# What stands in text and is not expected there.
TOKENS = (
    *(b"\x00", b"\n", b"\n\n", b"\r\n", b"\r", b"\t", b" ", b"  ", b"\xef\xbb\xbf", b"\xff\xfe", b"\x1f\x8b"),
    *(
        "\u2028".encode(),
        "\u2581".encode(),
        b"\xed\xa0\x80",
        b"\xc3",
        b"\x1b[31m",
        b"'",
        b'"',
        b"\\",
        b"{",
        b"[",
        b": ",
    ),
    *(b"nan", b"inf", b"-inf", b"1e999", b"1e-999", b"-0", b"0", b"-1", b"1_0", b"0x10", b"9" * 30, b"9" * 5_000),
    *(b"<unk>", b"</s>", b"null", b"NaN", b"${seed}", b"${oc.env:HOME}", b"!!python/name:os.system ", b"&a [*a, *a]"),
    *(b"[" * 3_000, b"{" * 3_000, b"- " * 3_000, b"a" * 70_000),
)
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2**31, 2**63, 2**64, 10**400, 0.5, -0.0, 1e308, float("nan"), float("inf")),
    *("", "x", "0", "nan", "\n", "\x00", "\u2028", "\ud800", "../..", "/", "${seed}", "???", "x" * 5_000),
    *([], [[]], [None], [0], ["x"], {}, {"x": {}}, {"": 0}, [1, "x", {}], "2026-11-28", "2026-99-99"),
)


def mutated(content: bytes, other: bytes, dice: random.Random) -> bytes:
    """One to four changes; `other` is a file of any format, to splice with."""
    for _ in range(dice.choice((1, 1, 1, 2, 4))):
        content = dice.choice(BYTEWISE)(content, other, dice)
    return content


def flipped(content: bytes, other: bytes, dice: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(dice.choice((1, 1, 3, 40)) if content else 0):
        changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    return bytes(changed)


def cut(content: bytes, other: bytes, dice: random.Random) -> bytes:
    return content[: dice.randint(0, len(content))]


def without_block(content: bytes, other: bytes, dice: random.Random) -> bytes:
    start, stop = block(content, dice)
    return content[:start] + content[stop:]


def doubled(content: bytes, other: bytes, dice: random.Random) -> bytes:
    start, stop = block(content, dice)
    return content[:stop] + content[start:stop] * dice.choice((1, 2, 30)) + content[stop:]


def with_token(content: bytes, other: bytes, dice: random.Random) -> bytes:
    """In a place of its own, or in that of something."""
    start, stop = block(content, dice)
    return content[:start] + dice.choice(TOKENS) + content[start if dice.random() < 0.5 else stop :]


def with_integer(content: bytes, other: bytes, dice: random.Random) -> bytes:
    size, order = dice.choice((1, 2, 4, 8)), dice.choice(("little", "big"))
    at = dice.randint(0, max(0, len(content) - size))
    number = (dice.choice(INTEGERS) % 256**size).to_bytes(size, order)
    return content[:at] + number + content[at + size :]


def spliced(content: bytes, other: bytes, dice: random.Random) -> bytes:
    at, there = dice.randint(0, len(content)), dice.randint(0, len(other))
    return content[:at] + other[there:] if dice.random() < 0.5 else other[:there] + content[at:]


def reordered(content: bytes, other: bytes, dice: random.Random) -> bytes:
    """Lines in another order, one of them perhaps gone or there twice."""
    lines = content.split(b"\n")
    first, second = dice.randrange(len(lines)), dice.randrange(len(lines))
    lines[first], lines[second] = lines[second], dice.choice((lines[first], lines[second], b""))
    return b"\n".join(lines)


def number_changed(content: bytes, other: bytes, dice: random.Random) -> bytes:
    """A number that is written out, or a field between spaces: those of a header as often as all others."""
    end = content.find(b"\n") if dice.random() < 0.5 else -1
    head = content if end < 0 else content[:end]
    fields = head.split(b" ")
    fields[dice.randrange(len(fields))] = dice.choice((*TOKENS, *(str(number).encode() for number in INTEGERS)))
    return b" ".join(fields) + content[len(head) :]


Change = Callable[[bytes, bytes, random.Random], bytes]
BYTEWISE: tuple[Change, ...] = (
    *(flipped, cut, without_block, doubled, with_token, with_token, with_integer, spliced, reordered, number_changed),
)


def block(content: bytes, dice: random.Random) -> tuple[int, int]:
    start = dice.randint(0, len(content))
    return start, min(len(content), start + dice.choice((1, 1, 4, 16, 200)))


def packed(content: bytes, other: bytes, dice: random.Random) -> bytes:
    """As gzip, changed within, without, or whole."""
    way = dice.randrange(3)
    inside = mutated(content, other, dice) if way else content
    outside = gzip.compress(inside, 1, mtime=0)
    return mutated(outside, other, dice) if way == 0 else outside


def json_changed(content: bytes, other: bytes, dice: random.Random) -> bytes:
    return json.dumps(_changed(json.loads(content), dice)).encode()


def json_line_changed(content: bytes, other: bytes, dice: random.Random) -> bytes:
    lines = content.rstrip(b"\n").split(b"\n")
    at = dice.randrange(len(lines))
    if lines[at]:
        lines[at] = json_changed(lines[at], other, dice)
    return b"\n".join(lines) + b"\n"


def yaml_changed(content: bytes, other: bytes, dice: random.Random) -> bytes:
    changed = _changed(yaml.safe_load(content), dice)
    return yaml.safe_dump(changed, sort_keys=False, allow_unicode=dice.random() < 0.5).encode(errors="replace")


def safetensors_changed(content: bytes, other: bytes, dice: random.Random) -> bytes:
    """The values of the header, whose length is right again."""
    end = 8 + struct.unpack("<Q", content[:8])[0]
    head = json_changed(content[8:end], other, dice)
    return struct.pack("<Q", len(head)) + head + content[end:]


def zip_changed(content: bytes, other: bytes, dice: random.Random) -> bytes:
    """Within a member that is not packed, whose checksums are right again."""
    changed, places = bytearray(content), list(_members(content))
    start, stop = dice.choice(places)
    some = mutated(content[start:stop], other, dice)[: stop - start].ljust(stop - start, b" ")
    if dice.random() < 0.5:  # the header of an array, as text
        head = content[start:stop].partition(b"\n")[0]
        new = number_changed(head, other, dice)[: len(head)].ljust(len(head), b" ")
        some = new + content[start + len(head) : stop]
    old, new_sum = (zlib.crc32(part).to_bytes(4, "little") for part in (content[start:stop], some))
    changed[start:stop] = some
    return bytes(changed).replace(old, new_sum)


def _members(content: bytes) -> Iterator[tuple[int, int]]:
    """Where the members of a zip archive lie that has been written in one go and not packed."""
    at = content.find(b"PK\x01\x02")
    while at >= 0 and content[at : at + 4] == b"PK\x01\x02":
        size = struct.unpack_from("<L", content, at + 24)[0]
        name, extra, comment = struct.unpack_from("<HHH", content, at + 28)
        local = struct.unpack_from("<L", content, at + 42)[0]
        start = local + 30 + sum(struct.unpack_from("<HH", content, local + 26))
        yield start, start + size
        at += 46 + name + extra + comment


def _changed(tree: Any, dice: random.Random) -> Any:
    """A value somewhere in it, or a key, is another."""
    for _ in range(dice.choice((1, 1, 2))):
        places = [(None, None), *_places(tree)]
        parent, key = dice.choice(places[1:] or places) if dice.random() < 0.97 else places[0]
        value = dice.choice(VALUES)
        if parent is None:
            return value
        way = dice.randrange(8)
        if way == 0:
            del parent[key]
        elif way == 1 and isinstance(parent, dict):
            parent[dice.choice(("x", "", "data", "\ud800"))] = parent.pop(key)
        elif way == 2:
            parent[key] = [parent[key]]
        else:
            parent[key] = value
    return tree


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in pairs:
        yield tree, key
        yield from _places(value)
