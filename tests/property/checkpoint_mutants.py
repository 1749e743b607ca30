"""Broken and hostile files without end: a number makes a mutant, the same one always.

Sound files are made once; a mutant is one of them with bits flipped, cut off, filled up, spliced with another, or with
numbers of its structure replaced by ones that hurt. Some are sealed again, so that their digests are right: of those
only the structure was changed, since a forged value is a value.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from nmt.checkpoint.file import save
from tests.unit.checkpoint_tools import header_of, sealed

EVIL = (0, 1, 7, 255, 2**16 - 1, 2**31 - 1, 2**32 - 1, 2**40, 2**63, 2**64 - 8, 2**64 - 1)


def sound_values(number: int) -> dict[str, np.ndarray]:
    """Range-filled parameters of sound file 0 or 1."""
    return {
        "encoder/kernel": np.arange(number, number + 600, dtype=np.float32).reshape(20, 30),
        "encoder/bias": np.arange(number, number + 30, dtype=np.float32),
        "decoder/table": -np.arange(number, number + 40, dtype=np.float64).reshape(10, 4),
        "count": np.int64(number + 5),
        "flags": np.array([True, False, number > 0]),
    }


def old_values() -> dict[str, np.ndarray]:
    """Those of the foreign file: HDF5 has no truth values that are plain numbers."""
    return {name: np.asarray(value) for name, value in sound_values(0).items() if value.dtype != bool}


@dataclass(frozen=True)
class Mutant:
    """`ours`: it has a header of ours, or had one, so its values must be the sound ones if it loads."""

    content: bytes
    ours: bool
    told: str


class Mutants:
    """Makes its sound files in a folder."""

    def __init__(self, folder: Path) -> None:
        paths = [folder / name for name in ("one.h5", "two.h5", "plain.h5", "old.h5")]
        for number, path in enumerate(paths[:2]):
            slots = {f"adam_m {name.replace('/', ' ')}": value for name, value in sound_values(0).items()}
            save(path, sound_values(number), {"config": "seed: 1\n" * 20, "raw": bytes(range(99)), **slots}, sync=False)
        save(paths[2], sound_values(0), None, sync=False)
        with h5py.File(paths[3], "w") as file:
            for name, value in old_values().items():
                packed = {"compression": "gzip", "chunks": value.shape} if value.ndim == 2 else {}
                file.create_dataset(name.replace("/", " ") + ":0", data=value, **packed)
            file["<tf_version>"] = "1.8.0"
        self.one, self.two, self.plain, self.old = (path.read_bytes() for path in paths)

    def make(self, number: int) -> Mutant:
        dice = random.Random(number)
        kind = dice.choices(("ours", "forged", "foreign", "stripped"), (40, 45, 10, 5))[0]
        if kind == "foreign":
            return Mutant(damaged(self.old, dice, 0, len(self.old)), False, "foreign")
        source = dice.choice((self.one, self.plain))
        if kind == "stripped":  # a header that is no longer recognised
            content = bytearray(source)
            content[dice.randrange(8)] ^= 1 << dice.randrange(8)
            return Mutant(damaged(bytes(content), dice, 0, len(content)), True, "stripped")
        if kind == "ours":
            other = self.two if source is self.one else self.one
            return Mutant(self.broken(source, other, dice), True, "broken")
        return Mutant(forged(source, dice), True, "forged")

    def broken(self, source: bytes, other: bytes, dice: random.Random) -> bytes:
        way = dice.randrange(5)
        if way == 0:
            return source[: dice.randrange(len(source))]
        if way == 1:
            return source + dice.randbytes(dice.randrange(1, 5000))
        if way == 2:  # the head of one on the body of the other
            at = dice.choice((512, 1024, dice.randrange(len(source))))
            return other[:at] + source[at:]
        return damaged(source, dice, 0, len(source))


def damaged(source: bytes, dice: random.Random, start: int, stop: int) -> bytes:
    """A few bits, a run of bytes, or a number of the structure."""
    content, way = bytearray(source), dice.randrange(3)
    if way == 0:
        for _ in range(dice.choice((1, 1, 1, 3, 40))):
            content[dice.randrange(start, stop)] ^= 1 << dice.randrange(8)
    elif way == 1:
        at, length = dice.randrange(start, stop), dice.choice((1, 4, 8, 64, 600))
        content[at : at + length] = dice.randbytes(min(length, len(content) - at))
    else:
        size = dice.choice((1, 2, 4, 8))
        at = min(dice.randrange(start, stop), len(content) - size)
        content[at : at + size] = (dice.choice(EVIL) % 256**size).to_bytes(size, "little")
    return bytes(content)


def forged(source: bytes, dice: random.Random) -> bytes:
    """Changed where no numbers lie, and sealed again."""
    header = header_of(source)
    gaps = header.gaps()
    content = source
    for _ in range(dice.choice((1, 1, 2, 5))):
        at, length = dice.choices(gaps, [size for _, size in gaps])[0]
        content = damaged(content, dice, at, at + length)
    mended = bytearray(content)  # a run of bytes may have reached into numbers: those stay as they were
    for region in header.regions:
        mended[region.offset : region.offset + region.num_bytes] = source[
            region.offset : region.offset + region.num_bytes
        ]
    return sealed(bytes(mended), header.regions)
