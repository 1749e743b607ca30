"""The seal at a file's head: its length and digest, readable without the HDF5 library.

HDF5 lets a file begin with a user block that it ignores. Ours is 512 bytes of ASCII, padded with zeros:

    nmt-checkpoint 1\\n
    length LENGTH_OF_THE_REST_IN_BYTES\\n
    xxh3_128 DIGEST_OF_THE_REST_IN_HEX\\n

The seal shows that a file is whole, not where it comes from.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

import xxhash

from nmt.checkpoint.errors import broken, missing

SIZE = 512
MAGIC = b"nmt-checkpoint 1\n"
PIECE = 1 << 20


def digest(file: BinaryIO) -> tuple[int, str]:
    """Length and XXH3-128 of what is left of an open file."""
    length, state = 0, xxhash.xxh3_128()
    while piece := file.read(PIECE):
        length += len(piece)
        state.update(piece)
    return length, state.hexdigest()


def put(path: Path) -> None:
    """Seal a finished HDF5 file that was written with a user block, and push it to the disk."""
    with open(path, "r+b") as file:
        file.seek(SIZE)
        length, value = digest(file)
        text = MAGIC + f"length {length}\nxxh3_128 {value}\n".encode()
        file.seek(0)
        file.write(text.ljust(SIZE, b"\0"))
        file.flush()
        os.fsync(file.fileno())


def check(path: Path) -> bool:
    """True for a whole sealed file, False for one without a seal.

    Raises CheckpointError for a missing file, and for a seal that does not fit what follows it.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(SIZE)
            if not head.startswith(MAGIC):
                return False
            found = digest(file)
    except FileNotFoundError as error:
        raise missing(path) from error
    except OSError as error:
        raise broken(path, error.strerror or str(error)) from error
    fields = dict(line.split(b" ", 1) for line in head[len(MAGIC) :].rstrip(b"\0").splitlines() if b" " in line)
    if len(head) < SIZE or fields != {b"length": str(found[0]).encode(), b"xxh3_128": found[1].encode()}:
        raise broken(path, "content that does not fit its own digest (cut off or changed)")
    return True
