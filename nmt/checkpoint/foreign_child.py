"""The child process that opens a foreign HDF5 file: a script of its own, which imports nothing of this project.

    python -I foreign_child.py MEMORY_BYTES CPU_SECONDS MOST_BYTES < FILE

It answers on standard output with one line of JSON: {"refused": TEXT}, {"broken": TEXT}, {"not_hdf5": ""} or
{"plan": [[KEY, TYPE, SHAPE, OFFSET], ...]}. After a plan come the numbers of those datasets whose OFFSET is -1; those
of the others lie in the file there, as they are.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from typing import Any

# Each thread of a numerical library would ask for a stack of its own, and none is needed.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"

import h5py  # noqa: E402
import numpy as np  # noqa: E402

BLOCK = 1 << 22  # bytes read at a time
MOST_LINKS = 50_000
LONGEST_VERSION = 64
FILTERS = (h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32)
LINKS = {h5py.h5l.TYPE_SOFT: "the soft link", h5py.h5l.TYPE_EXTERNAL: "the external link"}
PLAIN = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8")
TF_VERSION = "<tf_version>"


class RefusalError(Exception):
    """Something that a checkpoint never holds."""


def main() -> None:
    memory, cpu_s, most_bytes = map(int, sys.argv[1:])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    out = os.fdopen(1, "wb", buffering=BLOCK)
    try:
        with os.fdopen(0, "rb", closefd=False) as source, h5py.File(source, "r") as file:
            datasets = look(file, most_bytes)
            out.write(json.dumps({"plan": [line for line, _ in datasets]}).encode() + b"\n")
            for (_, _, shape, offset), dataset in datasets:
                if offset < 0:
                    copy(out, dataset, shape)
    except RefusalError as refusal:
        answer(out, "refused", str(refusal))
    except MemoryError:
        answer(out, "refused", "a file that takes more memory to open than a checkpoint does")
    except Exception as error:  # whatever the library says of a broken file
        answer(out, "broken", f"{type(error).__name__}: {error}")
    out.flush()
    os._exit(0)  # a broken file may also break the library's own tidying up


def answer(out: Any, kind: str, text: str) -> None:
    out.write(json.dumps({kind: text}).encode() + b"\n")


def look(file: h5py.File, most_bytes: int) -> list[tuple[tuple[str, str, tuple[int, ...], int], h5py.h5d.DatasetID]]:
    """Every dataset with its line of the plan. Raises RefusalError."""
    root, found, total = file.id, [], 0
    if len(root) > MOST_LINKS:
        raise RefusalError(f"{len(root)} links")
    for raw in list(root):
        key = raw.decode()
        link = root.links.get_info(raw).type
        if link != h5py.h5l.TYPE_HARD:
            raise RefusalError(f"{LINKS.get(link, 'an unknown kind of link')} {key!r}")
        dataset = h5py.h5o.open(root, raw)
        if not isinstance(dataset, h5py.h5d.DatasetID):
            called = "the group" if isinstance(dataset, h5py.h5g.GroupID) else "the named type"
            raise RefusalError(f"{called} {key!r}")
        line = describe(key, dataset)
        found.append((line, dataset))
        total += num_bytes(line[1], line[2])
        if total > most_bytes:
            raise RefusalError(f"{total:,} bytes of numbers or more, too many for a file of this size,")
    return found


def describe(key: str, dataset: h5py.h5d.DatasetID) -> tuple[str, str, tuple[int, ...], int]:
    """One line of the plan. Raises RefusalError."""
    create = dataset.get_create_plist()
    layout = create.get_layout()
    if layout == h5py.h5d.VIRTUAL:
        raise RefusalError(f"the virtual dataset {key!r}")
    if create.get_external_count():
        raise RefusalError(f"the externally stored dataset {key!r}")
    for number in range(create.get_nfilters()):
        code, _, _, name = create.get_filter(number)
        if code not in FILTERS:
            raise RefusalError(f"the filter {name.decode(errors='replace') or code} at {key!r}")
    shape, dtype = tuple(dataset.shape or ()), plain_type(key, dataset)
    if dtype == "text":
        version(dataset)
        return key, dtype, (), -1
    size = num_bytes(dtype, shape)
    if layout == h5py.h5d.CONTIGUOUS and size:
        if dataset.get_storage_size() != size:
            raise RefusalError(f"a dataset without its numbers at {key!r}")
        return key, dtype, shape, dataset.get_offset()
    return key, dtype, shape, -1


def plain_type(key: str, dataset: h5py.h5d.DatasetID) -> str:
    """NumPy's code of plain numbers, or `text`. Raises RefusalError."""
    kind = dataset.get_type()
    simple = dataset.get_space().get_simple_extent_type()
    if simple == h5py.h5s.NULL:
        raise RefusalError(f"a dataset without a shape at {key!r}")
    if key == TF_VERSION and isinstance(kind, h5py.h5t.TypeStringID) and simple == h5py.h5s.SCALAR:
        return "text"
    if isinstance(kind, h5py.h5t.TypeIntegerID | h5py.h5t.TypeFloatID):
        dtype = kind.dtype
        if dtype.newbyteorder("=").str[1:] in PLAIN and kind.equal(h5py.h5t.py_create(dtype)):
            return str(dtype.str)
    raise RefusalError(f"{type(kind).__name__.removeprefix('Type').removesuffix('ID').lower()} elements at {key!r}")


def num_bytes(dtype: str, shape: tuple[int, ...]) -> int:
    total = LONGEST_VERSION if dtype == "text" else np.dtype(dtype).itemsize
    for size in shape:
        total *= size
    return total


def copy(out: Any, dataset: h5py.h5d.DatasetID, shape: tuple[int, ...]) -> None:
    """The numbers of a dataset, a few rows at a time; text padded to LONGEST_VERSION bytes."""
    high = h5py.Dataset(dataset)
    if isinstance(dataset.get_type(), h5py.h5t.TypeStringID):
        out.write(version(dataset).ljust(LONGEST_VERSION, b"\0"))
    elif not shape:
        out.write(np.asarray(high[()]).tobytes())
    elif 0 not in shape:
        rows = max(1, BLOCK // (num_bytes(dataset.dtype.str, shape) // shape[0]))
        for start in range(0, shape[0], rows):
            out.write(np.ascontiguousarray(high[start : start + rows]).tobytes())


def version(dataset: h5py.h5d.DatasetID) -> bytes:
    """The one text. Raises RefusalError for a long one."""
    text = h5py.Dataset(dataset)[()]
    raw = text if isinstance(text, bytes) else str(text).encode()
    if len(raw) > LONGEST_VERSION:
        raise RefusalError(f"a version of {len(raw)} bytes")
    return bytes(raw)


if __name__ == "__main__":
    main()
