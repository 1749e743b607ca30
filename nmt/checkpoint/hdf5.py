"""Reads the structure of our own HDF5 files, and of no others.

A digest shows that a file is whole, not who made it, and the HDF5 library was not written for hostile bytes. What we
write is the plainest part of the format (HDF5 File Format Specification, version 1.0 structures): superblock 0, one
old-style group, contiguous datasets of plain numbers. That much is read here, every field checked; whatever else
HDF5 knows is refused by its name. Numbers are not read here, only where they lie.

A = address relative to the end of our header, as HDF5 has it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from nmt.checkpoint.hdf5_dataset import NOWHERE, Dataset, describe
from nmt.checkpoint.header import LARGEST_STRUCTURE, Header, ReadAt
from nmt.checkpoint.names import LONGEST_KEY
from nmt.checkpoint.refusals import damaged, not_allowed
from nmt.errors import CheckpointError

# The library's own limits for the files that we write; they also bound what a hostile file can make us do.
LEAF_LINKS, NODE_CHILDREN = 4, 16  # half of the most that a leaf and a node of the tree hold
MOST_MESSAGES, LARGEST_OBJECT = 64, 1 << 16
MOST_PARTS = 200_000

_SUPERBLOCK = struct.Struct("<8s8BHHIQQQQ QQII QQ")
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_VERSIONS = (0, 0, 0, 0, 0, 8, 8, 0)  # of superblock, free space, root, shared messages; sizes of address and length
_SYMBOL = struct.Struct("<QQII16s")
_HEADER = struct.Struct("<BBHII4x")
_MESSAGE = struct.Struct("<HHB3x")

_NIL, _MORE, _GROUP = 0, 16, 17


def read_structure(path: Path, header: Header, read_at: ReadAt) -> dict[str, Dataset]:
    """Key -> dataset, sorted by key, of a file whose header has been checked. Raises CheckpointError."""
    walk = _Structure(path, header, read_at)
    try:
        return walk.datasets()
    except struct.error:
        raise walk.broken("a part of the wrong size") from None


class _Structure:
    """One walk over the structure. Sizes are checked before anything is read, and no address is visited twice."""

    def __init__(self, path: Path, header: Header, read_at: ReadAt) -> None:
        self.path, self.header, self.read_at = path, header, read_at
        self.base, self.end = header.num_bytes, header.file_bytes - header.num_bytes
        self.seen: set[int] = set()

    def datasets(self) -> dict[str, Dataset]:
        tree_A, heap_A = self.root()
        heap = self.heap(heap_A)
        found: dict[str, Dataset] = {}
        for name_at, object_A, link in self.symbols(tree_A, depth=0):
            key = self.name(heap, name_at)
            if link == 2:
                raise not_allowed(self.path, f"the soft link {key!r}")
            if key in found:
                raise not_allowed(self.path, f"two links named {key!r}")
            found[key] = self.dataset(key, object_A)
        return dict(sorted(found.items()))

    def bytes_at(self, address: int, num_bytes: int) -> bytes:
        if address + num_bytes > self.end or num_bytes > LARGEST_STRUCTURE:
            raise self.broken("an address outside the file")
        return self.read_at(self.base + address, num_bytes)

    def broken(self, found: str) -> CheckpointError:
        return damaged(self.path, f"{found} in its HDF5 structure")

    def enter(self, address: int) -> None:
        if address in self.seen:
            raise not_allowed(self.path, "a cycle, or two names for one thing,")
        self.seen.add(address)
        if len(self.seen) > MOST_PARTS:
            raise self.broken("more parts than a checkpoint has")

    def root(self) -> tuple[int, int]:
        """Addresses of the tree of links and of the heap of names."""
        fields = _SUPERBLOCK.unpack(self.bytes_at(0, _SUPERBLOCK.size))
        signature, versions, (leaf, node, flags), (base, free, end, driver) = (
            fields[0],
            fields[1:9],
            fields[9:12],
            fields[12:16],
        )
        if signature != _SIGNATURE or versions != _VERSIONS or free != NOWHERE or driver != NOWHERE:
            raise self.broken("another kind of superblock")
        if (leaf, node, flags) != (LEAF_LINKS, NODE_CHILDREN, 0):
            raise self.broken("another kind of tree")
        if base != self.base or end != self.header.file_bytes:
            raise self.broken("a base or an end of file that is not its own,")
        _, root_A, link, _, tree_A, heap_A = fields[16:22]
        messages = [message for message in self.messages(root_A) if message[0] != _NIL]
        if link != 1 or messages != [(_GROUP, struct.pack("<QQ", tree_A, heap_A))]:
            raise not_allowed(self.path, "a root that is not one plain group,")
        return tree_A, heap_A

    def heap(self, address: int) -> bytes:
        signature, version, size, _, data_A = struct.unpack("<4sB3xQQQ", self.bytes_at(address, 32))
        if signature != b"HEAP" or version != 0:
            raise self.broken("another kind of heap")
        return self.bytes_at(data_A, size)

    def name(self, heap: bytes, at: int) -> str:
        stop = heap.find(b"\0", at, at + LONGEST_KEY + 1)
        try:
            key = heap[at:stop].decode() if at < stop else ""
        except UnicodeDecodeError:
            key = ""
        if not key or "/" in key or key == ".":
            raise self.broken("a name that is none")
        return key

    def symbols(self, address: int, depth: int) -> Iterator[tuple[int, int, int]]:
        """(offset of the name in the heap, address of the object, kind of link) of every link, through the B-tree."""
        self.enter(address)
        if depth > 8:
            raise self.broken("a tree too deep")
        signature, kind, level, used = struct.unpack("<4sBBH", self.bytes_at(address, 8))
        if signature != b"TREE" or kind != 0 or used > 2 * NODE_CHILDREN:
            raise self.broken("another kind of tree")
        for _, child_A in struct.iter_unpack("<QQ", self.bytes_at(address + 24, used * 16)):
            if level:
                yield from self.symbols(child_A, depth + 1)
            else:
                yield from self.leaf(child_A)

    def leaf(self, address: int) -> Iterator[tuple[int, int, int]]:
        self.enter(address)
        signature, version, used = struct.unpack("<4sBxH", self.bytes_at(address, 8))
        if signature != b"SNOD" or version != 1 or used > 2 * LEAF_LINKS:
            raise self.broken("another kind of leaf")
        for name_at, object_A, link, _, _ in _SYMBOL.iter_unpack(self.bytes_at(address + 8, used * _SYMBOL.size)):
            yield name_at, object_A, link

    def messages(self, address: int) -> Iterator[tuple[int, bytes]]:
        """(type, body) of each message of an object header, through its continuations."""
        self.enter(address)
        version, _, count, references, size = _HEADER.unpack(self.bytes_at(address, _HEADER.size))
        if version != 1 or references != 1:
            raise not_allowed(self.path, "an object with several names or of another version")
        if count > MOST_MESSAGES or size > LARGEST_OBJECT:
            raise self.broken("an object too large")
        blocks = [(address + _HEADER.size, size)]
        while blocks:
            block_A, left = blocks.pop(0)
            block, at = self.bytes_at(block_A, left), 0
            while at + _MESSAGE.size <= left and count:
                kind, length, flags = _MESSAGE.unpack_from(block, at)
                body = block[at + _MESSAGE.size : at + _MESSAGE.size + length]
                if len(body) != length or flags & 2:
                    raise self.broken("a message cut off or shared")
                at, count = at + _MESSAGE.size + length, count - 1
                if kind == _MORE:
                    more_A, more = struct.unpack("<QQ", body)
                    self.enter(more_A)
                    if more > LARGEST_OBJECT:
                        raise self.broken("an object too large")
                    blocks.append((more_A, more))
                else:
                    yield kind, body

    def dataset(self, key: str, address: int) -> Dataset:
        return describe(self.path, key, list(self.messages(address)), self.base)
