"""The block before the HDF5 part: how long the file is, and digests of all of it. FORMAT.md has the table of bytes.

Every byte of the file is under one digest. The numbers of each dataset have their own, so that they are read and
checked in one pass; the digests and whatever lies between the numbers have the structure digest.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import xxhash

from nmt.checkpoint.refusals import damaged
from nmt.errors import CheckpointError

MAGIC = b"\x89NMT\r\n\x1a\n"
VERSION = 1
DIGEST_BYTES = 16
MOST_DATASETS = 50_000
LARGEST_STRUCTURE = 1 << 26  # bytes that are not numbers; a model of a thousand variables has half a million

_FIXED = struct.Struct("<8sIIIIQ16s")
_REGION = struct.Struct("<QQ16s")
_DIGEST_AT = _FIXED.size - DIGEST_BYTES

ReadAt = Callable[[int, int], bytes]  # (offset, number of bytes) -> exactly these bytes


@dataclass(frozen=True)
class Region:
    """Where the numbers of one dataset lie in the file, and their XXH3-128."""

    offset: int
    num_bytes: int
    digest: bytes


@dataclass(frozen=True)
class Header:
    """The block itself. `structure` is the digest of all bytes outside the regions, with itself as zeros."""

    num_bytes: int  # of the header: 512 or more, a power of two, as HDF5 asks of a user block
    file_bytes: int
    regions: tuple[Region, ...]  # by offset
    structure: bytes = bytes(DIGEST_BYTES)

    def pack(self) -> bytes:
        fixed = _FIXED.pack(MAGIC, VERSION, self.num_bytes, len(self.regions), 0, self.file_bytes, self.structure)
        table = b"".join(_REGION.pack(region.offset, region.num_bytes, region.digest) for region in self.regions)
        return (fixed + table).ljust(self.num_bytes, b"\0")

    def gaps(self) -> list[tuple[int, int]]:
        """(offset, number of bytes) of what lies after the header and outside the regions, in order."""
        gaps, at = [], self.num_bytes
        for region in self.regions:
            if region.offset > at:
                gaps.append((at, region.offset - at))
            at = region.offset + region.num_bytes
        if self.file_bytes > at:
            gaps.append((at, self.file_bytes - at))
        return gaps

    def structure_digest(self, read_at: ReadAt) -> bytes:
        packed = bytearray(self.pack())
        packed[_DIGEST_AT : _DIGEST_AT + DIGEST_BYTES] = bytes(DIGEST_BYTES)
        digest = xxhash.xxh3_128(bytes(packed))
        for offset, num_bytes in self.gaps():
            digest.update(read_at(offset, num_bytes))
        return bytes(digest.digest())


def header_bytes(num_regions: int) -> int:
    """The smallest block that holds this many regions."""
    size = 512
    while size < _FIXED.size + num_regions * _REGION.size:
        size *= 2
    return size


def read_header(path: Path, file_bytes: int, read_at: ReadAt) -> Header:
    """The checked header of one of our files; after this every byte outside the regions is as it was written.

    `read_at` may be asked for less than the file has only. Raises CheckpointError.
    """
    if file_bytes < _FIXED.size:
        raise damaged(path, f"a file of {file_bytes} bytes, cut off in its header")
    magic, version, size, num_regions, reserved, length, structure = _FIXED.unpack(read_at(0, _FIXED.size))
    assert magic == MAGIC, "the caller has looked"
    if version != VERSION:
        raise CheckpointError(
            str(path),
            found=f"format version {version}",
            expected=f"format version {VERSION}",
            next_step="use the release of this project that wrote it, or take another copy if it was no newer one",
        )
    if length != file_bytes:
        raise damaged(path, f"{file_bytes:,} bytes where {length:,} were written")
    if num_regions > MOST_DATASETS or reserved != 0 or size != header_bytes(num_regions) or size > file_bytes:
        raise damaged(path, "a damaged header")
    packed = read_at(0, size)
    table = packed[_FIXED.size : _FIXED.size + num_regions * _REGION.size]
    header = Header(size, length, tuple(Region(*row) for row in _REGION.iter_unpack(table)), structure)
    _check_regions(path, header)
    if header.pack() != packed or header.structure_digest(read_at) != structure:
        raise damaged(path, "bytes that do not match the digest in its header")
    return header


def _check_regions(path: Path, header: Header) -> None:
    """In order, apart, within the file, and with little between them: what is read whole is bounded."""
    at, structure = header.num_bytes, header.file_bytes - header.num_bytes
    for region in header.regions:
        if region.offset < at or region.num_bytes == 0 or region.offset + region.num_bytes > header.file_bytes:
            raise damaged(path, "a damaged table of digests")
        at, structure = region.offset + region.num_bytes, structure - region.num_bytes
    if structure > LARGEST_STRUCTURE:
        raise damaged(path, f"{structure:,} bytes that belong to no dataset")
