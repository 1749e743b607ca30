"""JSON from files: what is taken, and what is refused in words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from nmt.errors import LONGEST_PART, DataError
from nmt.plumbing.records import checked, parsed, record_of


@dataclass(frozen=True)
class Record:
    name: str
    count: int
    seconds: float
    usd: float | None
    words: list[str]
    folder: Path
    more: dict[str, float]
    done: bool = False


SOUND = {"name": "a", "count": 1, "seconds": 2, "usd": None, "words": ["x"], "folder": "runs", "more": {"loss": 0.5}}


def test_a_record_comes_back():
    assert record_of(Record, {**SOUND, "strange": 1}) == Record("a", 1, 2, None, ["x"], Path("runs"), {"loss": 0.5})
    infinite = record_of(Record, {**SOUND, "usd": float("inf"), "done": True}, finite=False)
    assert (infinite.usd, infinite.done) == (float("inf"), True)


@pytest.mark.parametrize(
    "change, told",
    [
        ({"name": None}, "name: None"),
        ({"count": True}, "count: True"),
        ({"count": 1.0}, "count: 1.0"),
        ({"count": 2**63}, f"count: {2**63}"),
        ({"seconds": float("nan")}, "seconds: nan"),
        ({"seconds": 10**400}, f"seconds: {10**400}"),
        ({"usd": "0"}, "usd: '0'"),
        ({"words": ["x", 1]}, "words: ['x', 1]"),
        ({"words": "x"}, "words: 'x'"),
        ({"folder": 3}, "folder: 3"),
        ({"more": {"loss": None}}, "more: {'loss': None}"),
        ({"done": 0}, "done: 0"),
    ],
)
def test_a_value_of_another_type_is_named(change, told):
    with pytest.raises(ValueError) as refused:
        record_of(Record, {**SOUND, **change})
    assert str(refused.value) == told


def test_what_is_no_object_or_lacks_something():
    for values, told in (([], "no object"), ({"name": "a"}, "no count")):
        with pytest.raises(ValueError, match=f"^{told}$"):
            record_of(Record, values)
    checked({}, {"flags": list[str]}, set())


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, '["\\ud800"]', b"\xff", b'"\xc3"', "9" * 5_000, "", "{"]
)
def test_text_that_is_no_json(text):
    with pytest.raises(ValueError):
        parsed(text)


def test_what_is_json():
    assert parsed('{"a": ["\\ud83d\\ude00", 1]}') == {"a": ["\U0001f600", 1]}
    assert parsed("ü".join('""').encode()) == "ü"


def test_a_sentence_is_one_line_that_can_be_read():
    told = str(DataError("a\nb", found="x" * 10_000, expected="less", next_step="shorten it"))
    half = "x" * (LONGEST_PART // 2)
    assert told == f"a b: found {half} ... {half}, expected less; shorten it."
