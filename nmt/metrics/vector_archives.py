"""Readers of tables that others saved as arrays: gensim's own format, and `.npz`.

gensim's `save` is a pickle, which can run any code when it is loaded. This reader runs none: it rebuilds arrays and
plain containers, takes gensim's objects for bare records, and refuses whatever else a file asks for.

    W word, D dimension
"""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nmt.errors import MetricError
from nmt.metrics.vector_stream import HashedStream

# What arrays and containers are made of, under the names of NumPy 1 and 2.
_HARMLESS = {
    (f"numpy.{core}.{module}", name)
    for core in ("core", "_core")
    for module, name in (("multiarray", "_reconstruct"), ("multiarray", "scalar"), ("numeric", "_frombuffer"))
} | {("numpy", "ndarray"), ("numpy", "dtype"), ("collections", "OrderedDict"), ("collections", "defaultdict")}
_HARMLESS |= {("builtins", name) for name in ("int", "float", "set", "frozenset", "bytearray", "complex", "slice")}
_HARMLESS |= {("_codecs", "encode")}


class _Record:
    """Stands for an object of gensim: its attributes, and nothing that it can do."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        if isinstance(state, dict):
            self.__dict__.update(state)


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _HARMLESS:
            return super().find_class(module, name)
        if (
            module.split(".")[0] == "gensim"
            or module.startswith("numpy.random")
            or (module, name) == ("builtins", "hash")
        ):
            return _Record
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


def read_native(stream: HashedStream) -> tuple[list[str], NDArray[np.floating], list[Path]]:
    """Words, matrix_WD, and the files beside that hold arrays, of gensim's `KeyedVectors.save` or `Word2Vec.save`.

    Raises MetricError for a pickle of anything else, or where an array's file is missing.
    """
    path = stream.path
    try:
        saved = _Reader(io.BytesIO(stream.read_all())).load()
    except (pickle.UnpicklingError, EOFError, AttributeError, ImportError, IndexError, TypeError, ValueError) as error:
        raise _not_vectors(path, f"a pickle that is no table of gensim ({error})") from error
    record = _attributes(saved)
    prefix = str(path)
    if "wv" in record:
        record, prefix = _attributes(record["wv"]), f"{prefix}.wv"
    words = next((record[key] for key in ("index_to_key", "index2word") if key in record), None)
    if words is None:
        raise _not_vectors(path, f"a pickle of {type(saved).__name__.lstrip('_').lower()} without a list of words")
    for key in ("vectors", "syn0"):
        if key in record and isinstance(record[key], np.ndarray):
            return list(words), record[key], []
        beside = Path(f"{prefix}.{key}.npy")
        if key in _beside(record):
            return list(words), _load_array(beside), [beside]
    raise _not_vectors(path, "a table of gensim without its vectors")


def _attributes(saved: object) -> dict[str, Any]:
    return vars(saved) if isinstance(saved, _Record) else {}


def _beside(record: dict[str, Any]) -> list[str]:
    """Names of the arrays that gensim put into files of their own."""
    return list(record["__numpys"]) if "__numpys" in record else []


def _load_array(path: Path) -> NDArray[np.floating]:
    try:
        array: NDArray[np.floating] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        found = "no such file" if not path.exists() else f"no array ({error})"
        raise MetricError(
            str(path),
            found=found,
            expected="the array that gensim saved beside the table",
            next_step="keep the files of a table together",
        ) from error
    return array


def read_npz(stream: HashedStream) -> tuple[list[str], NDArray[np.floating]]:
    """The arrays `words` [W] (text) and `vectors` [W, D] (float32 or float64) of an `.npz`.

    Raises MetricError where either is missing, or of another shape or type.
    """
    path = stream.path
    try:
        with zipfile.ZipFile(io.BytesIO(stream.read_all()) if stream.mapped is None else path) as archive:
            names = sorted(name.removesuffix(".npy") for name in archive.namelist())
            if not {"words", "vectors"} <= set(names):
                raise _not_vectors(path, f"the arrays {names}", "arrays named words and vectors")
            words_W = _member(archive, "words.npy")
            stored = stream.mapped is not None and archive.getinfo("vectors.npy").compress_type == zipfile.ZIP_STORED
            matrix_WD = _mapped_member(archive, path) if stored else _member(archive, "vectors.npy")
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise _not_vectors(path, f"no .npz that can be read without running code ({error})") from error
    if words_W.dtype.kind != "U" or words_W.ndim != 1:
        raise _not_vectors(path, f"words of type {words_W.dtype} and shape {words_W.shape}", "a list of text")
    return words_W.tolist(), matrix_WD


def _member(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    with archive.open(name) as file:
        array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)  # type: ignore[no-untyped-call]
    return array


def _mapped_member(archive: zipfile.ZipFile, path: Path) -> NDArray[np.floating]:
    """The array vectors.npy, which is not compressed, where it lies in the file."""
    member = archive.getinfo("vectors.npy")
    with archive.open(member) as file:
        if np.lib.format.read_magic(file) == (1, 0):  # type: ignore[no-untyped-call]
            shape, by_column, dtype = np.lib.format.read_array_header_1_0(file)  # type: ignore[no-untyped-call]
        else:
            shape, by_column, dtype = np.lib.format.read_array_header_2_0(file)  # type: ignore[no-untyped-call]
        header = file.tell()
    if dtype.hasobject:
        raise ValueError("vectors that are Python objects")
    with path.open("rb") as raw:
        raw.seek(member.header_offset + 26)  # of the lengths of name and extra field, which end the member's own header
        name, extra = struct.unpack("<HH", raw.read(4))
    start = member.header_offset + 30 + name + extra + header
    return np.memmap(path, dtype, "r", start, shape, order="F" if by_column else "C")


def check_table(path: Path, words: list[str], matrix_WD: NDArray[np.floating]) -> None:
    """Raises MetricError unless the matrix has a row of float32 or float64 for each word."""
    if matrix_WD.ndim != 2 or len(matrix_WD) != len(words) or matrix_WD.dtype not in (np.float32, np.float64):
        found = f"vectors of type {matrix_WD.dtype} and shape {matrix_WD.shape} for {len(words)} words"
        raise _not_vectors(path, found, "a row of float32 or float64 for each word")


def _not_vectors(
    path: Path, found: str, expected: str = "gensim's KeyedVectors or an .npz of words and vectors"
) -> MetricError:
    return MetricError(
        str(path), found=found, expected=expected, next_step="save the table in one of the forms that docs/wmd.md lists"
    )
