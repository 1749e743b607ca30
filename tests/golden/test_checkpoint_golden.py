"""Files of format version 1, and of 2018, as they were written: they must load for ever, and be written so for ever."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from nmt.checkpoint.file import read_extras, read_parameters, verify
from tests.golden.make_checkpoints import extras, parameters, write

HERE = Path(__file__).parent
SHA256 = {
    "checkpoint_v1.h5": "5dfb805508b47b762f38c3f5c0335430f8b13acdb4fe90a275bb87620781c61d",
    "checkpoint_v1_plain.h5": "e882f2eaed59ac5b5ac468713c8a8460d0fa5d9973f44fd159e05d9cd151f7ba",
    "checkpoint_2018.h5": "e2d35873708db606ed6d91b711c9bf0679c1573e1ac82c21aed8da6228955736",
}


@pytest.mark.parametrize("name", SHA256)
def test_the_golden_files_are_untouched(name):
    assert hashlib.sha256((HERE / name).read_bytes()).hexdigest() == SHA256[name]


@pytest.mark.parametrize("name", ["checkpoint_v1.h5", "checkpoint_v1_plain.h5"])
def test_version_1_loads(name):
    found = read_parameters(HERE / name)
    assert found.keys() == parameters().keys()
    for key, value in parameters().items():
        assert (found[key].dtype, found[key].shape) == (value.dtype, value.shape)
        assert_array_equal(found[key], value)
    assert verify(HERE / name) == len(found) + (9 if name == "checkpoint_v1.h5" else 1)


def test_extras_of_version_1_load():
    found = read_extras(HERE / "checkpoint_v1.h5")
    assert (found.pop("tf_version"), found.pop("format_version")) == ("2.21.0", 1)
    expected = extras()
    assert_array_equal(found.pop("adam_m encoder größe"), expected.pop("adam_m encoder größe"))
    assert found == expected
    assert read_extras(HERE / "checkpoint_v1_plain.h5") == {"tf_version": "2.21.0"}


def test_2018_loads():
    found = read_parameters(HERE / "checkpoint_2018.h5")
    assert found.keys() == {"encoder/fw/gru/kernel", "decoder/bias"}
    assert_array_equal(found["encoder/fw/gru/kernel"], np.arange(6, dtype=np.float32).reshape(2, 3))
    assert_array_equal(found["decoder/bias"], np.arange(3, dtype=np.float32))
    assert read_extras(HERE / "checkpoint_2018.h5") == {"tf_version": "1.8.0"}


@pytest.mark.parametrize("name", ["checkpoint_v1.h5", "checkpoint_v1_plain.h5"])
def test_the_same_content_makes_the_same_bytes(tmp_path, name):
    """On every platform and with every version of the HDF5 library that the project allows."""
    write(tmp_path)
    assert (tmp_path / name).read_bytes() == (HERE / name).read_bytes()
