"""What an HDF5 file may hold to be read by us: plain numbers, one dataset each, at the root."""

from __future__ import annotations

from pathlib import Path

import h5py

from nmt.checkpoint.errors import broken

NUMBERS = "fiub"  # NumPy kinds: float, signed, unsigned, bool


def names(path: Path, file: h5py.File, sealed: bool) -> list[str]:
    """All keys of a file. Raises CheckpointError, by name, for anything that is not a plain dataset of numbers.

    A file without our seal (of the 2018 code) may hold one variable-length string, `<tf_version>`.
    """
    for key in file:
        link = file.get(key, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise broken(path, f"a {type(link).__name__} called {key!r}, which leads elsewhere")
        if file.get(key, getclass=True) is not h5py.Dataset:
            raise broken(path, f"a group called {key!r} (the format is flat)")
        _check_dataset(path, key, file[key], sealed)
    return list(file)


def _check_dataset(path: Path, key: str, dataset: h5py.Dataset, sealed: bool) -> None:
    if dataset.is_virtual or dataset.external:
        raise broken(path, f"data of {key!r} that lie in another file")
    if dataset.id.get_create_plist().get_nfilters():
        raise broken(path, f"compressed or filtered data called {key!r}")
    if dataset.dtype.kind not in NUMBERS and not (key == "<tf_version>" and not sealed and dataset.shape == ()):
        raise broken(path, f"data of type {dataset.dtype} called {key!r}, which are not numbers")
