"""How fast checkpoints are saved and loaded: ours against safetensors, tf.train.Checkpoint and np.savez, in one run.

    python -m benchmarks.checkpoint [--millions 50 200] [--repeats 7] [--write]

Each format saves the same float32 parameters and loads them; repeats go round the formats, so that all of them meet the
same machine, and medians are compared. All of it twice: with every format's files pushed to the disk, as ours are in
use, and with none. Ours computes and checks its digests always. tf.train.Checkpoint saves from and loads into
variables, as ours can too, the others arrays. Then: peak memory of one save and one load, the pause of a step that
takes a snapshot, and how much longer training steps take while a save is under way.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from safetensors.numpy import load_file, save_file

from benchmarks import harness
from nmt.checkpoint.file import load, read_parameters, save
from nmt.checkpoint.parameters import param_values
from nmt.checkpoint.store import CheckpointStore

OURS, RIVAL = "ours", "safetensors"
SAVES, STEPS_ALONE = 5, 40  # of the part beside training
Parameters = dict[str, np.ndarray]


@dataclass(frozen=True)
class Format:
    """How to write parameters to a path in a folder, and how to read them."""

    save: Callable[[Path], object]
    load: Callable[[Path], object]


def parameters_of(millions: int, num_arrays: int) -> Parameters:
    """Of the size of a model, with memory of their own each."""
    size = millions * 1_000_000 // num_arrays
    one = np.random.default_rng(0).random(size, np.float32)
    return {f"layer{i}/kernel": one + np.float32(i) for i in range(num_arrays)}


class Holder(tf.Module):
    """Variables that are there already."""

    def __init__(self, variables: dict[str, tf.Variable]) -> None:
        super().__init__()
        self.held = list(variables.values())


def formats(parameters: Parameters) -> dict[str, Format]:
    variables = {name.replace("/", "_"): tf.Variable(value, name=name) for name, value in parameters.items()}
    checkpoint, module = tf.train.Checkpoint(**variables), Holder(variables)
    return {
        OURS: Format(lambda path: save(path, parameters, {}, sync=False), read_parameters),
        "ours, from and into variables": Format(
            lambda path: save(path, module, {}, sync=False), lambda path: load(path, module)
        ),
        RIVAL: Format(lambda path: save_file(parameters, path), load_file),
        "tf.train.Checkpoint": Format(
            lambda path: checkpoint.write(str(path)), lambda path: checkpoint.read(str(path)).assert_consumed()
        ),
        "np.savez": Format(
            lambda path: np.savez(path.with_suffix(".npz"), **parameters),  # type: ignore[arg-type]
            lambda path: read_npz(path.with_suffix(".npz")),
        ),
    }


def read_npz(path: Path) -> Parameters:
    with np.load(path) as archive:
        return {name: archive[name] for name in archive.files}


def push(folder: Path) -> None:
    """Every file of a folder, and the folder, to the disk."""
    for path in [*folder.iterdir(), folder]:
        fd = os.open(path, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)


def settle(parameters: Parameters) -> None:
    """What others left to be written is not this one's work, nor is getting memory that a virtual machine gave back."""
    os.sync()
    np.ones(sum(value.nbytes for value in parameters.values()), np.uint8)


def once(format_: Format, home: Path, parameters: Parameters, sync: bool) -> tuple[float, float]:
    """Seconds of one save and one load."""
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    settle(parameters)
    began = time.perf_counter()
    format_.save(home / "model")
    if sync:
        push(home)
    saved = time.perf_counter() - began
    settle(parameters)
    began = time.perf_counter()
    found = format_.load(home / "model")
    loaded = time.perf_counter() - began
    del found
    shutil.rmtree(home)
    return saved, loaded


def compare(found: dict[str, Format], parameters: Parameters, folder: Path, repeats: int, sync: bool) -> dict[str, Any]:
    """Seconds of each format; the first round warms up and does not count."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in found}
    for _ in range(repeats + 1):
        for name, format_ in found.items():
            times[name].append(once(format_, folder / "home", parameters, sync))
    return {
        name: {
            which: harness.summarise([pair[place] for pair in pairs[1:]]).as_json()
            for place, which in enumerate(("save_s", "load_s"))
        }
        for name, pairs in times.items()
    }


def memory_mb(which: str) -> float:
    """VmRSS or VmHWM of this process. Pages of files that are mapped count too, as for safetensors."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(which))


def peaks(found: dict[str, Format], folder: Path) -> dict[str, dict[str, float]]:
    """MB of 10^6 bytes above what there was before. Of a load, what it returns is part of it."""
    extra: dict[str, dict[str, float]] = {}
    for name, format_ in found.items():
        home = folder / "memory"
        home.mkdir()
        extra[name] = {}
        for which, call in (("save_mb", format_.save), ("load_mb", format_.load)):
            Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
            before = memory_mb("VmRSS:")
            result = call(home / "model")
            extra[name][which] = memory_mb("VmHWM:") - before
            del result
        shutil.rmtree(home)
    return extra


