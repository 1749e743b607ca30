"""Whole files: links stay links, what is no file is left alone, and nothing half-written is seen."""

from __future__ import annotations

import errno
import os
import socket
import stat
from pathlib import Path

import pytest

from nmt.plumbing import files
from nmt.plumbing.files import NotWrittenError, give_name, replacing, target_of, write_bytes, write_text


def test_a_new_file_and_one_in_its_place(tmp_path):
    path = tmp_path / "a"
    write_text(path, "ä\n")
    assert path.read_bytes() == b"\xc3\xa4\n"
    write_bytes(path, b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_name_had_that_is_not_utf_8_comes_out_as_it_was(tmp_path):
    write_text(tmp_path / "a", os.fsdecode(b"runs/\xff"))
    assert (tmp_path / "a").read_bytes() == b"runs/\xff"


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_the_file_is_never_readable_to_others(tmp_path, mode):
    with replacing(tmp_path / "a", mode=mode):
        (beside,) = tmp_path.iterdir()
        assert stat.S_IMODE(beside.stat().st_mode) == mode
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == mode


def test_a_block_that_fails_leaves_what_was_there(tmp_path):
    (tmp_path / "a").write_text("old")

    def write_half() -> None:
        with replacing(tmp_path / "a") as fd:
            os.write(fd, b"ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "old"}


@pytest.mark.parametrize("name", ["link", "link_to_link", "elsewhere/../link"])
def test_a_link_stays_and_its_file_is_written(tmp_path, name):
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere" / "file"
    target.write_text("old")
    (tmp_path / "link").symlink_to("elsewhere/file")
    (tmp_path / "link_to_link").symlink_to("link")
    write_text(tmp_path / name, "new")
    assert target.read_text() == "new"
    assert not target.is_symlink()
    assert os.readlink(tmp_path / "link") == "elsewhere/file"
    assert os.readlink(tmp_path / "link_to_link") == "link"


def test_a_link_that_leads_to_nothing_yet(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "file")
    write_text(tmp_path / "link", "new")
    assert ((tmp_path / "file").read_text(), (tmp_path / "link").is_symlink()) == ("new", True)


def test_a_link_that_leads_to_itself(tmp_path):
    (tmp_path / "link").symlink_to("link")
    with pytest.raises(OSError, match="symbolic links"):
        write_text(tmp_path / "link", "new")
    assert os.readlink(tmp_path / "link") == "link"


def make(kind: str, path: Path) -> socket.socket | None:
    if kind == "a folder":
        path.mkdir()
    elif kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a device":
        path.symlink_to("/dev/null")  # the device itself, reached as `-o /dev/null` would reach it
    else:
        here = socket.socket(socket.AF_UNIX)
        here.bind(str(path))
        return here
    return None


@pytest.mark.parametrize("kind", ["a folder", "a pipe", "a device", "a socket"])
@pytest.mark.parametrize("through_link", [False, True])
@pytest.mark.parametrize(
    "way", [lambda path: write_text(path, "x"), lambda path: give_name(path.parent / "whole", path)]
)
def test_what_is_no_file_is_refused_and_stays(tmp_path, monkeypatch, kind, through_link, way):
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    made = make(kind, Path("thing"))
    (tmp_path / "whole").write_text("whole")
    (tmp_path / "link").symlink_to("thing")
    names = sorted(os.listdir())
    before = os.stat("thing")
    with pytest.raises(OSError) as caught:
        way(tmp_path / ("link" if through_link else "thing"))
    assert caught.value.strerror == kind
    assert os.stat("thing").st_mode == before.st_mode
    assert sorted(os.listdir()) == names
    if made is not None:
        made.close()


def test_a_device_made_here(tmp_path):
    """What `-o` of a root would have turned into a regular file."""
    try:
        os.mknod(tmp_path / "mynull", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("only root makes devices")
    with pytest.raises(OSError, match="a device"):
        write_text(tmp_path / "mynull", "x")
    assert stat.S_ISCHR((tmp_path / "mynull").stat().st_mode)


def test_a_leftover_of_a_killed_process_of_the_same_number_is_no_hindrance(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_numbers", iter([0, 1]))
    left = tmp_path / f"a.{os.getpid()}-0.tmp"
    left.write_text("half")
    write_text(tmp_path / "a", "whole")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "whole", left.name: "half"}


@pytest.mark.parametrize("links", [True, False])
def test_a_second_name(tmp_path, monkeypatch, links):
    def refuse(*_: object) -> None:
        raise OSError

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "a").write_text("new")
    (tmp_path / "b").write_text("old")
    give_name(tmp_path / "a", tmp_path / "b")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "new", "b": "new"}
    assert os.path.samefile(tmp_path / "a", tmp_path / "b") == links


def test_where_a_write_goes(tmp_path):
    assert target_of(tmp_path / "new") == tmp_path / "new"
    assert target_of(Path("relative")) == Path("relative")


def test_what_the_file_system_refuses_names_the_file_that_was_meant(tmp_path):
    with pytest.raises(NotWrittenError) as caught:
        write_text(tmp_path / "no" / "file", "x")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOENT, str(tmp_path / "no" / "file"))

    def write(error: OSError) -> None:
        with replacing(tmp_path / "a"):
            raise error

    with pytest.raises(NotWrittenError) as caught:
        write(OSError(errno.ENOSPC, "no space"))  # as of a write to a descriptor
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(tmp_path / "a"))
    with pytest.raises(FileNotFoundError):
        write(FileNotFoundError(errno.ENOENT, "none", "another"))
