"""What is never loaded: broken files, and whole files with something in them that a checkpoint does not hold.

Forged files have right digests; foreign ones have no header of ours and are opened in a child process.
"""

from __future__ import annotations

import os
import struct
import sys
import time
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from nmt.checkpoint import foreign
from nmt.checkpoint.file import load, read_extras, read_parameters, save, verify
from nmt.checkpoint.header import Region
from nmt.errors import CheckpointError
from tests.unit.checkpoint_tools import blank, forge, forge_with_h5py, header_of, saved, sealed

WHOLE = "expected a checkpoint exactly as it was written; take another copy of it, or another checkpoint of the run."
PLAIN = (
    "expected arrays of numbers stored in the file itself, one dataset each, at the root; "
    "do not load it unless you know who made it; save it anew with this project."
)
KIND = "expected an HDF5 checkpoint; name a file such as checkpoints/best.h5 of a run folder."


def refusal(path: Path) -> str:
    """The sentence with which every way of reading refuses a file, without its name; nothing is assigned."""
    module = blank()
    sentences = set()
    for call in (verify, read_parameters, read_extras, lambda p: load(p, module)):
        with pytest.raises(CheckpointError) as caught:
            call(path)
        assert caught.value.place == str(path)
        sentences.add(str(caught.value).removeprefix(f"{path}: "))
    assert module.num_assigned() == 0
    assert len(sentences) == 1
    return sentences.pop()


# Files that are no checkpoints.


def test_a_file_that_is_not_there(tmp_path):
    expected = "expected a checkpoint that can be read; name a file such as checkpoints/best.h5 of a run folder."
    assert refusal(tmp_path / "no.h5") == "found no such file or directory, " + expected
    assert refusal(tmp_path) == "found a folder, " + expected


@pytest.mark.parametrize(
    ("content", "found"),
    [(b"", "an empty file"), (b"PK\x03\x04 a model", "a file that is not HDF5"), (b"x", "a file that is not HDF5")],
)
def test_another_kind_of_file(tmp_path, content, found):
    (tmp_path / "a.h5").write_bytes(content)
    assert refusal(tmp_path / "a.h5") == f"found {found}, {KIND}"


