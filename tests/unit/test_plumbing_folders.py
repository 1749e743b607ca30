"""Where caches lie."""

from __future__ import annotations

import os
import pwd
import stat
import tempfile
from pathlib import Path

import pytest

from nmt.plumbing.folders import cache, ensure_home


@pytest.fixture
def nobody(monkeypatch, tmp_path):
    """A user without $HOME whom the system does not know, as in a container; -> where its temporary files lie."""

    def unknown(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.delenv("HOME")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield tmp_path
    os.environ.pop("HOME", None)


def test_the_cache_is_the_users(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache("subwords") == tmp_path / ".cache" / "nmt" / "subwords"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache("subwords") == tmp_path / "xdg" / "nmt" / "subwords"
    assert cache("subwords", chosen="here") == Path("here")


def test_a_user_without_a_home_gets_one(nobody):
    place = nobody / f"nmt-{os.getuid()}"
    assert cache("subwords") == place / ".cache" / "nmt" / "subwords"
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert Path.home() == place
    del os.environ["HOME"]
    ensure_home()
    assert Path.home() == place


@pytest.mark.parametrize("kind", ["open to others", "a link", "a file"])
def test_a_folder_that_others_could_have_made_is_not_trusted(nobody, kind):
    place = nobody / f"nmt-{os.getuid()}"
    if kind == "a link":
        (nobody / "theirs").mkdir(mode=0o700)
        place.symlink_to("theirs")
    elif kind == "a file":
        place.write_text("")
    else:
        place.mkdir()
        place.chmod(0o770)
    ensure_home()
    assert Path.home() != place
    assert Path.home().parent == nobody
    assert stat.S_IMODE(Path.home().stat().st_mode) == 0o700


def test_a_home_stays(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    ensure_home()
    assert os.environ["HOME"] == str(tmp_path)
