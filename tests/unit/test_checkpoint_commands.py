"""python -m nmt.checkpoint: each command, as text and as JSON, and what each refuses."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy as safetensors_numpy
from ml_dtypes import bfloat16
from numpy.testing import assert_allclose, assert_array_equal

from nmt.checkpoint.commands import run
from nmt.checkpoint.file import read_extras, read_parameters, save
from tests.unit.checkpoint_tools import saved, weights

ROOT = Path(__file__).resolve().parents[2]


def text_of(capsys: pytest.CaptureFixture[str], *arguments: object, status: int = 0) -> str:
    assert run([str(argument) for argument in arguments]) == status
    told = capsys.readouterr()
    assert (told.err == "") == (status == 0)
    return (told.err if told.err else told.out).rstrip("\n")


def json_of(capsys: pytest.CaptureFixture[str], *arguments: object, status: int = 0) -> dict:
    assert run([str(argument) for argument in (*arguments, "--json")]) == status
    return json.loads(capsys.readouterr().out)


def test_ls(tmp_path, capsys):
    save(tmp_path / "a.h5", {"a/b": np.array([[3.0, 4.0], [np.nan, np.inf]], np.float32), "n": np.int8(2)}, {"t": "é"})
    assert text_of(capsys, "ls", tmp_path / "a.h5").split("\n") == [
        "name  shape     type  bytes  norm  not finite",
        "a/b     2x2  float32     16     5           2",
        "n               int8      1     2           0",
        "2 entries, 5 numbers, 17 bytes",
    ]
    entries = json_of(capsys, "ls", tmp_path / "a.h5", "--all")["entries"]
    assert [entry["name"] for entry in entries] == ["<digests>", "<format_version>", "<t>", "<tf_version>", "a/b", "n"]
    assert entries[2] == {
        "name": "<t>",
        "shape": [2],
        "dtype": "text",
        "num_bytes": 2,
        "norm": None,
        "num_nonfinite": 0,
    }
    assert (entries[1]["dtype"], entries[3]["dtype"], entries[4]["norm"]) == ("int", "text", 5.0)


def test_show(tmp_path, capsys):
    state = json.dumps({"step": 3, "history": [{"step": 3, "bleu": 20.5}, {"step": 6, "bleu": float("nan")}]})
    extras = {"config": "seed: 1\nmodel:\n  units: 2\n", "state": state, "raw": b"\0\1", "note": "one"}
    extras |= {"words": "\n".join(map(str, range(50))), "adam_m scale": np.zeros(3), "adam_m a": np.zeros(3)}
    saved(tmp_path / "a.h5", extras)
    text = text_of(capsys, "show", tmp_path / "a.h5")
    for line in (
        "parameters: 4",
        "numbers: 18",
        "arrays:\n  adam_m: 2",
        "config: \n    seed: 1\n    model:\n      units: 2",
        "note: one",
        "raw: 2 bytes",
        "state:\n  step: 3\n  history: \n    step 3, bleu 20.5\n    step 6, bleu nan",
        "words: 50 lines",
        "format_version: 1",
    ):
        assert line in text
    told = json_of(capsys, "show", tmp_path / "a.h5")
    assert told["state"]["history"] == [{"step": 3, "bleu": 20.5}, {"step": 6, "bleu": None}]
    assert told["words"].endswith("48\n49")


def test_show_takes_versions_apart(tmp_path, capsys):
    saved(tmp_path / "a.h5", {"versions": json.dumps({"python": "3.11.7", "device": "CPU, 2 threads"})})
    assert "versions:\n  python: 3.11.7\n  device: CPU, 2 threads" in text_of(capsys, "show", tmp_path / "a.h5")


def test_show_of_a_state_that_is_not_json(tmp_path, capsys):
    saved(tmp_path / "a.h5", {"state": "later"})
    assert json_of(capsys, "show", tmp_path / "a.h5")["state"] == "later"


def test_verify(tmp_path, capsys):
    path = saved(tmp_path / "a.h5")
    assert text_of(capsys, "verify", path) == f"{path}: whole, 9 datasets"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert text_of(capsys, "verify", path, "--sha256") == f"{path}: whole, 9 datasets\nSHA-256 {digest}"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    (tmp_path / "b.h5").write_bytes(data)
    files = json_of(capsys, "verify", tmp_path / "b.h5", path, status=2)["files"]
    assert [entry["whole"] for entry in files] == [False, True]
    assert "do not match" in files[0]["error"]


def test_verify_says_when_there_is_nothing_to_check_against(tmp_path, capsys):
    path = Path(__file__).parents[1] / "golden" / "checkpoint_2018.h5"
    assert text_of(capsys, "verify", path) == f"{path}: readable, 3 datasets; nothing to check against"
    data = bytearray(path.read_bytes())
    data[data.index(np.arange(6, dtype=np.float32).tobytes()) + 4] ^= 1
    (tmp_path / "b.h5").write_bytes(data)
    (told,) = json_of(capsys, "verify", tmp_path / "b.h5")["files"]
    assert (told["whole"], told["datasets"]) == (None, 3)


def test_diff_compares_averages_and_slots_where_they_are_asked_for(tmp_path, capsys):
    for name, average, slot in (("a", 1.0, 1.0), ("b", 5.0, 2.0)):
        extras = {"average x": np.full(2, average), "adam_m x": np.full(2, slot), "adam_v x": np.ones(2), "step": 1}
        save(tmp_path / f"{name}.h5", {"x": np.ones(2)}, extras)
    files = (tmp_path / "a.h5", tmp_path / "b.h5")
    lines = text_of(capsys, "diff", *files).split("\n")
    assert lines[1].split() == ["<average", "x>", "4", "1.000000000"]
    assert lines[-1] == "1 equal, 1 changed"
    assert text_of(capsys, "diff", "--slots", *files).split("\n")[-1] == "2 equal, 2 changed"
    save(tmp_path / "b.h5", {"x": np.ones(2)}, {})
    assert text_of(capsys, "diff", *files) == f"only in {files[0]}: <average x>\n1 equal, 0 changed"


def test_diff(tmp_path, capsys):
    first = weights() | {"old": np.zeros(2), "z/zero": np.zeros(2), "z/nan": np.zeros(1)}
    second = weights() | {
        "new": np.zeros(2),
        "scale": np.float32(-0.5),
        "z/zero": np.ones(2),
        "z/nan": np.array([np.nan]),
    }
    second["encoder/gru/bias"] = np.zeros(4, np.float32)
    second["decoder/table"] = weights()["decoder/table"] + np.float32(0.25)
    save(tmp_path / "a.h5", first, {})
    save(tmp_path / "b.h5", second, {})
    told = json_of(capsys, "diff", tmp_path / "a.h5", tmp_path / "b.h5")
    assert (told["only_first"], told["only_second"], told["num_equal"]) == (["old"], ["new"], 1)
    assert told["mismatched"] == ["encoder/gru/bias: (3,) float32, (4,) float32"]
    table, scale, nan, zero = told["changed"]
    x = -np.arange(8.0)
    assert (table["name"], table["largest"]) == ("decoder/table", 0.25)
    assert_allclose(table["cosine"], x @ (x + 0.25) / np.sqrt((x @ x) * ((x + 0.25) @ (x + 0.25))))
    assert (scale["largest"], scale["cosine"]) == (1.0, -1.0)
    assert (nan["largest"], nan["cosine"], zero["largest"], zero["cosine"]) == (None, None, 1.0, None)
    lines = text_of(capsys, "diff", tmp_path / "a.h5", tmp_path / "b.h5").split("\n")
    assert lines[0] == f"only in {tmp_path / 'a.h5'}: old"
    assert lines[-1] == "1 equal, 4 changed"
    assert text_of(capsys, "diff", tmp_path / "a.h5", tmp_path / "a.h5") == "7 equal, 0 changed"


# average


def test_average_of_three_by_hand(tmp_path, capsys):
    for name, number in (("a", 1.0), ("b", 2.0), ("c", 6.0)):
        values = {"x": np.full(2, number, np.float32), "h": np.array([number], bfloat16), "n": np.int32(4)}
        extras = {"config": name, "adam_m x": np.ones(2, np.float32), "average h": np.array([number + 1], bfloat16)}
        save(tmp_path / f"{name}.h5", values, extras)
    files = [tmp_path / f"{name}.h5" for name in "abc"]
    assert text_of(capsys, "average", *files, "-o", tmp_path / "d.h5").endswith("3 parameters, the mean of 3 files")
    back = read_parameters(tmp_path / "d.h5")
    assert (back["x"].tolist(), back["x"].dtype, back["n"][()]) == ([3.0, 3.0], np.float32, 4)
    assert (float(back["h"][0]), back["h"].dtype) == (4.0, bfloat16)  # of the averages, which evaluation uses
    kept = read_extras(tmp_path / "d.h5")
    assert {name: kept[name] for name in kept if "version" not in name} == {
        "config": "a",
        "made_by": "average of a.h5, b.h5, c.h5",
    }
    told = json_of(capsys, "average", *files[:1], "-o", files[0])  # onto itself
    assert told == {"path": str(files[0]), "files": 1, "parameters": 3}


def test_average_refuses_what_differs(tmp_path, capsys):
    save(tmp_path / "a.h5", {"x": np.zeros(2), "n": np.int8(1)}, {})
    for values, found in (
        (
            {"x": np.zeros(3), "n": np.int8(1)},
            "found (3,) float64 for (2,) float64 at 'x', expected the shapes and types",
        ),
        (
            {"n": np.int8(1)},
            f"found 'x' in only one of it and {tmp_path / 'a.h5'}, expected the same parameters in all",
        ),
        ({"x": np.zeros(2), "n": np.int8(2)}, "n: found int8 numbers that differ, expected the same in all files"),
    ):
        save(tmp_path / "b.h5", values, {})
        told = text_of(capsys, "average", tmp_path / "a.h5", tmp_path / "b.h5", "-o", tmp_path / "c.h5", status=2)
        assert found in told
        assert not (tmp_path / "c.h5").exists()


def with_pieces(path: Path, **changed: object) -> Path:
    """A checkpoint whose rows stand for pieces."""
    names = ("encoder/embedding/table", "encoder/gru/kernel", "decoder/embedding/table", "output/table", "output/bias")
    pieces = {
        "subword_kind": "words",
        "subword_joint": "no",
        "subword_src": b'["a", "b"]',
        "subword_tgt": b'["c", "d"]',
    }
    save(path, {name: np.ones(2) for name in names}, {**pieces, **changed})
    return path


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"subword_tgt": b"dc"}, "target vocabulary"),
        ({"subword_src": b"ba"}, "source vocabulary"),
        ({"subword_kind": "characters"}, "kind of pieces"),
        ({"subword_joint": "yes"}, "joining of the vocabularies"),
    ],
)
def test_rows_of_other_pieces_are_not_averaged_or_grafted(tmp_path, capsys, changed, what):
    first, other = with_pieces(tmp_path / "a.h5"), with_pieces(tmp_path / "b.h5", **changed)
    for command in ("average", "graft"):
        told = text_of(capsys, command, first, other, "-o", tmp_path / "c.h5", status=2)
        assert told.startswith(
            f"{other}: found another {what}, expected that of {first}; take files of the same subwords"
        )
        assert not (tmp_path / "c.h5").exists()


@pytest.mark.parametrize(
    ("only", "status"),
    [("encoder/*", 0), ("encoder/gru/*", 0), ("decoder/*", 2), ("output/bias", 2), ("*/table", 2)],
)
def test_a_graft_asks_for_the_pieces_of_the_side_that_it_takes(tmp_path, capsys, only, status):
    first, other = with_pieces(tmp_path / "a.h5"), with_pieces(tmp_path / "b.h5", subword_tgt=b"dc")
    text_of(capsys, "graft", first, other, "-o", tmp_path / "c.h5", "--only", only, status=status)


def test_files_that_do_not_tell_their_pieces_are_taken_as_they_are(tmp_path, capsys):
    first = with_pieces(tmp_path / "a.h5")
    save(tmp_path / "b.h5", read_parameters(first), None)
    text_of(capsys, "average", first, tmp_path / "b.h5", "-o", tmp_path / "c.h5")


@pytest.mark.parametrize("ending", [".npz", ".safetensors"])
@pytest.mark.parametrize("command", ["average", "graft"])
def test_the_ending_of_the_output_decides_its_format(tmp_path, capsys, command, ending):
    first = with_pieces(tmp_path / "a.h5")
    text_of(capsys, command, first, first, "-o", tmp_path / f"c{ending}")
    text_of(capsys, command, first, first, "-o", tmp_path / "c.h5")
    text_of(capsys, "convert", tmp_path / f"c{ending}", tmp_path / "d.h5")
    assert (tmp_path / "c.h5").read_bytes() == (tmp_path / "d.h5").read_bytes()


# graft


def grafted(tmp_path: Path, capsys: pytest.CaptureFixture[str], *options: str, status: int = 0) -> str:
    base = {"encoder/a": np.zeros(2), "encoder/b": np.zeros(2), "decoder/a": np.zeros(2)}
    donor = {"encoder/a": np.ones(2), "encoder/b": np.ones(2), "other/c": np.ones(3)}
    save(
        tmp_path / "base.h5",
        base,
        {"config": "base", "average decoder a": np.full(2, 5.0), "adam_m decoder a": np.ones(2)},
    )
    save(tmp_path / "donor.h5", donor, {"config": "donor", "average encoder a": np.full(2, 7.0)})
    files = (tmp_path / "base.h5", tmp_path / "donor.h5", "-o", tmp_path / "out.h5")
    return text_of(capsys, "graft", *files, *options, status=status)


def test_graft_takes_what_is_named(tmp_path, capsys):
    told = grafted(tmp_path, capsys, "--only", "encoder/*")
    assert told == f"encoder/a\nencoder/b\n2 taken into {tmp_path / 'out.h5'}"
    back = {name: value.tolist() for name, value in read_parameters(tmp_path / "out.h5").items()}
    assert back == {"encoder/a": [7, 7], "encoder/b": [1, 1], "decoder/a": [5, 5]}
    extras = read_extras(tmp_path / "out.h5")
    assert extras["config"] == "base"
    assert extras["made_by"] == "2 parameters of donor.h5 in base.h5"
    assert not any("adam" in name or "average " in name for name in extras)


def test_graft_renames_and_adds(tmp_path, capsys):
    grafted(tmp_path, capsys, "--only", "decoder/a", "--rename", "encoder=decoder")
    assert read_parameters(tmp_path / "out.h5")["decoder/a"].tolist() == [7, 7]
    grafted(tmp_path, capsys, "--only", "new/c", "--only", "encoder/b", "--rename", "other/c=new/c", "--add")
    assert read_parameters(tmp_path / "out.h5").keys() == {"encoder/a", "encoder/b", "decoder/a", "new/c"}


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ([], "base.h5: found no parameter 'other/c', expected one for each that is taken"),
        (["--only", "none/*"], "donor.h5: found no parameter called none/*, expected at least one to take"),
        (["--rename", "other/c=decoder/a"], "donor.h5: found (3,) float64 for (2,) float64 at 'decoder/a'"),
        (["--rename", "encoder/a=encoder/b"], "donor.h5: found two parameters of one name after renaming"),
        (["--rename", "encoder"], "--rename: found 'encoder', expected OLD=NEW; write encoder=encoder2, for example."),
    ],
)
def test_graft_refuses(tmp_path, capsys, options, found):
    assert found in grafted(tmp_path, capsys, *options, status=2)
    assert not (tmp_path / "out.h5").exists()


# convert


def test_convert_there_and_back(tmp_path, capsys):
    values = weights() | {"file": np.array([1.5], bfloat16), "x.npy": np.array([True]), "x": np.zeros((0, 2), np.int8)}
    save(tmp_path / "a.h5", values, {"config": "ä", "raw": b"\0", "n": 3, "f": 0.5, "adam_m scale": np.float32(2)})
    told = json_of(capsys, "convert", tmp_path / "a.h5", tmp_path / "b.npz")
    assert told == {"path": str(tmp_path / "b.npz"), "entries": 12}
    text_of(capsys, "convert", tmp_path / "b.npz", tmp_path / "c.safetensors")
    text_of(capsys, "convert", tmp_path / "c.safetensors", tmp_path / "d.h5")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "d.h5").read_bytes()


def test_numpy_reads_our_npz_and_we_read_numpys(tmp_path, capsys):
    saved(tmp_path / "a.h5")
    run(["convert", str(tmp_path / "a.h5"), str(tmp_path / "b.npz")])
    with np.load(tmp_path / "b.npz", allow_pickle=False) as archive:
        for name, value in weights().items():
            assert_array_equal(archive[name], value)
        assert json.loads(archive["<types>"].tobytes()) == {"<config>": "text", "<raw>": "bytes"}
    np.savez_compressed(tmp_path / "c.npz", **weights())
    run(["convert", str(tmp_path / "c.npz"), str(tmp_path / "d.h5")])
    assert read_parameters(tmp_path / "d.h5").keys() == weights().keys()


@pytest.mark.parametrize("ending", [".npz", ".safetensors"])
def test_names_of_first_outputs_lose_their_number_as_those_of_2018_do(tmp_path, capsys, ending):
    numbers = np.arange(3, dtype=np.float32)
    if ending == ".npz":
        np.savez(tmp_path / "a.npz", **{"encoder/gru/bias:0": numbers})
    else:
        header = {"encoder/gru/bias:0": {"dtype": "F32", "shape": [3], "data_offsets": [0, 12]}}
        (tmp_path / "a.safetensors").write_bytes(safetensors(header, numbers.tobytes()))
    text_of(capsys, "convert", tmp_path / f"a{ending}", tmp_path / "b.h5")
    assert_array_equal(read_parameters(tmp_path / "b.h5")["encoder/gru/bias"], numbers)


def test_two_arrays_of_one_name_are_refused(tmp_path, capsys):
    np.savez(tmp_path / "a.npz", **{"x:0": np.ones(1), "x": np.ones(1)})
    assert "found two arrays for 'x'" in text_of(capsys, "convert", tmp_path / "a.npz", tmp_path / "b.h5", status=2)


def test_the_safetensors_library_agrees(tmp_path):
    library = safetensors_numpy
    saved(tmp_path / "a.h5")
    run(["convert", str(tmp_path / "a.h5"), str(tmp_path / "b.safetensors")])
    found = library.load_file(tmp_path / "b.safetensors")
    for name, value in weights().items():
        assert_array_equal(found[name], value)
    library.save_file({name: np.asarray(value) for name, value in weights().items()}, tmp_path / "c.safetensors")
    run(["convert", str(tmp_path / "c.safetensors"), str(tmp_path / "d.h5")])
    assert read_parameters(tmp_path / "d.h5").keys() == weights().keys()


def test_without_the_library_it_is_named(tmp_path, capsys, monkeypatch):
    saved(tmp_path / "a.h5")
    monkeypatch.setitem(sys.modules, "safetensors", None)
    told = text_of(capsys, "convert", tmp_path / "a.h5", tmp_path / "b.safetensors", status=2)
    assert "found no library for .safetensors, expected the package safetensors; install it with `uv sync" in told


def test_a_safetensors_file_by_hand(tmp_path, capsys):
    header = (
        b'{"b":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]},"a/x":{"dtype":"F32","shape":[],"data_offsets":[2,6]}}'
    )
    content = len(header).to_bytes(8, "little") + header + b"\xc0\x3f" + np.float32(0.5).tobytes()
    (tmp_path / "a.safetensors").write_bytes(content)
    text_of(capsys, "convert", tmp_path / "a.safetensors", tmp_path / "b.h5")
    back = read_parameters(tmp_path / "b.h5")
    assert (float(back["b"][0]), back["b"].dtype, back["a/x"][()]) == (1.5, bfloat16, 0.5)


BROKEN = "a file that is not safetensors ("


def safetensors(header: object, numbers: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + numbers


def entry(dtype: str = "F32", shape: object = (1,), offsets: object = (0, 4)) -> dict[str, object]:
    return {"a": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"\1", BROKEN),
        (safetensors({}, length=2**63), BROKEN),
        (safetensors(b"[1]"), BROKEN),
        (safetensors(b"{"), BROKEN),
        (safetensors(b"\xff\xff"), BROKEN),
        (safetensors({"a": 1}), BROKEN),
        (safetensors(entry(dtype="F3"), b"1234"), BROKEN),
        (safetensors(entry(dtype="F8_E4M3", shape=[4]), b"1234"), "F8_E4M3 numbers of shape (4,) at 'a'"),
        (safetensors(entry(shape=[-1]), b"1234"), BROKEN),
        (safetensors(entry(shape=[1.0]), b"1234"), BROKEN),
        (safetensors(entry(shape=[0, 2**60], offsets=[0, 0])), "F32 numbers of shape (0, 1152921504606846976) at 'a'"),
        (safetensors(entry(offsets=[0]), b"1234"), BROKEN),
        (safetensors(entry(shape=[2]), b"1234"), BROKEN),
        (safetensors(entry(), b"123"), BROKEN),
        (safetensors(entry(offsets=[4, 8]), b"12345678"), BROKEN),
        (safetensors(entry(), b"12345"), BROKEN),
        (safetensors({"__metadata__": {"types": 1}}), BROKEN),
        (safetensors(b'{"a":' + b"[" * 100_000), BROKEN),
        (safetensors({"__metadata__": {"types": "["}}), "a broken table of types"),
        (
            safetensors({"__metadata__": {"types": '{"a": "text"}'}} | entry(), b"1234"),
            "float32 numbers as text at 'a'",
        ),
        (safetensors({"__metadata__": {"types": '{"a": ["text"]}'}} | entry(), b"1234"), "the unknown type"),
    ],
)
def test_broken_safetensors_files_are_refused(tmp_path, capsys, content, found):
    (tmp_path / "a.safetensors").write_bytes(content)
    assert f"found {found}" in text_of(capsys, "convert", tmp_path / "a.safetensors", tmp_path / "b.h5", status=2)
    assert not (tmp_path / "b.h5").exists()


class Evil:
    def __reduce__(self) -> tuple:
        return os.system, ("touch evil",)


def test_nothing_is_unpickled(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "a.npz", x=np.array([Evil()], dtype=object))
    assert b"evil" in (tmp_path / "a.npz").read_bytes()
    assert "a file that NumPy cannot read" in text_of(capsys, "convert", "a.npz", "b.h5", status=2)
    (tmp_path / "a.npz").write_bytes(pickle.dumps(Evil()))
    assert "a file that NumPy cannot read" in text_of(capsys, "convert", "a.npz", "b.h5", status=2)
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_a_packed_bomb_is_refused(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("nmt.checkpoint.conversion.ROOM", 0)
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", bytes(1_000_000))
    assert "found 1,000,000 bytes packed into" in text_of(
        capsys, "convert", tmp_path / "a.npz", tmp_path / "b.h5", status=2
    )


def test_text_of_another_encoding_is_refused(tmp_path, capsys):
    types = np.frombuffer(b'{"<t>": "text"}', np.uint8)
    np.savez(tmp_path / "a.npz", **{"<t>": np.array([255], np.uint8), "<types>": types})
    assert "found 'utf-8' codec" in text_of(capsys, "convert", tmp_path / "a.npz", tmp_path / "b.h5", status=2)


@pytest.mark.parametrize(
    ("source", "target", "found"),
    [
        (
            "a.h5",
            "b.pt",
            "b.pt: found a name ending in .pt, expected one of .h5, .hdf5, .npz, .safetensors; rename the file.",
        ),
        ("a", "b.h5", "a: found a name ending in nothing, expected one of"),
        ("no.npz", "b.h5", "no.npz: found no such file or directory, expected a checkpoint that can be read"),
        ("no.safetensors", "b.h5", "no.safetensors: found no such file or directory"),
        ("no.h5", "b.npz", "no.h5: found no such file or directory"),
        ("a.h5", "no/b.npz", "no/b.npz: found no such file or directory, expected room and permission to write"),
    ],
)
def test_convert_refuses(tmp_path, capsys, monkeypatch, source, target, found):
    monkeypatch.chdir(tmp_path)
    saved(tmp_path / "a.h5")
    assert text_of(capsys, "convert", source, target, status=2).startswith(found)


def test_as_a_program(tmp_path):
    path = saved(tmp_path / "a.h5")
    program = [sys.executable, "-m", "nmt.checkpoint"]
    done = subprocess.run([*program, "verify", path], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"{path}: whole, 9 datasets\n")
    done = subprocess.run(
        [*program, "ls", "no.h5"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("no.h5: found no such file or directory")
    assert "Traceback" not in done.stderr


def test_a_reader_that_has_seen_enough(tmp_path):
    """As `head` does: no traceback, and the command has done what it was asked to."""
    path = saved(tmp_path / "a.h5", {"config": "x\n" * 100_000})
    words = [sys.executable, "-m", "nmt.checkpoint", "show", str(path)]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        program.stdout.read(10)
        program.stdout.close()
        assert program.stderr.read() == b""
    assert program.returncode == 0


@pytest.mark.parametrize("command", ["average FILE -o OUT", "graft FILE FILE -o OUT", "convert FILE OUT"])
@pytest.mark.parametrize("ending", [".h5", ".npz", ".safetensors"])
def test_an_output_that_is_no_file_is_left_alone(tmp_path, capsys, command, ending):
    """`-o` once turned a device into a file of weights."""
    path = saved(tmp_path / "a.h5")
    pipe, folder, link = tmp_path / f"pipe{ending}", tmp_path / f"folder{ending}", tmp_path / f"link{ending}"
    os.mkfifo(pipe)
    folder.mkdir()
    link.symlink_to("/dev/null")
    for out, found in ((pipe, "a pipe"), (folder, "a folder"), (link, "a device")):
        words = [{"FILE": path, "OUT": out}.get(word, word) for word in command.split()]
        said = text_of(capsys, *words, status=2)
        assert said.startswith(
            f"{out}: found {found}, expected room and permission to write the checkpoint; name a file"
        )
    assert (pipe.is_fifo(), folder.is_dir(), os.readlink(link)) == (True, True, "/dev/null")


@pytest.mark.parametrize("ending", [".h5", ".npz", ".safetensors"])
def test_an_output_that_is_a_link_stays_one(tmp_path, capsys, ending):
    path, target, link = saved(tmp_path / "a.h5"), tmp_path / f"target{ending}", tmp_path / f"link{ending}"
    target.write_bytes(b"old")
    link.symlink_to(target.name)
    text_of(capsys, "convert", path, link)
    assert os.readlink(link) == target.name
    text_of(capsys, "convert", target, tmp_path / "back.h5")
    assert (tmp_path / "back.h5").read_bytes() == path.read_bytes()
