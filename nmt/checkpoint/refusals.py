"""The sentences with which a file is refused, so that the same fault is told the same way everywhere."""

from __future__ import annotations

import errno
from pathlib import Path

from nmt.errors import CheckpointError, reason_of

_HINTS = {
    errno.ENOSPC: "free some space; what was there before is untouched",
    errno.EDQUOT: "free some of your quota; what was there before is untouched",
    errno.EACCES: "change the permissions or choose another folder",
    errno.EPERM: "change the permissions or choose another folder",
    errno.EROFS: "choose a folder that can be written",
    errno.ENOENT: "make the folder again or choose another one",
    errno.ENOTDIR: "choose a folder",
    errno.EISDIR: "name a file, not a folder",
    errno.EINVAL: "name a file; it can be sent on from there",
}


def damaged(path: Path, found: str) -> CheckpointError:
    """A file of ours that is not what was written: cut short, changed, or made to look like one of ours."""
    return CheckpointError(
        str(path),
        found=found,
        expected="a checkpoint exactly as it was written",
        next_step="take another copy of it, or another checkpoint of the run",
    )


def not_allowed(path: Path, found: str) -> CheckpointError:
    """Something that HDF5 knows and a checkpoint never holds, whether the file is whole or not."""
    return CheckpointError(
        str(path),
        found=found,
        expected="arrays of numbers stored in the file itself, one dataset each, at the root",
        next_step="do not load it unless you know who made it; save it anew with this project",
    )


def not_a_checkpoint(path: Path, found: str) -> CheckpointError:
    """Another kind of file."""
    return CheckpointError(
        str(path),
        found=found,
        expected="an HDF5 checkpoint",
        next_step="name a file such as checkpoints/best.h5 of a run folder",
    )


def cannot_read(path: Path, error: OSError) -> CheckpointError:
    """The file system refused while a checkpoint was being read."""
    return CheckpointError(
        str(path),
        found=reason_of(error),
        expected="a checkpoint that can be read",
        next_step="name a file such as checkpoints/best.h5 of a run folder",
    )


def cannot_write(path: Path, error: OSError) -> CheckpointError:
    """The file system refused while a checkpoint was being written; the file of that name is as it was."""
    return CheckpointError(
        str(path),
        found=reason_of(error),
        expected="room and permission to write the checkpoint",
        next_step=_HINTS.get(error.errno or 0, "see what the disk says; what was there before is untouched"),
    )