class Model(tf.Module):
    """As many weights as are saved, and a step of a hundredth of a second or some on a few of them."""

    def __init__(self, parameters: Parameters) -> None:
        super().__init__()
        self.saved = [tf.Variable(value, name=name) for name, value in parameters.items()]
        self.weights = tf.Variable(tf.random.stateless_normal([768, 768], [0, 0]), name="weights")
        self.data = tf.random.stateless_normal([1024, 768], [0, 1])

    @tf.function
    def step(self) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(tf.tanh(self.data @ self.weights) @ self.weights))
        self.weights.assign_sub(1e-3 * tape.gradient(loss, self.weights))
        return loss

    def seconds(self) -> float:
        began = time.perf_counter()
        self.step().numpy()
        return time.perf_counter() - began


def beside_training(parameters: Parameters, folder: Path) -> dict[str, float]:
    """Steps alone and while the store writes, in turn; and the pause of a step that takes the snapshot."""
    model = Model(parameters)
    for _ in range(20):
        model.seconds()
    alone, beside, pauses = [], [], []
    with CheckpointStore(folder / "store", keep=0) as store:
        for number in range(SAVES):
            alone += [model.seconds() for _ in range(STEPS_ALONE)]
            began = time.perf_counter()
            store.save(number, param_values(model), {}, best=False)
            pauses.append(time.perf_counter() - began)
            assert store._thread is not None
            while store._thread.is_alive():
                beside.append(model.seconds())
    return {
        "step_alone_s": statistics.median(alone),
        "step_beside_s": statistics.median(beside),
        "ratio": statistics.median(beside) / statistics.median(alone),
        "ratio_of_means": statistics.fmean(beside) / statistics.fmean(alone),
        "steps_beside": len(beside),
        "pause_s": statistics.median(pauses),
    }


def measure(millions: int, arrays: int, repeats: int, folder: Path) -> dict[str, Any]:
    parameters = parameters_of(millions, arrays)
    found = formats(parameters)
    result: dict[str, Any] = {}
    for key, sync in (("to the disk", True), ("to the page cache", False)):
        print(f"{millions} million, {key} ...", file=sys.stderr)
        result[key] = compare(found, parameters, folder, repeats, sync)
    result["memory"] = peaks(found, folder)
    del found
    print(f"{millions} million, beside training ...", file=sys.stderr)
    result["training"] = beside_training(parameters, folder)
    return result


def tables(millions: int, result: dict[str, Any]) -> list[harness.Table]:
    """Seconds and their ratio to the rival's; memory."""
    head = ["format", "save, s", "spread", f"to {RIVAL}", "load, s", "spread", f"to {RIVAL}"]
    made = []
    for key in ("to the disk", "to the page cache"):
        rows = []
        for name, figures in result[key].items():
            row = [name]
            for which in ("save_s", "load_s"):
                one, base = figures[which], result[key][RIVAL][which]
                ratio = one["median"] / base["median"]
                row += [f"{one['median']:.3f}", f"{one['spread_pct']:.0f} %", f"{ratio:.2f}"]
            rows.append(row)
        made.append(harness.Table(f"{millions} million float32, saved {key}", head, rows))
    rows = [[name, f"{one['save_mb']:,.0f}", f"{one['load_mb']:,.0f}"] for name, one in result["memory"].items()]
    size = millions * 4
    made.append(harness.Table(f"Peak extra memory, MB, of {size} MB", ["format", "save", "load"], rows))
    return made


def training_table(results: dict[int, dict[str, Any]]) -> harness.Table:
    head = ["float32, millions", "step alone, ms", "beside a save, ms", "ratio", "of means", "steps", "pause, s"]
    rows = []
    for millions, result in results.items():
        one = result["training"]
        rows.append(
            [
                str(millions),
                f"{1000 * one['step_alone_s']:.1f}",
                f"{1000 * one['step_beside_s']:.1f}",
                f"{one['ratio']:.3f}",
                f"{one['ratio_of_means']:.3f}",
                str(one["steps_beside"]),
                f"{one['pause_s']:.3f}",
            ]
        )
    return harness.Table("Training while a save is under way", head, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millions", type=int, nargs="+", default=[50, 200])
    parser.add_argument("--arrays", type=int, default=32, help="how many there are, of one size")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--folder", type=Path, help="where files are written; by default where temporary ones are")
    parser.add_argument("--noisy", action="store_true", help="measure on a busy machine too")
    parser.add_argument("--write", action="store_true", help="add a section to RESULTS.md")
    parsed = parser.parse_args()
    described = harness.about(parsed.noisy)
    results: dict[int, dict[str, Any]] = {}
    for millions in parsed.millions:
        with tempfile.TemporaryDirectory(dir=parsed.folder) as name:
            results[millions] = measure(millions, parsed.arrays, parsed.repeats, Path(name))
    shown = [table for millions, result in results.items() for table in tables(millions, result)]
    notes = [
        "Load: from the page cache, digests of ours checked. Memory of a load includes what it returns; "
        "tf.train.Checkpoint loads into variables that are there. Pause: copying the weights before the save begins."
    ]
    raw = {str(millions): result for millions, result in results.items()}
    harness.finish("checkpoint", [*shown, training_table(results)], described, raw, notes, parsed.write)


if __name__ == "__main__":
    main()
