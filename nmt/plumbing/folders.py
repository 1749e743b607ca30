"""Where the user's caches lie, also for a user whom the system does not know."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path


def cache(name: str, chosen: str | None = None) -> Path:
    """The place that a configuration chose, else `name` in our folder in $XDG_CACHE_HOME, else in ~/.cache."""
    if chosen is not None:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    if not base:
        ensure_home()
    return Path(base or Path.home() / ".cache") / "nmt" / name


def ensure_home() -> None:
    """Where there is no $HOME and the system does not know this user, as in a container, $HOME becomes a folder of ours
    among the temporary files: libraries look for a home as they are imported, and fail without one."""
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = str(_own_temporary())


def _own_temporary() -> Path:
    """The same one each time, unless somebody else made it or could write there."""
    folder = Path(tempfile.gettempdir()) / f"nmt-{os.getuid()}"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077:
        return folder
    return Path(tempfile.mkdtemp(prefix="nmt-"))
