"""Brings the project's packages onto the machine."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from nmt.launch.agent.job import Job

NO_UV = 127


def install(job: Job, words: list[str]) -> int:
    """The README's own command; -> exit status of uv. After a lost connection it goes on where it was."""
    if shutil.which("tmux") is None:
        subprocess.run(["sudo", "-n", "apt-get", "install", "-y", "-q", "tmux"], check=False)
    uv = find_uv() or fetch_uv()
    if uv is None:
        print("no uv, and pip could not install it", file=sys.stderr)
        return NO_UV
    return subprocess.run([uv, "sync", *words], cwd=job.project, check=False).returncode


def find_uv() -> str | None:
    """On the path, or where pip puts it for one user, which a session without login does not search."""
    own = Path.home() / ".local" / "bin" / "uv"
    return shutil.which("uv") or (str(own) if own.exists() else None)


def fetch_uv() -> str | None:
    """By pip, for this user. A distribution's Python may refuse that without the second form; its own stays."""
    pip = [sys.executable, "-m", "pip", "install", "-q", "--user", "uv"]
    if subprocess.run(pip, check=False).returncode != 0:
        subprocess.run([*pip, "--break-system-packages"], check=False)
    return find_uv()
