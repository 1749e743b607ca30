"""Starts one trial, as a process that ends with its launcher and that has its run folder for itself.

    python child.py LAUNCHER_PID FOLDER PROGRAM RESUME PLACE OVERRIDE...

PROGRAM holds the first words for Python, as a JSON list. RESUME is the word that continues the run of the folder,
PLACE the one that begins one there; both are quoted already.

Standard library alone, and what stands on nothing else: it is run as a file, isolated, and then becomes the program.

Two things keep an orphan from writing beside its successor. On Linux the kernel sends SIGTERM to this process when
its launcher dies, however that dies; the run saves and leaves. And the run folder is claimed, as that of every run is,
as long as the process lives: the next launcher's process waits here for it, and finds the folder as it was left.
"""

import ctypes
import json
import os
import shutil
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from nmt.plumbing.claims import LOCK
from nmt.plumbing.locks import Lock

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def main(launcher: int, folder: Path, program: list[str], resume: str, place: str, overrides: list[str]) -> None:
    """Does not return: the process becomes the program, or ends."""
    die_with(launcher)
    folder.mkdir(parents=True, exist_ok=True)
    lock = Lock(folder / LOCK, passing=True, wait=True)
    if (folder / "report.html").exists():  # its predecessor, an orphan, has come to its end
        lock.release()
        sys.exit(0)
    if any((folder / "checkpoints").glob("*.h5")):
        words = [resume]
    else:
        (folder / "metrics.jsonl").unlink(missing_ok=True)
        shutil.rmtree(folder / "tensorboard", ignore_errors=True)
        words = [*overrides, place]
    lock.hand_over()
    os.execv(sys.executable, [sys.executable, *program, *words])


def die_with(launcher: int) -> None:
    """SIGTERM when the launcher dies; at once where that has happened already."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != launcher:
        sys.exit(128 + signal.SIGTERM)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3]), sys.argv[4], sys.argv[5], sys.argv[6:])
