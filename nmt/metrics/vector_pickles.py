"""gensim's own format, read without running any code.

What gensim saves is a pickle, which can run anything when it is loaded. This reader takes every object for a record of
what the file says of it, makes arrays of those that it needs, and refuses a file that asks for anything else.

    W word, D dimension
"""

from __future__ import annotations

import collections
import io
import pickle
import struct
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from nmt.metrics.vector_archives import Matrix, StoredRows, not_vectors, open_npy
from nmt.metrics.vector_stream import HashedStream

_TYPES: dict[str, np.dtype[Any]] = {"f4": np.dtype(np.float32), "f8": np.dtype(np.float64)}
_BROKEN = (
    pickle.UnpicklingError, EOFError, AttributeError, ImportError, IndexError, KeyError, LookupError, MemoryError,
    OverflowError, RecursionError, TypeError, ValueError, AssertionError, struct.error,
)  # fmt: skip


class _Record:
    """Stands for an object: what it was made of, and its state. It can do nothing."""

    arguments: tuple[object, ...] = ()
    state: object = None

    def __init__(self, *arguments: object, **_: object) -> None:
        self.arguments = arguments

    def __setstate__(self, state: object) -> None:
        self.state = state


class _Array(_Record):
    """Of NumPy: `_reconstruct` with a state, or `_frombuffer`."""


class _Type(_Record):
    """Of NumPy, by the name that it is made with."""


def _encoded(text: str, encoding: str) -> bytes:
    """How protocols before 3 spell bytes."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"it asks for the encoding {encoding}")
    return text.encode("latin1")


_KNOWN: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Record,
    ("numpy", "dtype"): _Type,
    ("_codecs", "encode"): _encoded,
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("collections", "defaultdict"): collections.defaultdict,
}
for _core in ("core", "_core"):  # of NumPy 1 and 2
    _KNOWN[f"numpy.{_core}.multiarray", "_reconstruct"] = _Array
    _KNOWN[f"numpy.{_core}.numeric", "_frombuffer"] = _Array
    _KNOWN[f"numpy.{_core}.multiarray", "scalar"] = _Record
for _name in ("int", "float", "set", "frozenset", "bytearray", "complex", "slice", "hash"):
    _KNOWN["builtins", _name] = _Record


class _Reader(pickle._Unpickler):
    """The one in Python: that in C makes room for as many objects as a file says, up to 64 GB for five bytes of it."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _KNOWN:
            return _KNOWN[module, name]
        if module.split(".")[0] == "gensim" or module.startswith("numpy.random"):
            return _Record
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


def read_native(stream: HashedStream) -> tuple[list[str], Matrix, list[StoredRows]]:
    """Words, matrix_WD, and the files beside that hold arrays, of gensim's `KeyedVectors.save` or `Word2Vec.save`.

    Raises MetricError for a pickle of anything else, or where an array's file is missing.
    """
    path = stream.path
    try:
        saved = _Reader(io.BytesIO(stream.read_all())).load()
        record, prefix = _attributes(saved), str(path)
        if "wv" in record:
            record, prefix = _attributes(record["wv"]), f"{prefix}.wv"
        words = next((record[key] for key in ("index_to_key", "index2word") if key in record), None)
        if words is None:
            kind = "object" if isinstance(saved, _Record) else type(saved).__name__
            raise not_vectors(path, f"a pickle of {kind} without a list of words")
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise not_vectors(path, "a list of words that are no text")
        for key in ("vectors", "syn0"):
            if key in record and isinstance(record[key], _Array):
                return words, _array(record[key]), []
            if key in _beside(record):
                rows = open_npy(Path(f"{prefix}.{key}.npy"))
                return words, rows, [rows]
    except _BROKEN as error:
        raise not_vectors(path, f"a pickle that is no table of gensim ({error})") from error
    raise not_vectors(path, "a table of gensim without its vectors")


def _attributes(saved: object) -> dict[str, Any]:
    """Those of an object of gensim."""
    state = saved.state if isinstance(saved, _Record) else None
    return state if isinstance(state, dict) else {}


def _beside(record: dict[str, Any]) -> list[str]:
    """Names of the arrays that gensim put into files of their own."""
    return list(record["__numpys"]) if "__numpys" in record else []


def _array(record: _Array) -> NDArray[np.floating]:
    """Raises ValueError, TypeError or KeyError for what is no array of float32 or float64 in this machine's order."""
    parts = cast("tuple[Any, ...]", record.arguments if record.state is None else record.state)
    if record.state is None:  # what _frombuffer is called with
        data, kind, shape, order = parts
        by_column = order == "F"
    else:
        _, shape, kind, by_column, data = parts
    if not isinstance(kind, _Type) or not isinstance(data, bytes | bytearray):
        raise TypeError("an array of another kind")
    if isinstance(kind.state, tuple) and kind.state[1] == ">":
        raise ValueError("numbers in the order of another machine")
    return np.frombuffer(data, _TYPES[str(kind.arguments[0])]).reshape(shape, order="F" if by_column else "C")
