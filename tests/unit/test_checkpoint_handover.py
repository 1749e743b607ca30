"""Numbers read into memory that a variable takes over: nothing is copied, and nothing is shared with anybody else."""

import sys

import h5py
import numpy as np
import pytest
import tensorflow as tf
from ml_dtypes import bfloat16

from nmt.checkpoint import handover
from nmt.checkpoint.file import assign, load, read_extras, read_parameters, save
from nmt.checkpoint.handover import LEAST, Blank, assign_all, can_fill
from nmt.checkpoint.hdf5_dataset import Dataset
from nmt.checkpoint.names import extra_key
from nmt.checkpoint.parameters import Setter
from nmt.checkpoint.reader import open_checkpoint_file
from nmt.errors import CheckpointError

SIZE = LEAST  # items: LEAST bytes or more of any type


class Module(tf.Module):
    def __init__(self, *arrays: np.ndarray) -> None:
        super().__init__()
        self.held = [tf.Variable(array, name=f"v{i}") for i, array in enumerate(arrays)]


def address(value: tf.Tensor) -> int:
    return int(np.asarray(memoryview(value)).ctypes.data)


@pytest.mark.parametrize("code", ["f2", "f4", "f8", "i1", "i4", "u1", "i8"])
def test_a_variable_takes_over_the_memory(code):
    expected = (np.arange(SIZE) % 100).astype(code).reshape(2, -1)
    variable = tf.Variable(np.zeros_like(expected))
    assert can_fill(variable, expected.shape, expected.dtype)
    blank = Blank(expected.shape, expected.dtype)
    assert (blank.array.shape, blank.array.dtype) == (expected.shape, expected.dtype)
    blank.array[...] = expected
    variable.assign(blank.tensor)
    assert address(variable.read_value()) == blank.array.ctypes.data
    np.testing.assert_array_equal(variable.numpy(), expected)


class Changing:
    """A file whose third dataset has gone when it is read again."""

    def __init__(self) -> None:
        self.datasets = {key: Dataset(key, (SIZE,), np.dtype(np.float32), "", 0, 4 * SIZE) for key in "abcd"}

    def read_into(self, key: str, array: np.ndarray) -> None:
        array[...] = 5
        if key == "c":
            raise CheckpointError("a.h5", found="damage", expected="none", next_step="take another")


def test_a_file_that_changes_between_is_an_error_and_nothing_is_half_assigned(tmp_path):
    variables = {key: tf.Variable(np.ones(SIZE, np.float32)) for key in "abcd"}
    with pytest.raises(CheckpointError, match="damage"):
        assign_all(tmp_path, Changing(), [(key, Setter(variable)) for key, variable in variables.items()])
    for variable in variables.values():
        assert len(set(variable.numpy().tolist())) == 1
    assert float(variables["c"][0]) == 1.0


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((3,), np.dtype(np.float32)),
        ((), np.dtype(np.float32)),
        ((0, 4), np.dtype(np.float32)),
        ((SIZE,), np.dtype(bfloat16)),
        ((SIZE,), np.dtype(np.bool_)),
        ((SIZE,), np.dtype(">f4" if sys.byteorder == "little" else "<f4")),
    ],
    ids=["small", "scalar", "empty", "bfloat16", "truth values", "other byte order"],
)
def test_what_is_copied(shape, dtype):
    assert not can_fill(tf.Variable(0.0), shape, dtype)


def test_what_is_no_variable_of_tensorflow_or_not_run_at_once_is_copied():
    float32 = np.dtype(np.float32)
    assert not can_fill(np.ones(SIZE), (SIZE,), float32)
    with tf.Graph().as_default():
        assert not can_fill(tf.Variable(0.0), (SIZE,), float32)


def module_of_all_kinds(value: int) -> Module:
    codes = (np.float32, np.float16, bfloat16, np.bool_, np.int64)
    return Module(np.full(3, value, np.float32), *(np.full((SIZE,), value, code) for code in codes))


