"""Save and load: names, types, reports, and the loops that must read our files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from ml_dtypes import bfloat16
from numpy.testing import assert_array_equal

from nmt.checkpoint.file import LoadReport, load, read_extras, read_parameters, save, verify
from nmt.checkpoint.parameters import param_setters, param_values
from nmt.checkpoint.writer import tensorflow_version
from nmt.errors import CheckpointError
from tests.unit.checkpoint_tools import FakeModule, FakeVariable, blank, saved, weights

ROOT = Path(__file__).resolve().parents[2]
TYPES = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?", ">f4", ">i2")


def test_a_module_comes_back(tmp_path):
    save(tmp_path / "a.h5", FakeModule(weights()), {"config": "seed: 1"})
    module = blank()
    report = load(tmp_path / "a.h5", module)
    for name, value in weights().items():
        assert_array_equal(module.values()[name], value)
    assert [fit.name for fit in report.matched] == list(weights())
    assert (report.renamed, report.skipped, report.missing, report.unexpected, report.mismatched) == (
        {},
        (),
        (),
        (),
        (),
    )
    assert str(report) == "4 matched"


@pytest.mark.parametrize("code", TYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 4), (2, 3)])
def test_every_type_and_shape_comes_back(tmp_path, code, shape):
    array = np.arange(np.prod(shape), dtype=np.float64).reshape(shape).astype(code)
    save(tmp_path / "a.h5", {"x": array}, {"y": array}, sync=False)
    for value in (read_parameters(tmp_path / "a.h5")["x"], read_extras(tmp_path / "a.h5")["y"]):
        assert value.dtype == np.dtype(code).newbyteorder("=")
        assert value.shape == shape
        assert_array_equal(value, array)


def test_bfloat16_is_kept_as_its_bits(tmp_path):
    array = np.array([1.5, -2.0, 3.25], dtype=bfloat16)
    save(tmp_path / "a.h5", {"x": array}, {}, sync=False)
    with h5py.File(tmp_path / "a.h5") as file:
        assert_array_equal(file["x"][()], np.array([0x3FC0, 0xC000, 0x4050], np.uint16))  # the upper half of float32
        assert file["x"].attrs["type"] == b"bfloat16"
    back = read_parameters(tmp_path / "a.h5")["x"]
    assert back.dtype == bfloat16
    assert_array_equal(back.astype(np.float32), [1.5, -2.0, 3.25])


def test_nan_and_infinity_are_numbers_like_others(tmp_path):
    array = np.array([np.nan, np.inf, -np.inf, -0.0], np.float32)
    save(tmp_path / "a.h5", {"x": array}, {}, sync=False)
    assert read_parameters(tmp_path / "a.h5")["x"].tobytes() == array.tobytes()


def test_extras_come_back_as_what_they_were(tmp_path):
    extras = {"text": "ä\n", "empty": "", "bytes": b"\0\xff", "none": b"", "int": -(2**63), "float": 0.1}
    extras["adam_m encoder gru kernel"] = np.ones((2, 3), np.float32)
    save(tmp_path / "a.h5", weights(), extras, sync=False)
    back = read_extras(tmp_path / "a.h5")
    assert (back.pop("tf_version"), back.pop("format_version")) == (tensorflow_version(), 1)
    assert_array_equal(back.pop("adam_m encoder gru kernel"), extras.pop("adam_m encoder gru kernel"))
    assert back == extras
    assert {name: type(value) for name, value in back.items()} == {name: type(value) for name, value in extras.items()}


def test_only_wanted_extras_and_parameters_are_read(tmp_path):
    saved(tmp_path / "a.h5")
    assert read_extras(tmp_path / "a.h5", only=lambda name: name == "config") == {"config": "seed: 1\n"}
    assert list(read_parameters(tmp_path / "a.h5", only=lambda name: name == "scale")) == ["scale"]


def test_keep_chooses_what_is_saved(tmp_path):
    save(tmp_path / "a.h5", weights(), {}, keep=lambda name: name.startswith("encoder/"), sync=False)
    assert sorted(read_parameters(tmp_path / "a.h5")) == ["encoder/gru/bias", "encoder/gru/kernel"]


def test_equal_content_makes_equal_files(tmp_path):
    save(tmp_path / "a.h5", weights(), {"x": "1", "y": "2"}, sync=False)
    save(tmp_path / "b.h5", dict(reversed(weights().items())), {"y": "2", "x": "1"}, sync=False)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_a_thousand_variables_fit(tmp_path):
    values = {f"layer{i}/kernel": np.full((2,), i, np.int32) for i in range(1000)}
    save(tmp_path / "a.h5", values, {}, sync=False)
    back = read_parameters(tmp_path / "a.h5")
    assert all(back[name].tolist() == value.tolist() for name, value in values.items())
    assert verify(tmp_path / "a.h5") == 1003  # and three versions and digests


# The loops that are not ours.


def test_the_loop_of_the_article_reads_our_file(tmp_path):
    saved(tmp_path / "a.h5")
    module = blank()
    setters = param_setters(module)
    with h5py.File(tmp_path / "a.h5") as f:
        for key in f:
            if key.startswith("<"):
                continue
            setters[key.replace(" ", "/")](f[key][()])
    for name, value in weights().items():
        assert_array_equal(module.values()[name], value)


def test_the_loader_of_2018_reads_a_file_saved_without_extras(tmp_path):
    save(tmp_path / "a.h5", weights(), None, sync=False)
    module = blank()
    setters = param_setters(module)
    with h5py.File(tmp_path / "a.h5", "r") as f:
        assert f["<tf_version>"][()] == tensorflow_version().encode()
        for key in f:
            if key == "<tf_version>":
                continue
            setters[key.replace(" ", "/")](f[key][()])
    assert module.num_assigned() == len(weights())
    assert read_extras(tmp_path / "a.h5") == {"tf_version": tensorflow_version()}
    assert verify(tmp_path / "a.h5") == len(weights()) + 1


def test_names_of_2018_can_be_written_for_its_loader(tmp_path):
    save(tmp_path / "a.h5", {name + ":0": value for name, value in weights().items()}, None, sync=False)
    with h5py.File(tmp_path / "a.h5") as file:
        assert sorted(file) == [
            "<tf_version>",
            "decoder table:0",
            "encoder gru bias:0",
            "encoder gru kernel:0",
            "scale:0",
        ]


def test_a_file_written_the_way_of_2018_loads(tmp_path):
    with h5py.File(tmp_path / "old.h5", "w") as f:
        for name, value in weights().items():
            f[name.replace("/", " ") + ":0"] = value
        f["<tf_version>"] = "1.8.0"  # h5py makes it a string of variable length
    module = blank()
    load(tmp_path / "old.h5", module)
    for name, value in weights().items():
        assert_array_equal(module.values()[name], value)
    assert read_extras(tmp_path / "old.h5") == {"tf_version": "1.8.0"}
    assert verify(tmp_path / "old.h5") == 5


def test_a_foreign_file_may_be_packed_and_of_the_other_byte_order(tmp_path):
    array = np.arange(3000, dtype=">f4").reshape(100, 30)
    with h5py.File(tmp_path / "f.h5", "w") as f:
        f.create_dataset("a b", data=array, compression="gzip", shuffle=True, fletcher32=True, chunks=(7, 30))
        f.create_dataset("plain", data=array)
        f.create_dataset("empty", data=np.zeros((0, 3), "i2"))
        f.create_dataset("scalar", data=np.int16(7), dtype=">i2")
        f["<tf_version>"] = np.bytes_(b"1.9.0")
    values = read_parameters(tmp_path / "f.h5")
    for name in ("a/b", "plain"):
        assert_array_equal(values[name], array)
        assert values[name].dtype == np.float32
    assert (values["empty"].shape, values["scalar"][()], values["scalar"].dtype) == ((0, 3), 7, np.int16)
    assert read_extras(tmp_path / "f.h5") == {"tf_version": "1.9.0"}


# What does not fit.


@pytest.mark.parametrize("change", ["shape", "dtype", "missing", "unexpected"])
def test_nothing_is_assigned_unless_everything_fits(tmp_path, change):
    saved(tmp_path / "a.h5")
    values = weights()
    expected = {
        "shape": "the wrong shape or type of decoder/table (4, 2) float32 for (2, 4) float32",
        "dtype": "the wrong shape or type of decoder/table (4, 2) float32 for (4, 2) float64",
        "missing": "nothing for decoder/more",
        "unexpected": "the unknown decoder/table",
    }[change]
    if change == "shape":
        values["decoder/table"] = np.zeros((2, 4), np.float32)
    elif change == "dtype":
        values["decoder/table"] = np.zeros((4, 2), np.float64)
    elif change == "missing":
        values["decoder/more"] = np.zeros(1)
    else:
        del values["decoder/table"]
    module = blank(values)
    with pytest.raises(CheckpointError) as caught:
        load(tmp_path / "a.h5", module)
    assert str(caught.value) == (
        f"{tmp_path / 'a.h5'}: found {expected}, expected the parameters of this model, each once; "
        "build the model from the file's own configuration, or say what to rename or leave out."
    )
    assert module.num_assigned() == 0


def test_an_error_lists_three_names_and_counts_the_others(tmp_path):
    save(tmp_path / "a.h5", {}, {}, sync=False)
    with pytest.raises(CheckpointError, match="nothing for p0, p1, p2 and 2 more, expected"):
        load(tmp_path / "a.h5", FakeModule({f"p{i}": np.zeros(1) for i in range(5)}))


def test_not_strict_assigns_what_fits_and_reports_the_rest(tmp_path):
    saved(tmp_path / "a.h5")
    module = FakeModule({"scale": np.float32(0), "encoder/gru/bias": np.zeros(4, np.float32), "new": np.zeros(1)})
    report = load(tmp_path / "a.h5", module, strict=False)
    assert [fit.name for fit in report.matched] == ["scale"]
    assert [(fit.in_file, fit.in_module) for fit in report.mismatched] == [("(3,) float32", "(4,) float32")]
    assert report.missing == ("new",)
    assert sorted(report.unexpected) == ["decoder/table", "encoder/gru/kernel"]
    assert module.values()["scale"] == 0.5
    assert module.num_assigned() == 1
    assert str(report) == "1 matched, 1 missing, 2 unexpected, 1 mismatched"


def test_only_leaves_the_rest_alone(tmp_path):
    saved(tmp_path / "a.h5")
    module = FakeModule({"scale": np.float32(0), "encoder/gru/bias": np.zeros(4, np.float32)})
    report = load(tmp_path / "a.h5", module, only=lambda name: name == "scale")
    assert sorted(report.skipped) == ["decoder/table", "encoder/gru/bias", "encoder/gru/kernel"]
    assert (report.missing, report.unexpected, report.mismatched) == ((), (), ())
    assert module.num_assigned() == 1


@pytest.mark.parametrize("rename", [{"scale": "gain"}, lambda name: "gain" if name == "scale" else name])
def test_rename_turns_a_name_of_the_file_into_one_of_the_module(tmp_path, rename):
    saved(tmp_path / "a.h5")
    values = weights()
    values["gain"] = values.pop("scale")
    module = blank(values)
    assert load(tmp_path / "a.h5", module, rename=rename).renamed == {"scale": "gain"}
    assert module.values()["gain"] == 0.5


def test_rename_must_keep_names_apart(tmp_path):
    saved(tmp_path / "a.h5")
    with pytest.raises(
        CheckpointError, match="found two parameters for 'x' after renaming, expected one; make the rule"
    ):
        load(tmp_path / "a.h5", blank(), rename=lambda name: "x")


def test_a_damaged_variable_is_found_before_anything_is_assigned(tmp_path):
    data = bytearray(saved(tmp_path / "a.h5").read_bytes())
    data[data.rindex(np.float32(0.5).tobytes())] ^= 1
    (tmp_path / "a.h5").write_bytes(data)
    module = blank()
    with pytest.raises(CheckpointError, match="numbers at 'scale' that do not match their digest"):
        load(tmp_path / "a.h5", module)
    assert module.num_assigned() == 0


# Names and values that cannot be saved.


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("a b", "a space in the name"),
        ("<a", "an angle bracket in the name"),
        ("a>", "an angle bracket in the name"),
        ("", "an empty name"),
        (".", "the name '.'"),
        ("a\0", "a NUL in the name"),
        ("\ud800", "half a surrogate pair in the name"),
        ("ä" * 513, "a name of 1026 bytes"),
    ],
)
def test_names_that_would_not_come_back_are_refused(tmp_path, name, found):
    with pytest.raises(CheckpointError) as caught:
        save(tmp_path / "a.h5", {name: np.zeros(1)}, {})
    assert caught.value.found == found
    assert "expected at most 1024 bytes without spaces or angle brackets" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("a/b", "a slash in the name of an extra"),
        ("a>", "an angle bracket in the name of an extra"),
        ("tf_version", "a name that the format keeps for itself"),
        ("digests", "a name that the format keeps for itself"),
        ("", "an empty name"),
    ],
)
def test_names_of_extras_too(tmp_path, name, found):
    with pytest.raises(CheckpointError) as caught:
        save(tmp_path / "a.h5", {}, {name: 1})
    assert caught.value.found == found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (np.array(["text"]), "an array of <U4"),
        (np.array([object()]), "an array of object"),
        (np.zeros(1, complex), "an array of complex128"),
        (None, "a value of type NoneType"),
        (True, "a value of type bool"),
        (2**63, "the integer 9223372036854775808"),
        ("\ud800", "text with half a surrogate pair"),
    ],
)
def test_values_that_a_file_cannot_hold_are_refused(tmp_path, value, found):
    with pytest.raises(CheckpointError) as caught:
        save(tmp_path / "a.h5", {}, {"x": value})
    assert caught.value.found == found
    assert list(tmp_path.iterdir()) == []


def test_two_names_that_become_one_key_are_refused(tmp_path):
    module = FakeModule({})
    module.variables = [FakeVariable("x", 1.0), FakeVariable("x", 2.0)]
    for call in (param_setters, param_values, lambda twice: save(tmp_path / "a.h5", twice, {})):
        with pytest.raises(CheckpointError, match="x: found two variables of this name, expected a name of its own"):
            call(module)


def test_too_many_values_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("nmt.checkpoint.writer.MOST_DATASETS", 5)
    with pytest.raises(CheckpointError, match="found 5 values, expected one value a name, fewer than 5 of them; join"):
        save(tmp_path / "a.h5", weights(), None)


# TensorFlow.


def test_real_variables_of_each_type(tmp_path):
    import tensorflow as tf

    class Module(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.kernel = tf.Variable([[1.0, 2.0]], name="a/kernel")
            self.half = tf.Variable(tf.cast([1.5, 2.5], tf.bfloat16), name="a/half")
            self.count = tf.Variable(3, name="count", trainable=False)
            self.flag = tf.Variable(True, name="flag")

    module = Module()
    save(tmp_path / "a.h5", module, {})
    before = param_values(module)
    for variable in module.variables:
        variable.assign(tf.zeros_like(variable))
    assert isinstance(load(tmp_path / "a.h5", module), LoadReport)
    assert module.kernel.numpy().tolist() == [[1.0, 2.0]]
    assert module.half.numpy().astype(np.float32).tolist() == [1.5, 2.5]
    assert (int(module.count), bool(module.flag)) == (3, True)
    assert before["a/kernel"].tolist() == [[1.0, 2.0]]  # a copy: assigning did not change it


def test_the_command_line_starts_without_tensorflow():
    code = "import nmt.checkpoint.commands, sys; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
