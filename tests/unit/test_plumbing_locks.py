"""A lock is held as long as its process lives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nmt.plumbing.locks import Lock, is_locked

ROOT = Path(__file__).resolve().parents[2]
HOLDER = "import sys; from pathlib import Path; from nmt.plumbing.locks import Lock\n"
HOLDER += "with Lock(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"


def test_a_second_one_is_refused_until_the_first_lets_go(tmp_path):
    path = tmp_path / "lock"
    assert not is_locked(path)
    with Lock(path):
        assert is_locked(path)
        with pytest.raises(BlockingIOError):
            Lock(path)
    assert not is_locked(path)
    with Lock(path):
        assert is_locked(path)


def test_the_lock_of_a_killed_process_is_free(tmp_path):
    path = tmp_path / "lock"
    words = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        assert is_locked(path)
        with pytest.raises(BlockingIOError):
            Lock(path)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        with Lock(path):
            assert path.read_bytes() == b""


def test_a_look_is_no_hindrance(tmp_path, monkeypatch):
    """Whoever looks holds the lock for a moment."""
    path = tmp_path / "lock"
    looks = [BlockingIOError, BlockingIOError, None]

    def flock(fd: int, how: int) -> None:
        error = looks.pop(0)
        if error is not None:
            raise error

    monkeypatch.setattr("fcntl.flock", flock)
    with Lock(path):
        assert looks == []


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        Lock(tmp_path / "no" / "lock")
    assert not is_locked(tmp_path / "no" / "lock")
