"""Text that users bring: what it is, in which lines, and the command that makes text of what is none."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import subprocess
import threading
from pathlib import Path

import pytest

from nmt.errors import DataError, MetricError
from nmt.plumbing.text import decode_lines, kind_of, read_lines, refuse_kind, unpacked

TEXT = "Zwei Hunde rennen.\nEin Mann.\n"
MARK = "\ufeff"
KINDS = {
    "xz-compressed data": (lzma.compress(TEXT.encode()), "xz -dc"),
    "bzip2-compressed data": (bz2.compress(TEXT.encode()), "bzip2 -dc"),
    "empty bzip2-compressed data": (bz2.compress(b""), "bzip2 -dc"),
    "zstd-compressed data": (bytes.fromhex("28b52ffd2004210000") + b"dog\n", "zstd -dc"),
    "lz4-compressed data": (bytes.fromhex("04224d186440a7"), "lz4 -dc"),
    "data of compress": (bytes.fromhex("1f9d9064deb0"), "gzip -dc"),
    "a zip archive": (b"PK\x03\x04\x14\0", "funzip"),
    "UTF-16": (TEXT.encode("utf-16"), "iconv -f utf-16 -t utf-8"),
    "UTF-16, the other way round": ((MARK + TEXT).encode("utf-16-be"), "iconv -f utf-16 -t utf-8"),
    "UTF-16 without a mark": (TEXT.encode("utf-16-le"), "iconv -f utf-16le -t utf-8"),
    "UTF-16 without a mark, the other way round": (TEXT.encode("utf-16-be"), "iconv -f utf-16be -t utf-8"),
    "UTF-32": (TEXT.encode("utf-32"), "iconv -f utf-32 -t utf-8"),
    "UTF-32 without a mark": (TEXT.encode("utf-32-le"), "iconv -f utf-32le -t utf-8"),
    "UTF-32 without a mark, the other way round": (TEXT.encode("utf-32-be"), "iconv -f utf-32be -t utf-8"),
}


def message(call, *args) -> str:
    with pytest.raises(DataError) as caught:
        call(*args)
    return str(caught.value)


@pytest.mark.parametrize("name", KINDS)
def test_what_is_no_text_is_named_with_the_command_that_makes_it_text(tmp_path, name):
    content, command = KINDS[name]
    path = tmp_path / "own.de"
    path.write_bytes(content)
    kind = name.removeprefix("empty ").partition(",")[0].partition(" without")[0]
    assert message(read_lines, path) == (
        f"{path}: found {kind}, expected UTF-8 text, plain or gzip; "
        f"make it that, such as with: {command} < own.de > own.de.utf8."
    )
    path.write_bytes(gzip.compress(content))
    assert message(read_lines, path) == (
        f"{path}: found {kind} in gzip, expected UTF-8 text, plain or gzip; "
        f"make it that, such as with: gzip -dc < own.de | {command} > own.de.utf8."
    )
    for packed in (content, gzip.compress(content)):
        said = message(unpacked, io.BufferedReader(io.BytesIO(packed)), "standard input")
        assert said.startswith(f"standard input: found {kind}")
        assert said.endswith(f"{command} < FILE > TEXT." if packed is content else f"| {command} > TEXT.")


@pytest.mark.parametrize("name", ["xz-compressed data", "bzip2-compressed data", "UTF-16", "UTF-16 without a mark"])
def test_the_command_works(tmp_path, name):
    path = tmp_path / "it's own.de.xz"
    path.write_bytes(KINDS[name][0])
    command = message(read_lines, path).partition("such as with: ")[2].removesuffix(".")
    try:
        subprocess.run(command, shell=True, check=True, cwd=tmp_path, stderr=subprocess.PIPE)
    except subprocess.CalledProcessError as error:
        if error.returncode == 127:
            pytest.skip(f"no {command.split()[0]} here")
        raise
    made = tmp_path / ("it's own.de" if "xz" in name else "it's own.de.xz.utf8")
    assert read_lines(made) == TEXT.splitlines()


def test_text_is_text():
    for text in ("PK", "BZh", "a", "", "ab\0", "Zwei\n", "日本語\n", "\0\0", "BZh9 was a file\n"):
        assert kind_of(text.encode()) is None


def test_the_error_may_be_another():
    with pytest.raises(MetricError, match="table: found UTF-16, expected UTF-8 text"):
        refuse_kind("dog 1".encode("utf-16"), "table", error=MetricError)


def test_a_byte_order_mark_alone_is_an_empty_file(tmp_path):
    path = tmp_path / "own.de"
    for content in (b"\xef\xbb\xbf", gzip.compress(b"\xef\xbb\xbf")):
        path.write_bytes(content)
        assert "found an empty file" in message(read_lines, path)
    path.write_text(f"{MARK}\n", encoding="utf-8")
    assert read_lines(path) == [""]
    path.write_text(f"{MARK}a\n{MARK}b\n", encoding="utf-8")
    assert read_lines(path) == ["a", f"{MARK}b"]  # in the middle it is a character


def test_a_byte_0_is_told_with_its_line(tmp_path):
    path = tmp_path / "own.de"
    path.write_bytes(b"gut\nsch\0n\n")
    said = f"{path}, line 2: found a byte 0, expected UTF-8 text; take such bytes out, such as with: tr -d '\\000' "
    assert message(read_lines, path) == f"{said}< own.de."


def test_a_file_below_a_file_is_a_mistake_too(tmp_path):
    (tmp_path / "own").write_text("a\n")
    assert message(read_lines, tmp_path / "own" / "dev.en").startswith(f"{tmp_path}/own/dev.en: found not a directory")


def test_only_a_newline_ends_a_line():
    text = f"{MARK}a\u2028b\r\n\n c\x85\rd\x0c\nlast"
    expected = ["a\u2028b", "", " c\x85\rd\x0c", "last"]
    for content in (text.encode(), gzip.compress(text.encode())):
        stream = unpacked(io.BufferedReader(io.BytesIO(content)), "stdin")
        assert list(decode_lines(stream, "stdin")) == expected
    assert list(decode_lines(unpacked(io.BufferedReader(io.BytesIO(b"")), "stdin"), "stdin")) == []


def test_bytes_that_are_not_utf8_are_named():
    said = message(list, decode_lines(io.BytesIO(b"good\nbad\xff\n"), "stdin"))
    assert said == "stdin, line 2: found the byte 0xff at place 4, expected UTF-8; convert it, for example with iconv."


@pytest.mark.parametrize("cut", [5, 12, 60_000])
def test_a_gzip_stream_that_breaks_off_is_told(cut):
    packed = gzip.compress(os.urandom(40_000).hex().encode())

    def read():
        return list(decode_lines(unpacked(io.BufferedReader(io.BytesIO(packed[:-9][:cut])), "stdin"), "stdin"))

    assert message(read).startswith("stdin: found a broken gzip file (")


def test_garbage_behind_gzip_is_told():
    packed = gzip.compress(b"a\n" * 20_000) + b"garbage"
    with pytest.raises(DataError, match="a broken gzip file"):
        list(decode_lines(unpacked(io.BufferedReader(io.BytesIO(packed)), "stdin"), "stdin"))
    broken = bytearray(packed)
    broken[20] ^= 255
    with pytest.raises(DataError, match="a broken gzip file"):
        list(decode_lines(unpacked(io.BufferedReader(io.BytesIO(bytes(broken))), "stdin"), "stdin"))


def test_a_line_is_handed_on_as_it_comes():
    """The second is written only once the first has been read: a reader that waits for more would hang."""
    read_end, write_end = os.pipe()
    with open(read_end, "rb") as stream, open(write_end, "wb", buffering=0) as pipe:
        threading.Thread(target=pipe.write, args=(b"a",)).start()
        threading.Timer(0.05, pipe.write, (b"b\n",)).start()
        lines = decode_lines(unpacked(stream, "stdin"), "stdin")
        assert next(lines) == "ab"
        pipe.write(b"c\n")
        assert next(lines) == "c"


def test_the_first_bytes_of_gzip_may_come_one_by_one():
    read_end, write_end = os.pipe()
    packed = gzip.compress(TEXT.encode())

    def write() -> None:
        with open(write_end, "wb", buffering=0) as pipe:
            for byte in packed:
                pipe.write(bytes([byte]))

    writer = threading.Thread(target=write)
    writer.start()
    with open(read_end, "rb") as stream:
        assert list(decode_lines(unpacked(stream, "stdin"), "stdin")) == TEXT.splitlines()
    writer.join()


def test_a_named_pipe_is_read(tmp_path):
    path = Path(tmp_path / "pipe")
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(gzip.compress(TEXT.encode()),))
    writer.start()
    assert read_lines(path) == TEXT.splitlines()
    writer.join()
