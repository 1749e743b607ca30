"""Whatever can be saved comes back as it was, byte for byte, through our reader and through the article's loop."""

from __future__ import annotations

import tempfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from ml_dtypes import bfloat16
from numpy.testing import assert_array_equal

from nmt.checkpoint.conversion import convert_file
from nmt.checkpoint.file import read_extras, read_parameters, save, verify

CODES = ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?"]
VERSIONS = ("tf_version", "format_version")
SETTINGS = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

part = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=" /<>\0"), min_size=1, max_size=12)
names = st.lists(part, min_size=1, max_size=4).map("/".join).filter(lambda name: name != ".")
shapes = array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
plain = st.sampled_from(CODES).flatmap(lambda code: arrays(code, shapes))
half = arrays("u2", shapes).map(lambda bits: np.asarray(bits).view(bfloat16))
values = st.one_of(plain, half)
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
extra_names = text.filter(
    lambda name: not set(name) & set("/<>\0") and name not in ("", "tf_version", "format_version", "digests")
)
extra_values = st.one_of(text, st.binary(max_size=40), st.integers(-(2**63), 2**63 - 1), st.floats(), values)


def same(a: object, b: object) -> bool:
    """Type, shape and bytes; NaN is itself."""
    if isinstance(a, np.ndarray | np.generic):
        return isinstance(b, np.ndarray) and (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    return type(a) is type(b) and (a == b or (a != a and b != b))


states = given(
    parameters=st.dictionaries(names, values, max_size=6), extras=st.dictionaries(extra_names, extra_values, max_size=4)
)


@settings(SETTINGS, max_examples=60)
@states
def test_any_state_comes_back(parameters, extras):
    round_trip(parameters, extras)


@pytest.mark.long
@settings(SETTINGS, max_examples=500)
@states
def test_five_hundred_states_come_back(parameters, extras):
    round_trip(parameters, extras)


def round_trip(parameters: dict[str, np.ndarray], extras: dict[str, object]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.h5"
        save(path, parameters, extras, sync=False)
        back = read_parameters(path)
        assert back.keys() == parameters.keys()
        assert all(same(parameters[name], back[name]) for name in parameters)
        found = {name: value for name, value in read_extras(path).items() if name not in VERSIONS}
        assert found.keys() == extras.keys()
        assert all(same(extras[name], found[name]) for name in extras)
        assert verify(path) == len(parameters) + len(extras) + 3


@settings(SETTINGS, max_examples=30)
@given(parameters=st.dictionaries(names, plain, max_size=6))
def test_the_hdf5_library_sees_the_same(parameters):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.h5"
        save(path, parameters, None, sync=False)
        with h5py.File(path) as file:
            found = {key.replace(" ", "/"): file[key][()] for key in file if not key.startswith("<")}
        assert found.keys() == parameters.keys()
        for name, value in parameters.items():
            assert_array_equal(found[name], value)


@settings(SETTINGS, max_examples=40)
@given(
    parameters=st.dictionaries(names, values, max_size=4),
    extras=st.dictionaries(extra_names, extra_values, max_size=4),
    ending=st.sampled_from(["npz", "safetensors"]),
)
def test_conversion_there_and_back_gives_the_same_file(parameters, extras, ending):
    with tempfile.TemporaryDirectory() as folder:
        first, middle, last = (Path(folder) / name for name in ("a.h5", f"b.{ending}", "c.h5"))
        save(first, parameters, extras, sync=False)
        convert_file(first, middle)
        convert_file(middle, last)
        assert first.read_bytes() == last.read_bytes()