def test_hdf5_cut_off(tmp_path):
    (tmp_path / "a.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(20))
    sentence = refusal(tmp_path / "a.h5")
    assert sentence.startswith("found a broken HDF5 file (OSError: ")
    assert sentence.endswith(KIND)


# Our own files, broken.


@pytest.mark.parametrize("size", [8, 47, 48, 511, 600, 3000, -1])
def test_a_file_cut_off(tmp_path, size):
    data = saved(tmp_path / "a.h5").read_bytes()
    (tmp_path / "a.h5").write_bytes(data[:size])
    size = size if size > 0 else len(data) - 1
    found = (
        f"a file of {size} bytes, cut off in its header"
        if size < 48
        else f"{size:,} bytes where {len(data):,} were written"
    )
    assert refusal(tmp_path / "a.h5") == f"found {found}, {WHOLE}"


def test_a_file_with_more_at_its_end(tmp_path):
    data = saved(tmp_path / "a.h5").read_bytes()
    (tmp_path / "a.h5").write_bytes(data + b"\0")
    assert f"found {len(data) + 1:,} bytes where {len(data):,} were written" in refusal(tmp_path / "a.h5")


def test_a_newer_format(tmp_path):
    data = bytearray(saved(tmp_path / "a.h5").read_bytes())
    data[8] = 2
    (tmp_path / "a.h5").write_bytes(data)
    assert refusal(tmp_path / "a.h5") == (
        "found format version 2, expected format version 1; "
        "use the release of this project that wrote it, or take another copy if it was no newer one."
    )


@pytest.mark.parametrize(
    ("at", "found"),
    [
        (13, "a damaged header"),  # its size
        (18, "a damaged header"),  # number of regions
        (20, "a damaged header"),  # reserved
        (40, "bytes that do not match the digest in its header"),  # the digest itself
        (48, "bytes that do not match the digest in its header"),  # offset of the first region
        (52, "a damaged table of digests"),  # the same, out of the file now
        (70, "bytes that do not match the digest in its header"),  # digest of the first region
        (-40 + 512, "bytes that do not match the digest in its header"),  # unused part of the header
        (600, "bytes that do not match the digest in its header"),  # HDF5's structure
    ],
)
def test_a_changed_byte_in_header_or_structure(tmp_path, at, found):
    data = bytearray(saved(tmp_path / "a.h5").read_bytes())
    data[at] ^= 0x80
    (tmp_path / "a.h5").write_bytes(data)
    assert refusal(tmp_path / "a.h5") == f"found {found}, {WHOLE}"


def test_a_changed_number(tmp_path):
    data = bytearray(saved(tmp_path / "a.h5").read_bytes())
    data[data.rindex(np.float32(0.5).tobytes())] ^= 1
    (tmp_path / "a.h5").write_bytes(data)
    for call in (verify, read_parameters, lambda path: load(path, blank())):
        with pytest.raises(CheckpointError, match="numbers at 'scale' that do not match their digest, " + WHOLE[:-1]):
            call(tmp_path / "a.h5")
    assert read_extras(tmp_path / "a.h5")["config"] == "seed: 1\n"  # which is whole


def test_a_file_that_lost_its_header(tmp_path):
    data = saved(tmp_path / "a.h5").read_bytes()
    (tmp_path / "a.h5").write_bytes(data[header_of(data).num_bytes :])
    assert refusal(tmp_path / "a.h5") == f"found a file of this project that has lost its header, {WHOLE}"


# Our own files, forged: the digests are right.

TEXT = h5py.string_dtype()
FORGED_WITH_H5PY = {
    "soft link": (lambda f: f.__setitem__("x", h5py.SoftLink("/scale")), "the soft link 'x'", PLAIN),
    "dangling link": (lambda f: f.__setitem__("x", h5py.SoftLink("/nowhere")), "the soft link 'x'", PLAIN),
    "external link": (lambda f: f.__setitem__("x", h5py.ExternalLink("/etc/passwd", "/")), None, PLAIN),
    "hard link": (
        lambda f: f.__setitem__("x", f["scale"]),
        "an object with several names or of another version",
        PLAIN,
    ),
    "cycle": (lambda f: f.__setitem__("x", f["/"]), "an object with several names or of another version", PLAIN),
    "group": (lambda f: f.create_group("x"), "a group at 'x'", PLAIN),
    "named type": (lambda f: f.__setitem__("x", np.dtype("f4")), "something other than a dataset at 'x'", PLAIN),
    "chunks": (lambda f: f.create_dataset("x", data=np.ones(9), chunks=(3,)), "a dataset in chunks at 'x'", PLAIN),
    "gzip": (
        lambda f: f.create_dataset("x", data=np.zeros(9), compression="gzip"),
        "a dataset behind a filter (compression) at 'x'",
        PLAIN,
    ),
    "bomb": (
        lambda f: f.create_dataset("x", shape=(1 << 40,), dtype="f4", chunks=(1 << 20,), compression="gzip"),
        "a dataset behind a filter (compression) at 'x'",
        PLAIN,
    ),
    "external data": (
        lambda f: f.create_dataset("x", shape=(4,), dtype="u1", external=[("/etc/passwd", 0, 4)]),
        "a dataset stored in external files at 'x'",
        PLAIN,
    ),
    "variable length": (lambda f: f.__setitem__("x", "text"), "variable-length records at 'x'", PLAIN),
    "compound": (lambda f: f.__setitem__("x", np.zeros(2, "f4,i4")), "compound records at 'x'", PLAIN),
    "truth values": (lambda f: f.__setitem__("x", np.array([True])), "enumerations at 'x'", PLAIN),
    "fixed text": (lambda f: f.__setitem__("x", np.bytes_(b"abc")), "text at 'x'", PLAIN),
    "opaque": (lambda f: f.__setitem__("x", np.void(b"abcd")), "opaque bytes at 'x'", PLAIN),
    "reference": (lambda f: f.__setitem__("x", f["scale"].ref), "references at 'x'", PLAIN),
    "big-endian": (lambda f: f.__setitem__("x", np.zeros(2, ">f4")), "numbers of another layout at 'x'", PLAIN),
    "complex": (lambda f: f.__setitem__("x", np.zeros(2, complex)), "compound records at 'x'", PLAIN),
    "attribute": (lambda f: f["scale"].attrs.__setitem__("note", 1), "an unknown attribute at 'scale'", PLAIN),
    "two attributes": (
        lambda f: f["<config>"].attrs.__setitem__("note", 1),
        "an unknown part (HDF5 message 12) at '<config>'",
        PLAIN,
    ),
    "attribute of the root": (lambda f: f.attrs.__setitem__("note", 1), "a root that is not one plain group,", PLAIN),
    "growing": (
        lambda f: f.create_dataset("x", shape=(0,), maxshape=(None,), dtype="f4"),
        "a dataset that can grow at 'x'",
        PLAIN,
    ),
    "no digest": (lambda f: f.__setitem__("x", np.ones(2)), "'x' in a place that has no digest", WHOLE),
    "nothing stored": (
        lambda f: f.create_dataset("x", shape=(1 << 40,), dtype="f4"),
        "'x' in a place that has no digest",
        WHOLE,
    ),
    "unknown kind": (
        lambda f: f["scale"].attrs.__setitem__("type", np.bytes_(b"pickle")),
        "the unknown type 'pickle' at 'scale'",
        WHOLE,
    ),
    "wrong kind": (
        lambda f: f["scale"].attrs.__setitem__("type", np.bytes_(b"bfloat16")),
        "float32 numbers as bfloat16 at 'scale'",
        WHOLE,
    ),
    "deleted": (lambda f: f.__delitem__("scale"), "a digest of something that is no dataset", WHOLE),
    "renamed": (lambda f: f.move("scale", "other"), "<digests> that differ from those in its header", WHOLE),
    "no version": (lambda f: f.__delitem__("<tf_version>"), None, WHOLE),
}


@pytest.mark.parametrize("case", FORGED_WITH_H5PY)
def test_forged_with_the_library(tmp_path, case):
    edit, found, expected = FORGED_WITH_H5PY[case]
    forge_with_h5py(saved(tmp_path / "a.h5"), edit)
    sentence = refusal(tmp_path / "a.h5")
    assert sentence.endswith(expected)
    if found is not None:
        assert found in sentence


def test_a_virtual_dataset(tmp_path):
    def edit(file: h5py.File) -> None:
        layout = h5py.VirtualLayout(shape=(4,), dtype="f4")
        layout[:] = h5py.VirtualSource("other.h5", "x", shape=(4,))
        file.create_virtual_dataset("x", layout)

    forge_with_h5py(saved(tmp_path / "a.h5"), edit)
    assert "found a virtual dataset at 'x'" in refusal(tmp_path / "a.h5")


def test_a_compact_dataset(tmp_path):
    def edit(file: h5py.File) -> None:
        create = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        create.set_layout(h5py.h5d.COMPACT)
        h5py.h5d.create(file.id, b"x", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((2,)), create)

    forge_with_h5py(saved(tmp_path / "a.h5"), edit)
    assert "found a compact dataset at 'x'" in refusal(tmp_path / "a.h5")


def test_numbers_shared_by_two_datasets(tmp_path):
    """Both addresses are those of a region, but a region has one dataset."""
    path = saved(tmp_path / "a.h5", {"a": np.arange(3.0), "b": np.arange(3.0) + 7})

    def edit(data: bytearray) -> None:
        size = header_of(bytes(data)).num_bytes
        first, second = (data.index(numbers.tobytes()) - size for numbers in (np.arange(3.0), np.arange(3.0) + 7))
        at = data.index(struct.pack("<QQ", second, 24), size)
        data[at : at + 8] = struct.pack("<Q", first)

    forge(path, edit)
    assert "'<b>' in a place that has no digest" in refusal(path)


def test_regions_that_lie_outside_or_over_each_other(tmp_path):
    data = saved(tmp_path / "a.h5").read_bytes()
    regions = header_of(data).regions
    for wrong in (
        [*regions[:-1], Region(len(data) + 8, 8, bytes(16))],
        [regions[0], *regions[:-1]],
        [Region(0, 8, bytes(16)), *regions[1:]],
        [Region(regions[0].offset, 0, bytes(16)), *regions[1:]],
        [Region(regions[0].offset, 2**64 - 1, bytes(16)), *regions[1:]],
    ):
        (tmp_path / "a.h5").write_bytes(sealed(data, wrong))
        assert refusal(tmp_path / "a.h5") == f"found a damaged table of digests, {WHOLE}"


def test_a_structure_without_end_is_not_read(tmp_path):
    """A sparse gigabyte that no region covers takes neither time nor memory."""
    path = saved(tmp_path / "a.h5")
    data = bytearray(path.read_bytes())
    data[24:32] = struct.pack("<Q", 1 << 30)
    path.write_bytes(data)
    os.truncate(path, 1 << 30)
    started = time.perf_counter()
    assert "bytes that belong to no dataset" in refusal(path)
    assert time.perf_counter() - started < 30


def _superblock(data: bytearray) -> int:
    return header_of(bytes(data)).num_bytes


def _tree(data: bytearray) -> int:
    return data.index(b"TREE")


def _leaf(data: bytearray) -> int:
    return data.index(b"SNOD")


def _put(place, at: int, code: str, *values: int):
    def edit(data: bytearray) -> None:
        struct.pack_into(code, data, place(data) + at, *values)

    return edit


def _tree_of_itself(data: bytearray) -> None:
    """Level 1, and its first child is itself."""
    tree = _tree(data)
    data[tree + 5] = 1
    struct.pack_into("<Q", data, tree + 32, tree - _superblock(data))


FORGED_BYTES = {
    "signature": (_put(_superblock, 0, "<B", 0), "another kind of superblock in its HDF5 structure"),
    "superblock version": (_put(_superblock, 8, "<B", 2), "another kind of superblock in its HDF5 structure"),
    "leaf size": (_put(_superblock, 16, "<H", 9999), "another kind of tree in its HDF5 structure"),
    "base address": (
        _put(_superblock, 24, "<Q", 0),
        "a base or an end of file that is not its own, in its HDF5 structure",
    ),
    "driver": (_put(_superblock, 48, "<Q", 8), "another kind of superblock in its HDF5 structure"),
    "root": (_put(_superblock, 64, "<Q", 1 << 60), "an address outside the file in its HDF5 structure"),
    "heap": (lambda data: data.__setitem__(data.index(b"HEAP"), 0), "another kind of heap in its HDF5 structure"),
    "heap size": (_put(lambda data: data.index(b"HEAP"), 8, "<Q", 1 << 40), "an address outside the file"),
    "tree": (_put(_tree, 0, "<B", 0), "another kind of tree in its HDF5 structure"),
    "tree fan": (_put(_tree, 6, "<H", 60000), "another kind of tree in its HDF5 structure"),
    "cycle": (_tree_of_itself, "a cycle, or two names for one thing,"),
    "leaf": (_put(_leaf, 4, "<B", 7), "another kind of leaf in its HDF5 structure"),
    "leaf fan": (_put(_leaf, 6, "<H", 60000), "another kind of leaf in its HDF5 structure"),
    "name": (_put(_leaf, 8, "<Q", 1 << 50), "a name that is none in its HDF5 structure"),
    "object": (_put(_leaf, 16, "<Q", 1 << 50), "an address outside the file in its HDF5 structure"),
    "soft link": (_put(_leaf, 24, "<I", 2), "the soft link '<config>'"),
    "same object": (
        lambda data: struct.pack_into("<Q", data, _leaf(data) + 56, *struct.unpack_from("<Q", data, _leaf(data) + 16)),
        "a cycle, or two names for one thing,",
    ),
    "same name": (
        lambda data: struct.pack_into("<Q", data, _leaf(data) + 48, *struct.unpack_from("<Q", data, _leaf(data) + 8)),
        "two links named '<config>'",
    ),
}


@pytest.mark.parametrize("case", FORGED_BYTES)
def test_forged_bytes(tmp_path, case):
    edit, found = FORGED_BYTES[case]
    forge(saved(tmp_path / "a.h5"), edit)
    assert f"found {found}" in refusal(tmp_path / "a.h5")


def _object(data: bytearray, key: bytes) -> int:
    """Where the object header of the first dataset of a leaf begins."""
    size = header_of(bytes(data)).num_bytes
    heap = data.index(b"HEAP")
    (names,) = struct.unpack_from("<Q", data, heap + 24)
    for leaf in range(len(data)):
        if data[leaf : leaf + 4] == b"SNOD":
            for at in range(leaf + 8, leaf + 8 + 40 * data[leaf + 6], 40):
                name, address = struct.unpack_from("<QQ", data, at)
                if data[size + names + name :].startswith(key + b"\0"):
                    return size + address
    raise KeyError(key)


def _message(data: bytearray, key: bytes, kind: int) -> int:
    """Where the body of a message of an object begins."""
    at = _object(data, key) + 16
    while True:
        found, size = struct.unpack_from("<HH", data, at)
        if found == kind:
            return at + 8
        at += 8 + size


def _in(key: bytes, kind: int, at: int, code: str, *values: int):
    return _put(lambda data: _message(data, key, kind), at, code, *values)


FORGED_DATASETS = {
    "rank": (_in(b"scale", 1, 1, "<B", 200), "another kind of shape at 'scale'"),
    "larger shape": (
        _in(b"decoder table", 1, 8, "<QQQQ", 5, 2, 5, 2),
        "32 bytes for an array of shape (5, 2) and type float32 at 'decoder table'",
    ),
    "huge shape": (
        _in(b"decoder table", 1, 8, "<QQQQ", 0, 1 << 63, 0, 1 << 63),
        "the shape (0, 9223372036854775808) at 'decoder table'",
    ),
    "can grow": (_in(b"decoder table", 1, 24, "<Q", 2**64 - 1), "a dataset that can grow at 'decoder table'"),
    "another type": (_in(b"scale", 3, 9, "<B", 9), "numbers of another layout at 'scale'"),
    "address": (_in(b"scale", 8, 2, "<Q", 8), "'scale' in a place that has no digest"),
    "size": (_in(b"scale", 8, 10, "<Q", 8), "8 bytes for an array of shape () and type float32 at 'scale'"),
    "layout version": (_in(b"scale", 8, 0, "<B", 4), "an unknown layout at 'scale'"),
    "message": (
        _put(lambda data: _message(data, b"scale", 5) - 8, 0, "<H", 22),
        "an unknown part (HDF5 message 22) at",
    ),
    "filter": (
        _put(lambda data: _message(data, b"scale", 5) - 8, 0, "<H", 11),
        "a dataset behind a filter (compression) at 'scale'",
    ),
    "references": (_put(lambda data: _object(data, b"scale"), 4, "<I", 2), "an object with several names"),
    "messages": (_put(lambda data: _object(data, b"scale"), 2, "<H", 999), "an object too large"),
    "block": (_put(lambda data: _object(data, b"scale"), 8, "<I", 1 << 20), "an object too large"),
    "message size": (
        _put(lambda data: _message(data, b"scale", 5) - 8, 2, "<H", 65000),
        "a message cut off or shared in its HDF5 structure",
    ),
    "shared": (_put(lambda data: _message(data, b"scale", 3) - 8, 4, "<B", 2), "a message cut off or shared"),
    "kind of text": (
        lambda data: data.__setitem__(slice(*_span(data, b"text")), b"int\0"),
        "uint8 numbers as int at '<config>'",
    ),
    "rank of text": (
        lambda data: data.__setitem__(slice(*_span(data, b"text")), b"bool"),
        None,
    ),
}


def _span(data: bytearray, text: bytes) -> tuple[int, int]:
    at = data.index(text, _message(data, b"<config>", 12))
    return at, at + len(text)


@pytest.mark.parametrize("case", FORGED_DATASETS)
def test_forged_datasets(tmp_path, case):
    edit, found = FORGED_DATASETS[case]
    path = saved(tmp_path / "a.h5")
    forge(path, edit)
    if found is None:  # bytes of text are no truth values, which only those notice who read them
        with pytest.raises(CheckpointError, match="truth values other than 0 and 1 at '<config>'"):
            read_extras(path)
        with pytest.raises(CheckpointError, match="truth values other than 0 and 1 at '<config>'"):
            verify(path)
    else:
        assert f"found {found}" in refusal(path)


def test_forged_text_that_is_not_utf8(tmp_path):
    path = saved(tmp_path / "a.h5")
    forge(path, lambda data: data.__setitem__(data.index(b"seed: 1\n"), 0xFF))
    for call in (read_extras, verify):  # <digests> would differ as well, but not a file forged with more care
        with pytest.raises(CheckpointError, match="digests> that differ from those in its header"):
            call(path)


# Foreign files, in a child process.


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout(shape=(4,), dtype="f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", shape=(4,))
    file.create_virtual_dataset("x", layout)


FOREIGN = {
    "soft link": (lambda f: f.__setitem__("x", h5py.SoftLink("/a")), "the soft link 'x'"),
    "external link": (lambda f: f.__setitem__("x", h5py.ExternalLink("/etc/passwd", "/")), "the external link 'x'"),
    "cycle": (lambda f: f.__setitem__("x", f["/"]), "the group 'x'"),
    "group": (lambda f: f.create_group("x"), "the group 'x'"),
    "named type": (lambda f: f.__setitem__("x", np.dtype("f4")), "the named type 'x'"),
    "virtual": (virtual, "the virtual dataset 'x'"),
    "external data": (
        lambda f: f.create_dataset("x", shape=(4,), dtype="u1", external=[("/etc/passwd", 0, 4)]),
        "the externally stored dataset 'x'",
    ),
    "filter": (lambda f: f.create_dataset("x", data=np.zeros(9), compression="lzf"), "the filter lzf at 'x'"),
    "variable length": (lambda f: f.__setitem__("x", "text"), "string elements at 'x'"),
    "fixed text": (lambda f: f.__setitem__("x", np.bytes_(b"t")), "string elements at 'x'"),
    "list of versions": (lambda f: f.create_dataset("<tf_version>", data=["1", "2"], dtype=TEXT), "string elements at"),
    "compound": (lambda f: f.__setitem__("x", np.zeros(2, "f4,i4")), "compound elements at 'x'"),
    "truth values": (lambda f: f.__setitem__("x", np.array([True])), "enum elements at 'x'"),
    "bomb": (
        lambda f: f.create_dataset("x", shape=(1 << 28,), dtype="f4", chunks=(1 << 20,), compression="gzip"),
        "1,073,741,8",
    ),
    "nothing stored": (
        lambda f: f.create_dataset("x", shape=(100,), dtype="f4"),
        "a dataset without its numbers at 'x'",
    ),
    "null": (lambda f: f.create_dataset("x", dtype="f4", data=h5py.Empty("f4")), "a dataset without a shape at 'x'"),
    "long version": (lambda f: f.__setitem__("<tf_version>", "1" * 100), "a version of 100 bytes"),
}


@pytest.mark.parametrize("case", FOREIGN)
def test_foreign(tmp_path, case):
    edit, found = FOREIGN[case]
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file["a"] = np.arange(3.0)
        edit(file)
    with pytest.raises(CheckpointError) as caught:
        read_parameters(tmp_path / "f.h5")
    assert found in str(caught.value)


def test_two_foreign_names_for_one_variable(tmp_path):
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file["a"], file["a:0"] = 1.0, 2.0
    assert f"found two datasets for 'a', {WHOLE}" in refusal(tmp_path / "f.h5")


CHILDREN = {
    "crash": ("import os; os.abort()", "found a file on which the HDF5 library fails"),
    "silence": ("import time; time.sleep(60)", "found a file that takes longer to open than a checkpoint does"),
    "spin": ("while True: pass", "found a file"),
    "chatter": ("while True: print('x' * 9999, end='')", "found names without end"),
    "lie": (
        'print(\'{"plan": [["a", "<f4", [9], 0]]}\', flush=True)',
        "found numbers outside the file at 'a'",
    ),
    "nonsense": ('print(\'{"plan": [["a", "O", [9], 0]]}\', flush=True)', "found the shape (9,) at 'a'"),
    "half": (
        'print(\'{"plan": [["a", "<f4", [2], -1]]}\\nabcd\', end=\'\', flush=True)',
        "found a file on which the HDF5",
    ),
}


@pytest.mark.parametrize("case", CHILDREN)
def test_whatever_the_child_does_the_parent_goes_on(tmp_path, monkeypatch, case):
    code, found = CHILDREN[case]
    (tmp_path / "child.py").write_text(code)
    monkeypatch.setattr(foreign, "CHILD", tmp_path / "child.py")
    monkeypatch.setattr(foreign, "SECONDS", 0.5)
    monkeypatch.setattr(foreign, "PATIENCE", 1 if case in ("silence", "spin") else 240)  # a busy machine starts late
    monkeypatch.setattr(foreign, "LONGEST_PLAN", 1 << 20)
    (tmp_path / "f.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(20))
    started = time.perf_counter()
    with pytest.raises(CheckpointError) as caught:
        read_parameters(tmp_path / "f.h5")
    assert found in str(caught.value)
    assert time.perf_counter() - started < 30


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS is Linux's")
def test_the_child_has_little_memory(tmp_path, monkeypatch):
    """One chunk as large as all its memory, which has to be whole there, does not fit."""
    monkeypatch.setattr(foreign, "MEMORY", 1 << 28)
    monkeypatch.setattr(foreign, "ROOM", 1 << 40)
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file.create_dataset("x", shape=(1 << 28,), dtype="u1", chunks=(1 << 28,), compression=1)
        file["x"][0] = 1
    with pytest.raises(CheckpointError, match=r"more memory|broken HDF5 file|library fails"):
        read_parameters(tmp_path / "f.h5")


def test_a_header_larger_than_its_table_needs_is_refused(tmp_path):
    data = saved(tmp_path / "a.h5").read_bytes()
    header = header_of(data)
    moved = tuple(replace(region, offset=region.offset + header.num_bytes) for region in header.regions)
    wider = replace(header, num_bytes=2 * header.num_bytes, regions=moved)
    (tmp_path / "a.h5").write_bytes(sealed(wider.pack() + data[header.num_bytes :]))
    with pytest.raises(CheckpointError, match="a damaged header"):
        read_parameters(tmp_path / "a.h5")


def test_numbers_do_not_count_as_bytes_of_no_dataset(tmp_path, monkeypatch):
    """A file of any size is read; what is bounded is what lies between its numbers."""
    save(tmp_path / "a.h5", {"x": np.zeros(50_000, np.float32), "y": np.ones(50_000, np.float32)}, {})
    size = (tmp_path / "a.h5").stat().st_size
    monkeypatch.setattr("nmt.checkpoint.header.LARGEST_STRUCTURE", size - 400_000)
    assert read_parameters(tmp_path / "a.h5").keys() == {"x", "y"}
    monkeypatch.setattr("nmt.checkpoint.header.LARGEST_STRUCTURE", 1_000)
    with pytest.raises(CheckpointError, match="bytes that belong to no dataset"):
        read_parameters(tmp_path / "a.h5")
