"""Reading parallel text: what a line is, and each mistake with its one sentence."""

import gzip
import os
from pathlib import Path

import pytest

from nmt.data.lines import open_parallel
from nmt.data.text import ParallelText, find_side, read_parallel
from nmt.errors import DataError
from nmt.plumbing.text import read_lines


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_only_a_line_feed_ends_a_line(tmp_path):
    text = "one\u2028still\x0bone\x85\x1c\nzwei\r\n\ndrei"
    assert read_lines(write(tmp_path / "a.en", text.encode())) == ["one\u2028still\x0bone\x85\x1c", "zwei", "", "drei"]


@pytest.mark.parametrize("content", [b"a\nb\n", b"a\nb", b"\xef\xbb\xbfa\nb\n", gzip.compress(b"a\nb\n", mtime=0)])
def test_last_line_feed_byte_order_mark_and_gzip_make_no_difference(tmp_path, content):
    assert read_lines(write(tmp_path / "a.en", content)) == ["a", "b"]


def test_a_carriage_return_within_a_line_stays(tmp_path):
    assert read_lines(write(tmp_path / "a.en", b"a\rb\r\n")) == ["a\rb"]


def test_sides_are_found_plain_or_packed_and_plain_goes_first(tmp_path):
    write(tmp_path / "dev.en", b"a\n")
    write(tmp_path / "dev.en.gz", gzip.compress(b"b\n"))
    write(tmp_path / "dev.de.gz", gzip.compress(b"c\n"))
    assert read_parallel("dev", tmp_path / "dev", "en", "de") == ParallelText("dev", ["a"], ["c"])
    assert len(read_parallel("dev", str(tmp_path / "dev"), "de", "en")) == 1


def message(call, *args) -> str:
    with pytest.raises(DataError) as caught:
        call(*args)
    return str(caught.value)


def test_a_missing_file_names_what_was_tried_and_what_is_nearest(tmp_path):
    write(tmp_path / "train.en", b"a\n")
    assert message(find_side, tmp_path / "trian", "en") == (
        f"{tmp_path}/trian: found neither trian.en nor trian.en.gz, expected one of them; "
        f"the nearest name in {tmp_path} is train.en."
    )
    assert message(find_side, tmp_path / "zzz", "fr") == (
        f"{tmp_path}/zzz: found neither zzz.fr nor zzz.fr.gz, expected one of them; "
        "a PREFIX is the path without .fr, so check it."
    )
    assert f"there is no folder {tmp_path}/no, so check the path" in message(find_side, tmp_path / "no" / "a", "en")
    assert message(read_lines, tmp_path / "zzz").endswith("found no file, expected a text file; check the path.")
    assert message(read_lines, tmp_path / "train.e").startswith(f"{tmp_path}/train.e: found no file, expected a text")


def test_one_file_for_both_sides_is_refused(tmp_path):
    write(tmp_path / "train.en", b"a\n")
    (tmp_path / "train.de").symlink_to("train.en")
    for read in (read_parallel, open_parallel):
        for src, tgt in (("en", "en"), ("en", "de")):
            assert message(read, "train", tmp_path / "train", src, tgt) == (
                f"data.src, data.tgt: found {src} and {tgt}, which are one file ({tmp_path}/train.{src}), expected a "
                "file of either language, line n translating line n; name both languages, as in data.src=en "
                "data.tgt=fr."
            )


def test_a_pipe_is_refused_before_anybody_waits_for_it(tmp_path):
    os.mkfifo(tmp_path / "train.en")
    assert message(find_side, tmp_path / "train", "en") == (
        f"{tmp_path}/train.en: found a pipe, a socket or a device, expected a file, which can be read more than once; "
        "write the text into a file first."
    )


def test_empty_files_are_refused(tmp_path):
    expected = "found an empty file, expected one sentence a line; check how the file was written."
    assert message(read_lines, write(tmp_path / "a.en", b"")) == f"{tmp_path}/a.en: {expected}"
    assert message(read_lines, write(tmp_path / "a.en.gz", gzip.compress(b""))) == f"{tmp_path}/a.en.gz: {expected}"


def test_bad_utf8_is_told_with_its_line(tmp_path):
    path = write(tmp_path / "a.de", "gut\nschön\n".encode("latin1"))
    assert message(read_lines, path) == (
        f"{path}, line 2: found the byte 0xf6, which is not UTF-8, expected UTF-8 text; "
        "convert the file, such as with: iconv -f latin1 -t utf-8 a.de."
    )


def test_uneven_files_are_told_with_both_counts(tmp_path):
    write(tmp_path / "a.en", b"1\n2\n3\n")
    write(tmp_path / "a.de", b"1\n2\n")
    assert message(read_parallel, "train", tmp_path / "a", "en", "de") == (
        f"{tmp_path}/a.en, {tmp_path}/a.de: found 3 and 2 lines, expected as many lines on both sides, "
        "line n translating line n; find the line that one side lost or gained."
    )


def test_folders_and_broken_gzip_are_refused(tmp_path):
    assert message(read_lines, tmp_path) == (
        f"{tmp_path}: found a folder, expected a text file; name a file or a PREFIX inside it."
    )
    packed = gzip.compress(bytes(range(256)) * 9)
    assert "a broken gzip file" in message(read_lines, write(tmp_path / "cut.gz", packed[:-20]))
    assert "a broken gzip file" in message(read_lines, write(tmp_path / "bad.gz", packed[:12] + b"\xff" * 40))


def test_a_file_that_may_not_be_read_is_told_so(tmp_path, monkeypatch):
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)  # root may read everything
    assert message(read_lines, tmp_path / "a.en") == (
        f"{tmp_path}/a.en: found no permission to read it, expected a readable file; "
        "change its mode (chmod +r) or its owner."
    )
