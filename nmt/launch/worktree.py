"""Which files of the working tree go to a machine: those that git would take, and no secrets."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

from nmt.errors import LaunchError

try:
    from pathspec import GitIgnoreSpec
except ImportError:  # an extra, needed where there is no git
    GitIgnoreSpec = None  # type: ignore[assignment, misc]

NOT_SENT = ("runs", "data")  # folders of the project: results and corpora
# Left out whatever git says of it, in any folder and in any case of letters: environments, caches, secrets.
NEVER = (
    ".git", ".venv*", "__pycache__", ".rsync-partial", ".aws", ".ssh", ".gnupg", ".kube", ".env*", ".netrc", "_netrc",
    ".git-credentials", ".npmrc", ".pypirc", "credentials", "credentials.json", "client_secret*.json", "*.pem", "*.key",
    "*.p12", "*.pfx", "*.ppk", "*.jks", "*.keystore", "*.kdbx", "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*",
)  # fmt: skip
IGNORE = ".gitignore"
FOLDER_MARK = "ps_d"  # pathspec's name for the slash behind a folder that matches


def project_files(root: Path) -> list[str]:
    """Paths from `root`, with slashes, sorted. Raises LaunchError where neither git nor pathspec is installed."""
    found = _by_git(root)
    return sorted(name for name in (found if found is not None else walked(root)) if _goes(name))


def _goes(name: str) -> bool:
    parts = name.lower().split("/")
    return parts[0] not in NOT_SENT and not any(is_secret(part) for part in parts)


def is_secret(name: str) -> bool:
    """Whether a file or folder of this name stays here, whatever asks for it."""
    return any(fnmatch(name.lower(), pattern) for pattern in NEVER)


def _by_git(root: Path) -> set[str] | None:
    """What git would take, whether `root` is a repository of its own or not; None where there is no git."""
    with tempfile.TemporaryDirectory() as empty:
        listing = ["ls-files", "-z", "--others", "--exclude-standard"]
        try:
            own = (root / ".git").exists()
            if own:
                answer = _git(root, [*listing, "--cached"])
            else:
                _git(root, ["init", "--quiet", "--bare", empty])
                answer = _git(root, [f"--git-dir={empty}", f"--work-tree={root}", *listing])
        except FileNotFoundError:
            return None
    names = answer.decode("utf-8", "surrogateescape").split("\0")
    # A tracked file may be gone; a repository inside this one is listed as a folder, and none of ours.
    return {name for name in names if name and not name.endswith("/") and os.path.lexists(root / name)}


def _git(root: Path, words: Sequence[str]) -> bytes:
    """Raises FileNotFoundError where there is no git, LaunchError where it refuses."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    done = subprocess.run(["git", *words], cwd=root, env=clean, capture_output=True, check=False)
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise LaunchError(
            f"git in {root}", found=(said[-1] if said else "a failure").rstrip("."), expected="a list of its files",
            next_step="mend that, and run the command again",
        )  # fmt: skip
    return done.stdout


def walked(root: Path) -> set[str]:
    """The same without git. Raises LaunchError where pathspec is missing."""
    if GitIgnoreSpec is None:
        raise LaunchError(
            "upload of the project", found="neither git nor pathspec", expected="one of them, to read .gitignore",
            next_step="install git, or pathspec with `uv sync --extra aws`",
        )  # fmt: skip
    return set(_walk(root, "", []))


def _walk(root: Path, inside: str, rules: list[tuple[str, GitIgnoreSpec]]) -> Iterator[str]:
    """Files below a folder; `rules` are those of the folders above, the nearest last."""
    folder = root / inside
    if (folder / IGNORE).is_file():
        lines = (folder / IGNORE).read_text(encoding="latin-1").split("\n")  # git matches bytes
        # To git `a/**` and `a/**/` are what lies in a; to pathspec a folder a is, too.
        lines = [re.sub(r"/\*\*(/?) *$", r"/**/*\1", line) for line in lines]
        rules = [*rules, (inside, GitIgnoreSpec.from_lines(lines))]
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        name, is_folder = f"{inside}{entry.name}", entry.is_dir(follow_symlinks=False)
        if entry.name == ".git" or _ignored(f"{name}/" if is_folder else name, rules):
            continue
        if not is_folder:
            yield name
        elif not os.path.lexists(os.path.join(entry.path, ".git")):  # a repository of its own
            yield from _walk(root, f"{name}/", rules)


def _ignored(name: str, rules: list[tuple[str, GitIgnoreSpec]]) -> bool:
    """The nearest file that says something of a path decides; in it, its last line that does."""
    for folder, spec in reversed(rules):
        path = os.fsencode(name.removeprefix(folder)).decode("latin-1")
        for pattern in reversed(list(spec.patterns)):
            if pattern.include is not None and pattern.regex is not None and _matches(pattern.regex, path):
                return bool(pattern.include)
    return False


def _matches(pattern: re.Pattern[str], path: str) -> bool:
    """Whether it is the path that matches, not a folder above it: of those each has been asked for itself."""
    found = pattern.finditer(path)
    return any(one.groupdict().get(FOLDER_MARK) is None or one.end(FOLDER_MARK) == len(path) for one in found)
