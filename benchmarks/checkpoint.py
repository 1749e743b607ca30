"""How fast checkpoints are saved and loaded: ours against safetensors, tf.train.Checkpoint and np.savez, in one run.

    python -m benchmarks.checkpoint --millions 50 200 --repeats 5 [--sync] [--folder DIR]

Each format saves the same float32 parameters and loads them; repeats go round the formats, so that all
of them meet the same machine, and medians are compared. With --sync every format's files are pushed to the disk, as
ours are in use; without it none are. Ours computes and checks its digests always. tf.train.Checkpoint saves from and
loads into variables, the others arrays. safetensors is left out where it is not installed. Then: how much longer a
training step takes while a save is under way. (Memory: tests/system/test_checkpoint_memory.py.)
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from nmt.checkpoint.file import read_parameters, save
from nmt.checkpoint.store import CheckpointStore

try:
    from safetensors.numpy import load_file, save_file
except ImportError:
    load_file = save_file = None

Parameters = dict[str, np.ndarray]


@dataclass(frozen=True)
class Format:
    """How to write parameters to a path in a folder, and how to read them."""

    save: Callable[[Path], object]
    load: Callable[[Path], object]


def parameters_of(millions: int, num_arrays: int) -> Parameters:
    """Of the size of a model, with a memory page of their own each."""
    size = millions * 1_000_000 // num_arrays
    generator = np.random.default_rng(0)
    one = generator.random(size, np.float32)
    return {f"layer{i}/kernel": one + np.float32(i) for i in range(num_arrays)}


def formats(parameters: Parameters) -> dict[str, Format]:
    variables = {name.replace("/", "_"): tf.Variable(value) for name, value in parameters.items()}
    checkpoint = tf.train.Checkpoint(**variables)
    found = {
        "ours": Format(lambda path: save(path, parameters, {}, sync=False), read_parameters),
        "tf.train.Checkpoint": Format(
            lambda path: checkpoint.write(str(path)), lambda path: checkpoint.read(str(path)).assert_consumed()
        ),
        "np.savez": Format(
            lambda path: np.savez(path.with_suffix(".npz"), **parameters),
            lambda path: read_npz(path.with_suffix(".npz")),
        ),
    }
    if save_file is not None:
        found["safetensors"] = Format(lambda path: save_file(parameters, path), load_file)
    return found


def read_npz(path: Path) -> Parameters:
    with np.load(path) as archive:
        return {name: archive[name] for name in archive.files}


def push(folder: Path) -> None:
    """Every file of a folder, and the folder, to the disk."""
    for path in [*folder.iterdir(), folder]:
        fd = os.open(path, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def settle(parameters: Parameters) -> None:
    """What others left to be written is not this one's work, nor is getting memory that a virtual machine gave back."""
    os.sync()
    np.ones(sum(value.nbytes for value in parameters.values()), np.uint8)


def compare(parameters: Parameters, folder: Path, repeats: int, sync: bool) -> dict[str, dict[str, float]]:
    """Medians of the seconds of each format; the first round warms up and does not count."""
    found = formats(parameters)
    times: dict[str, dict[str, list[float]]] = {name: {"save_s": [], "load_s": []} for name in found}
    for _ in range(repeats + 1):
        for name, format_ in found.items():
            home = folder / name
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir()
            settle(parameters)

            def saved(format_: Format = format_, home: Path = home) -> None:
                format_.save(home / "model")
                if sync:
                    push(home)

            times[name]["save_s"].append(seconds(saved))
            settle(parameters)
            times[name]["load_s"].append(seconds(lambda f=format_, h=home: f.load(h / "model")))
            shutil.rmtree(home)
    return {name: {key: statistics.median(values[1:]) for key, values in pair.items()} for name, pair in times.items()}


def steps_beside_saving(parameters: Parameters, folder: Path) -> dict[str, float]:
    """Median seconds of a training step alone, and while the store writes."""
    weights = tf.Variable(tf.random.stateless_normal([768, 768], [0, 0]))
    data = tf.random.stateless_normal([1024, 768], [0, 1])

    @tf.function
    def step() -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(tf.tanh(data @ weights) @ weights))
        weights.assign_sub(1e-3 * tape.gradient(loss, weights))
        return loss

    def one() -> float:
        return seconds(lambda: step().numpy())

    [one() for _ in range(20)]
    alone, beside = [], []
    with CheckpointStore(folder / "store", keep=0) as store:
        for number in range(3):
            alone += [one() for _ in range(60)]
            store.save(number, parameters, {}, best=False)
            assert store._thread is not None
            while store._thread.is_alive():
                beside.append(one())
    return {
        "step_alone_s": statistics.median(alone),
        "step_beside_s": statistics.median(beside),
        "mean_alone_s": statistics.fmean(alone),
        "mean_beside_s": statistics.fmean(beside),
        "steps_beside": len(beside),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millions", type=int, nargs="+", default=[50])
    parser.add_argument("--arrays", type=int, default=32, help="how many there are, of one size")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--sync", action="store_true")
    parser.add_argument("--folder", type=Path)
    parsed = parser.parse_args()
    for millions in parsed.millions:
        parameters = parameters_of(millions, parsed.arrays)
        with tempfile.TemporaryDirectory(dir=parsed.folder) as name:
            folder = Path(name)
            result: dict[str, object] = {
                "millions": millions,
                "sync": parsed.sync,
                "repeats": parsed.repeats,
                "arrays": parsed.arrays,
            }
            result["seconds"] = compare(parameters, folder, parsed.repeats, parsed.sync)
            result["training"] = steps_beside_saving(parameters, folder)
        print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