def test_loading_fills_what_it_can_and_copies_the_rest(tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(handover, "Blank", lambda shape, dtype: given.append(dtype.name) or Blank(shape, dtype))
    save(tmp_path / "a.h5", module_of_all_kinds(1), {})
    load(tmp_path / "a.h5", module := module_of_all_kinds(0))
    assert given == ["float32", "float16", "int64"]
    for variable in module.held:
        np.testing.assert_array_equal(variable.numpy().astype(np.float32), 1)


def test_a_foreign_file_fills_too(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["v0"] = np.arange(SIZE, dtype=">f4")
        file.create_dataset("v1", data=np.arange(SIZE, dtype="<f4"), compression="gzip")
        file["<tf_version>"] = "1.8.0"
    load(tmp_path / "a.h5", module := Module(np.zeros(SIZE, np.float32), np.zeros(SIZE, np.float32)))
    for variable in module.held:
        np.testing.assert_array_equal(variable.numpy(), np.arange(SIZE))


def test_training_in_place_changes_one_variable_alone(tmp_path):
    ones = np.ones((SIZE,), np.float32)
    module = Module(ones, 2 * ones)
    save(tmp_path / "a.h5", module, {})
    load(tmp_path / "a.h5", module)
    load(tmp_path / "a.h5", other := Module(ones, ones))
    first, second = module.held
    before = second.read_value()
    tf.raw_ops.ResourceApplyGradientDescent(var=first.handle, alpha=1.0, delta=ones)
    second.assign_add(ones)
    assert [float(variable[0]) for variable in module.held] == [0.0, 3.0]
    assert float(before[0]) == 2.0  # a value that was read stays
    assert [float(variable[-1]) for variable in other.held] == [1.0, 2.0]
    np.testing.assert_array_equal(read_parameters(tmp_path / "a.h5")["v0"], ones)


def assign_extras(path, variables):
    """Extras by name, as the slots of a run are assigned."""
    with open_checkpoint_file(path) as file:
        keys = {name: extra_key(name) for name in variables if extra_key(name) in file.datasets}
        return assign(path, file, {name: Setter(variable) for name, variable in variables.items()}, keys)


def test_extras_are_assigned_by_name(tmp_path):
    save(tmp_path / "a.h5", {}, {"m x": np.arange(SIZE, dtype=np.float32), "scale": np.float32(2), "note": "text"})
    wide, scalar = tf.Variable(np.zeros(SIZE, np.float32)), tf.Variable(0.0)
    assert str(assign_extras(tmp_path / "a.h5", {"m x": wide, "scale": scalar})) == "2 matched"
    np.testing.assert_array_equal(wide.numpy(), np.arange(SIZE))
    assert float(scalar) == 2.0


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [("b", np.zeros(2, np.float32), "nothing for b"), ("a", np.zeros(3, np.float32), "wrong shape or type of a")],
)
def test_extras_that_do_not_fit_are_refused_before_anything_is_assigned(tmp_path, name, value, found):
    save(tmp_path / "a.h5", {}, {"a": np.ones(2, np.float32), "fits": np.float32(1)})
    fits = tf.Variable(0.0)
    with pytest.raises(CheckpointError, match=found):
        assign_extras(tmp_path / "a.h5", {"fits": fits, name: tf.Variable(value)})
    assert float(fits) == 0.0


def test_damaged_extras_are_refused_before_anything_is_assigned(tmp_path):
    path = tmp_path / "a.h5"
    save(path, {}, {"a": np.ones(SIZE, np.float32), "b": np.full(SIZE, 2, np.float32)})
    content = bytearray(path.read_bytes())
    at = content.rindex(np.full(4, 2, np.float32).tobytes())
    content[at] ^= 1
    path.write_bytes(content)
    first, second = (tf.Variable(np.zeros(SIZE, np.float32)) for _ in "ab")
    with pytest.raises(CheckpointError, match="do not match their digest"):
        assign_extras(path, {"a": first, "b": second})
    assert float(first[0]) == 0.0
    assert np.asarray(read_extras(path, only=lambda name: name == "a")["a"])[0] == 1
