"""Which files go to a machine: without git, the same as git says."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nmt.errors import LaunchError
from nmt.launch import worktree
from nmt.launch.worktree import project_files, walked

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="not installed: git")
ROOT = Path(__file__).resolve().parents[2]
NAMES = st.sampled_from(["a", "b", "ab", "build", "a.txt", "b.txt", "keep.txt", "x y", "#a", "!a", "[a]", "é"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
PIECES = st.sampled_from(
    ["a", "b", "ab", "build", "*.txt", "keep.txt", "?", "a*", "*", "**", "[ab]", "[!a]", "x y", "\\#a", "\\!a", "\\[a]"]
)
PATTERNS = st.builds(
    lambda sign, head, pieces, tail: f"{sign}{head}{'/'.join(pieces)}{tail}",
    st.sampled_from(["", "", "", "!"]),
    st.sampled_from(["", "", "/", "**/"]),
    st.lists(PIECES, min_size=1, max_size=3),
    st.sampled_from(["", "", "/", "/**", " ", "/*"]),
)
IGNORES = st.lists(st.one_of(PATTERNS, st.sampled_from(["", "# a comment", "**/secrets/", "**/a"])), max_size=6)


def by_git(root: Path) -> set[str]:
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    words = ["git", "-C", str(root), "ls-files", "-z", "-co", "--exclude-standard"]
    return set(subprocess.run(words, capture_output=True, check=True).stdout.decode().split("\0")) - {""}


def write(root: Path, paths: list[str], ignores: dict[str, list[str]]) -> None:
    for path in paths:
        target = root / path
        if not any(parent.is_file() for parent in target.parents) and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(path)
    for folder, lines in ignores.items():
        if (root / folder).is_dir():
            (root / folder / ".gitignore").write_text("\n".join(lines) + "\n")


def check(paths: list[str], top: list[str], inner: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write(root, paths, {"": top, "a": inner})
        found = walked(root)
        bare = worktree._by_git(root)  # with git, but no repository
        assert found == by_git(root) == bare == worktree._by_git(root)


@pytest.fixture(autouse=True)
def _nobody(tmp_path_factory, monkeypatch):
    """Without a person's own excludes."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))


@settings(max_examples=30, deadline=None)
@given(st.lists(PATHS, min_size=1, max_size=12), IGNORES, IGNORES)
@example(["a/a/a", "a/a/b/a"], [], ["a/**/"])  # the folders in a, not a
def test_patterns_and_trees_as_git_takes_them(paths, top, inner):
    check(paths, top, inner)


@pytest.mark.long
@settings(max_examples=500, deadline=None)
@given(st.lists(PATHS, min_size=1, max_size=12), IGNORES, IGNORES)
def test_500_patterns_and_trees_as_git_takes_them(paths, top, inner):
    check(paths, top, inner)


@pytest.mark.parametrize("pattern", ["**/secrets", "**/secrets/", "secrets/", "**/secrets/**"])
def test_what_lies_at_the_root_is_ignored_too(tmp_path, pattern):
    write(tmp_path, ["secrets/x", "sub/secrets/x", "sub/y"], {"": [pattern]})
    assert set(project_files(tmp_path)) == {".gitignore", "sub/y"}
    assert walked(tmp_path) == {".gitignore", "sub/y"}


SECRETS = ("id_rsa", "sub/id_ed25519.pub", ".env", ".env.local", "KEY.PEM", "sub/tls.key", ".aws/credentials",
           ".netrc", "credentials.json", ".ssh/config", "client_secret_1.json", "store.P12")  # fmt: skip


@pytest.mark.parametrize("git", [True, False])
def test_secrets_never_go_whatever_git_says(tmp_path, monkeypatch, git):
    write(tmp_path, [*SECRETS, "train.py"], {})
    if git:
        by_git(tmp_path)
        subprocess.run(["git", "-C", str(tmp_path), "add", "-f", "."], check=True)
    else:
        monkeypatch.setattr(worktree, "_by_git", lambda root: None)
    assert project_files(tmp_path) == ["train.py"]


def test_what_is_tracked_and_gone_or_another_repository_is_left_out(tmp_path):
    write(tmp_path, ["kept", "gone", "other/x"], {})
    by_git(tmp_path)
    subprocess.run(["git", "-C", str(tmp_path), "add", "kept", "gone"], check=True)
    (tmp_path / "gone").unlink()
    by_git(tmp_path / "other")
    assert project_files(tmp_path) == ["kept"]
    assert walked(tmp_path) == {"kept"}


def test_a_project_in_a_folder_that_another_repository_ignores(tmp_path):
    write(tmp_path, ["project/train.py"], {"": ["*"]})
    by_git(tmp_path)
    assert project_files(tmp_path / "project") == ["train.py"]


def test_the_whole_project_goes():
    if not (ROOT / ".git").exists():
        pytest.skip("no repository")
    words = ["git", "-C", str(ROOT), "ls-files", "-z"]
    tracked = set(subprocess.run(words, capture_output=True, check=True).stdout.decode().split("\0")) - {""}
    there = {name for name in tracked if os.path.lexists(ROOT / name)}
    assert {name for name in there - set(project_files(ROOT)) if not name.startswith("data/")} == set()


def test_without_git_and_pathspec_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(worktree, "_by_git", lambda root: None)
    monkeypatch.setattr(worktree, "GitIgnoreSpec", None)
    with pytest.raises(LaunchError, match="found neither git nor pathspec, expected one of them"):
        project_files(tmp_path)
