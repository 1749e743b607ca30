"""Wrote the golden checkpoints beside this file, once. They must load for ever: never write them anew.

python tests/golden/make_checkpoints.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path
from unittest import mock

import h5py
import numpy as np
from ml_dtypes import bfloat16

from nmt.checkpoint.file import save


def parameters() -> dict[str, np.ndarray]:
    """Range-filled, of every type."""
    plain = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8")
    values: dict[str, np.ndarray] = {f"types/{code}": np.arange(1, 7).astype(code).reshape(2, 3) for code in plain}
    values["types/bfloat16"] = np.array([1.5, -2.0, 3.0], bfloat16)
    values["types/bool"] = np.array([True, False, True])
    values["shapes/scalar"] = np.array(0.5, np.float32)
    values["shapes/empty"] = np.zeros((2, 0, 3), np.float32)
    values["encoder/größe"] = np.arange(4, dtype=np.float32)
    return values


def extras() -> dict[str, object]:
    slot = np.arange(4, dtype=np.float32) / 8
    return {
        "config": "seed: 1\nname: ä\n",
        "raw": bytes(range(8)),
        "step": 7,
        "rate": 0.125,
        "empty": "",
        "adam_m encoder größe": slot,
    }


def write(folder: Path) -> None:
    with mock.patch("nmt.checkpoint.writer.tensorflow_version", return_value="2.21.0"):
        save(folder / "checkpoint_v1.h5", parameters(), extras())
        save(folder / "checkpoint_v1_plain.h5", parameters(), None)


def write_2018(folder: Path) -> None:
    """As the code of 2018 did: names of TensorFlow's outputs, and a string of variable length."""
    with h5py.File(folder / "checkpoint_2018.h5", "w") as file:
        file.create_dataset("encoder fw gru kernel:0", data=np.arange(6, dtype=np.float32).reshape(2, 3))
        file.create_dataset("decoder bias:0", data=np.arange(3, dtype=np.float32))
        file.create_dataset("<tf_version>", data="1.8.0", dtype=h5py.string_dtype())


if __name__ == "__main__":
    write(Path(sys.argv[1]))
    write_2018(Path(sys.argv[1]))
