"""Translation of what the operating system and HDF5 say into sentences for people."""

from __future__ import annotations

from pathlib import Path

from nmt.errors import CheckpointError


def missing(path: Path) -> CheckpointError:
    return CheckpointError(
        str(path), found="no such file", expected="a checkpoint", next_step="look into the run folder's checkpoints/"
    )


def broken(path: Path, found: str) -> CheckpointError:
    return CheckpointError(
        str(path),
        found=found,
        expected="a whole checkpoint of this project",
        next_step="use another checkpoint of the run; this file cannot be trusted",
    )


def unwritten(path: Path, error: OSError) -> CheckpointError:
    return CheckpointError(
        str(path),
        found=f"{error.strerror or error}",
        expected="a folder that can be written to, with room",
        next_step="the checkpoint before it is untouched; make room or choose another folder",
    )
