"""Folders that one process at a time writes."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Barrier

import pytest

from nmt.errors import ConfigError
from nmt.plumbing import locks
from nmt.plumbing.claims import LOCK, claimed, claimed_new
from nmt.plumbing.locks import Lock


def test_a_second_process_is_refused_as_long_as_the_first_is_at_work(tmp_path):
    folder = tmp_path / "a" / "b"
    with claimed(folder, "out=FOLDER") as given:
        assert given == folder
        with pytest.raises(ConfigError) as caught, claimed(folder, "out=FOLDER"):
            pass
        assert str(caught.value) == (
            f"{folder}: found another process at work in it, expected one at a time; wait for it or stop it, or name "
            "another folder with out=FOLDER."
        )
        assert [path.name for path in folder.iterdir()] == [LOCK]
    assert not folder.exists(), "nothing was put into it"
    with claimed(folder, "out=FOLDER"):
        (folder / "file").touch()
    assert [path.name for path in folder.iterdir()] == ["file"]


def test_the_next_free_name(tmp_path):
    wanted = tmp_path / "run"
    with claimed_new(wanted) as first, claimed_new(wanted) as second:
        (second / "file").touch()
    with claimed_new(wanted) as third:  # the first was left without anything in it
        (third / "file").touch()
    with claimed_new(wanted) as fourth:
        assert [path.name for path in (first, second, third, fourth)] == ["run", "run_2", "run", "run_3"]


def test_many_at_once_get_a_folder_each(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "_PATIENCE_S", 0.0)  # nobody only looks; the last would wait nineteen times
    ready = Barrier(20)

    def claim(number: int) -> tuple[ExitStack, Path]:
        stack = ExitStack()
        ready.wait()
        folder = stack.enter_context(claimed_new(tmp_path / "run"))
        (folder / str(number)).touch()
        return stack, folder

    with ThreadPoolExecutor(20) as threads:
        found = list(threads.map(claim, range(20)))
    assert len({folder for _, folder in found}) == 20
    assert all(sorted(os.listdir(folder)) == [LOCK, str(number)] for number, (_, folder) in enumerate(found))
    for stack, _ in found:
        stack.close()


def test_a_file_system_without_locks_is_said(tmp_path, monkeypatch, caplog):
    def refuse(fd: int, how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", refuse)
    with claimed_new(tmp_path / "run") as folder:
        assert folder == tmp_path / "run"
    assert "has no locks, so nothing keeps a second process out" in caplog.text


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    for way in (claimed(tmp_path / "file" / "run", "out=FOLDER"), claimed_new(tmp_path / "file" / "run")):
        with pytest.raises(NotADirectoryError), way:
            pass


def test_whoever_waited_does_not_get_a_lock_that_is_gone(tmp_path, monkeypatch):
    """The file is removed by its last owner in the moment between opening and locking it."""
    path = tmp_path / LOCK
    first = Lock(path, passing=True)
    real = os.open
    opened: list[int] = []

    def open_once(*given: object) -> int:
        fd = real(*given)
        if given[0] == path and not opened:
            first.release()
        opened.append(fd)
        return fd

    monkeypatch.setattr(os, "open", open_once)
    with Lock(path, passing=True):
        assert len(opened) == 2
        with pytest.raises(BlockingIOError):
            Lock(path)


def test_a_lock_is_handed_over_once(tmp_path, monkeypatch):
    monkeypatch.delenv("NMT_LOCK", raising=False)
    lock = Lock(tmp_path / LOCK)
    lock.hand_over()
    assert os.get_inheritable(lock.fd)
    with Lock(tmp_path / "other") as other:
        assert other.fd != lock.fd
    ours = Lock(tmp_path / LOCK)
    assert (ours.fd, os.get_inheritable(ours.fd), "NMT_LOCK" in os.environ) == (lock.fd, False, False)
    with pytest.raises(BlockingIOError):
        Lock(tmp_path / LOCK)
    ours.release()
