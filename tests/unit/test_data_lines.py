"""Lines that stay in their file are those that are read at once."""

from __future__ import annotations

import gzip
import lzma
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nmt.data import lines as module
from nmt.data.lines import Chain, Lines, open_lines, open_parallel
from nmt.errors import DataError
from nmt.plumbing.text import read_lines

TEXTS = {
    "plain": b"ein Hund\nzwei H\xc3\xa4user\n",
    "no end": b"ein Hund\nzwei",
    "one line": b"ein Hund",
    "one empty line": b"\n",
    "empty lines": b"\n\na\n\n",
    "windows": b"a\r\nb\r\n\r\nc",
    "mark": b"\xef\xbb\xbfa\nb\n",
    "other ends": "a\u2028b\u0085c\x0bd\n".encode(),
}


@pytest.mark.parametrize("content", TEXTS.values(), ids=TEXTS.keys())
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("block", [1, 3, 2**22])
def test_as_read_at_once(tmp_path, monkeypatch, content, packed, block):
    monkeypatch.setattr(module, "BLOCK", block)
    monkeypatch.setattr(module, "LINES", 2)
    path = tmp_path / "text"
    path.write_bytes(gzip.compress(content) if packed else content)
    expected, found = read_lines(path), open_lines(path)
    assert isinstance(found, Lines)
    assert list(found) == expected
    assert len(found) == len(expected)
    assert [found[i] for i in range(len(expected))] == expected
    assert found[-1] == expected[-1]
    assert found[1:3] == expected[1:3]
    assert found[::-2] == expected[::-2]
    with pytest.raises(IndexError):
        found[len(expected)]


@pytest.mark.slow
@given(st.text(st.characters(exclude_characters="\0\ufeff")), st.booleans())
def test_any_text(text, packed):
    content = text.encode("utf-8", "ignore") or b"a"
    with TemporaryDirectory() as folder:
        path = Path(folder) / "text"
        path.write_bytes(gzip.compress(content) if packed else content)
        assert list(open_lines(path)) == read_lines(path)


def test_the_file_may_go_while_it_is_read(tmp_path):
    path = tmp_path / "text"
    path.write_text("a\nb\n")
    found = open_lines(path)
    path.unlink()
    assert list(found) == ["a", "b"]


@pytest.mark.usefixtures("ticking")
@pytest.mark.parametrize(
    "content", ["eins\n", "one line, much longer than before\n", "eins\nzwei\nvier\n", "drei\neins\nzwei\n"]
)
def test_a_file_that_is_written_to_is_refused(tmp_path, content):
    path = tmp_path / "text"
    path.write_text("eins\nzwei\ndrei\n")
    found = open_lines(path)
    path.write_text(content)
    told = r"text: found another content than when it was opened, expected a file that nobody writes to"
    for read in (list, lambda lines: lines[0:2], lambda lines: lines[-1]):
        with pytest.raises(DataError, match=told):
            read(found)


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "an empty file"),
        (b"\xef\xbb\xbf", "an empty file"),
        (b"a\nb\0c\n", "line 2: found a byte 0"),
        ("a\n".encode("utf-16"), "found UTF-16"),
        (lzma.compress(b"a\n"), "found xz-compressed data"),
        (b"a\nb\xffc\n", "line 2: found the byte 0xff"),
        (b"a\nb\xc3", "line 2: found the byte 0xc3"),
        (gzip.compress(b"a\nb\n" * 100, mtime=0)[:-9], "a broken gzip file"),
        (gzip.compress(b"a\n\xff\n", mtime=0), "line 2: found the byte 0xff"),
    ],
)
def test_mistakes_are_told_as_by_read_lines(tmp_path, content, message):
    path = tmp_path / "text"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as told:
        open_lines(path)
    with pytest.raises(DataError) as expected:
        read_lines(path)
    assert str(told.value) == str(expected.value)


def test_no_file(tmp_path):
    with pytest.raises(DataError, match="found no file"):
        open_lines(tmp_path / "none")


def test_two_sides_and_their_lengths(tmp_path):
    (tmp_path / "text.en").write_text("a\nb\n")
    (tmp_path / "text.de.gz").write_bytes(gzip.compress(b"c\nd\n"))
    text = open_parallel("train", tmp_path / "text", "en", "de")
    assert (list(text.src), list(text.tgt), len(text)) == (["a", "b"], ["c", "d"], 2)
    (tmp_path / "text.en").write_text("a\nb\nc\n")
    with pytest.raises(DataError, match="found 3 and 2 lines"):
        open_parallel("train", tmp_path / "text", "en", "de")


def test_a_chain_may_be_gone_through_twice():
    chain = Chain([["a"], [], ["b", "c"]])
    assert list(chain) == list(chain) == ["a", "b", "c"]
