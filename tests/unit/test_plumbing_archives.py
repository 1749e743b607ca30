"""An `.npz` that is broken is told in one sentence by everything that reads one."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from nmt.checkpoint import commands
from nmt.config.metrics import WmdConfig
from nmt.metrics import trained
from nmt.metrics.vectors import open_vectors
from nmt.metrics.wmd import command

LOCAL, CENTRAL = b"PK\x03\x04", b"PK\x01\x02"
ARRAYS = {"words": np.array(["dog", "cat"]), "vectors": np.arange(8, dtype=np.float32).reshape(2, 4)}


def saved(kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", kind) as archive:
        for name, array in ARRAYS.items():
            entry = io.BytesIO()
            np.lib.format.write_array(entry, array)
            archive.writestr(f"{name}.npy", entry.getvalue())
    return file.getvalue()


def changed(content: bytes, field: int, value: int) -> bytes:
    """All entries with two bytes of their heads set; `field` counts in the first of the two heads of an entry."""
    changed = bytearray(content)
    for mark, start in ((LOCAL, field), (CENTRAL, field + 2)):
        place = content.find(mark)
        while place >= 0:
            changed[place + start : place + start + 2] = value.to_bytes(2, "little")
            place = content.find(mark, place + 1)
    return bytes(changed)


def packed_data_broken() -> bytes:
    """No blocks that deflate knows: zlib.error."""
    content = bytearray(saved())
    for place in (at for at in range(len(content)) if content[at : at + 4] == LOCAL):
        begin = place + 30 + int.from_bytes(content[place + 26 : place + 28], "little")
        content[begin : begin + 8] = b"\xff" * 8
    return bytes(content)


def with_array(head: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in ARRAYS:
            archive.writestr(f"{name}.npy", b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head)
    return file.getvalue()


BROKEN = {
    "packed data": packed_data_broken(),
    "unknown packing": changed(saved(), 8, 99),  # NotImplementedError
    "packed with lzma, by its name alone": changed(saved(), 8, zipfile.ZIP_LZMA),
    "packed with bzip2, by its name alone": changed(saved(), 8, zipfile.ZIP_BZIP2),
    "locked": changed(saved(), 6, 1),  # RuntimeError: a password
    "a version of tomorrow": changed(saved(), 4, 990),
    "another checksum": saved(zipfile.ZIP_STORED).replace(ARRAYS["vectors"].tobytes(), bytes(32)),
    "a head that never ends": with_array(b"{'descr': '<f4', 'shape': (((\n"),
    "a head that is no table": with_array(b"1\n"),
    "larger than any memory": with_array(b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 99999999999999)}\n"),
    "fewer than none": with_array(b"{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 2)}\n"),
    **{f"cut off at {part}/16": saved()[: len(saved()) * part // 16] for part in range(1, 16)},
}


@pytest.fixture(params=BROKEN)
def path(request, tmp_path) -> Path:
    path = tmp_path / "t.npz"
    path.write_bytes(BROKEN[request.param])
    return path


def test_as_vectors(path, tmp_path, capsys):
    (tmp_path / "text").write_text("dog\n")
    text = str(tmp_path / "text")
    assert command.main(["--hyp", text, "--ref", text, "--vectors", str(path), "--stop-words", "none"]) == 2
    (sentence,) = capsys.readouterr().err.splitlines()
    assert sentence.startswith(f"{path}: found ")


def test_as_a_checkpoint_to_convert(path, tmp_path, capsys):
    assert commands.run(["convert", str(path), str(tmp_path / "b.h5")]) == 2
    (sentence,) = capsys.readouterr().err.splitlines()
    assert sentence.startswith(f"{path}: found a file that NumPy cannot read (")
    assert not (tmp_path / "b.h5").exists()


def test_as_vectors_kept_from_an_earlier_run(path, tmp_path, monkeypatch, caplog):
    """Learnt anew, and said."""
    monkeypatch.setattr(trained, "cache", lambda *_: tmp_path / "cache")
    monkeypatch.setattr(trained, "_learn", lambda *_: (["dog"], np.ones((1, 4), np.float32)))
    sentences, settings = [["dog", "cat"]], WmdConfig(dimensions=4)
    trained.train_vectors(sentences, settings, 1)
    (kept,) = (tmp_path / "cache").rglob("*.npz")
    kept.write_bytes(path.read_bytes())
    caplog.clear()
    assert trained.train_vectors(sentences, settings, 1).words == ["dog"]
    assert "cannot be read" in caplog.text


def test_what_is_whole_is_read(tmp_path):
    """The changes above begin at a file that has nothing against it."""
    (tmp_path / "t.npz").write_bytes(saved())
    assert open_vectors(tmp_path / "t.npz").select(["cat"]).words == ["cat"]
