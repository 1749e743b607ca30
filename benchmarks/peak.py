"""What this machine can do: matrix products of the sizes that training consists of, in float32 and bfloat16.

    python -m benchmarks.peak [--device cpu|gpu] [--threads 2] [--repeats 7] [--json | --turns]

A program of its own, so that the cases can measure the limit in the same run as everything else; with --turns it takes
its turn among those that are measured (benchmarks/peers/turnstile.py), so that it meets the same moments as they do.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence

from benchmarks import harness
from benchmarks.contestants import Start, quiet_environment
from benchmarks.peers.turnstile import Turnstile

# name -> rows, inner, columns
PRODUCTS = {
    "2048^3": (2_048, 2_048, 2_048),
    "vocabulary, inner 256": (1_280, 256, 8_000),
    "vocabulary, inner 512": (1_280, 512, 8_000),
    "recurrent, 80 rows": (80, 512, 1_536),
    "recurrent, 256 rows": (256, 512, 1_536),
}
PEAK = "2048^3"
DTYPES = {"cpu": ("float32", "bfloat16"), "gpu": ("float32", "bfloat16", "float16")}  # float32 is TF32 on new GPUs
REPEATS_A_TURN = 10
OPERATIONS_A_REPEAT = {"cpu": 4e9, "gpu": 4e12}  # so that one takes some hundredths of a second

Peaks = dict[str, dict[str, dict[str, float]]]  # product, type -> harness.Summary as JSON


def measure(device: str, repeats: int, names: Sequence[str] = tuple(PRODUCTS)) -> dict[str, dict[str, harness.Summary]]:
    """GFLOP/s of each product in each type. A GPU is TensorFlow's first one."""
    import tensorflow as tf

    found: dict[str, dict[str, harness.Summary]] = {}
    for name in names:
        rows, inner, columns = PRODUCTS[name]
        work = 2 * rows * inner * columns
        calls = max(1, round(OPERATIONS_A_REPEAT[device] / work))
        found[name] = {}
        for dtype in DTYPES[device]:
            a = tf.cast(tf.random.stateless_normal([rows, inner], [1, 2]), dtype)
            b = tf.cast(tf.random.stateless_normal([inner, columns], [3, 4]), dtype)

            def products(a: tf.Tensor = a, b: tf.Tensor = b, calls: int = calls) -> None:
                for _ in range(calls):
                    product = tf.matmul(a, b)
                product[0, 0].numpy()  # waits for the device

            seconds = harness.seconds_of(products, warm_up=3, repeats=repeats)
            rate = calls * work / 1e9
            found[name][dtype] = harness.Summary(
                rate / seconds.median, rate / seconds.high, rate / seconds.low, seconds.count
            )
    return found


def use_threads(threads: int) -> None:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


def to_measure(threads: int, device: str) -> Start:
    """The limit as one that takes turns: each tells the best of many products as `gflop_per_s`, by type."""
    command = [sys.executable, "-m", "benchmarks.peak", f"--device={device}", f"--threads={threads}", "--turns"]
    return Start("peak", "the machine's limit", command, quiet_environment(threads, device))


def best(device: str, repeats: int) -> dict[str, dict[str, float]]:
    """What a turn tells."""
    (by_type,) = measure(device, repeats, [PEAK]).values()
    return {"gflop_per_s": {dtype: summary.high for dtype, summary in by_type.items()}}


def in_a_process(threads: int, repeats: int = 7, device: str = "cpu") -> Peaks:
    """The same, measured by a process that ends before anything else is."""
    hidden = {"CUDA_VISIBLE_DEVICES": "-1"} if device == "cpu" else {}
    asked = [f"--device={device}", f"--threads={threads}", f"--repeats={repeats}", "--json"]
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.peak", *asked],
        cwd=harness.ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **hidden},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
    )
    found: Peaks = json.loads(ran.stdout)
    return found


def table(peaks: Peaks) -> harness.Table:
    dtypes = list(peaks[PEAK])
    rows = [[name, *[f"{by_type[dtype]['median']:,.0f}" for dtype in dtypes]] for name, by_type in peaks.items()]
    return harness.Table("Matrix products, GFLOP/s", ["product", *dtypes], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=DTYPES, default="cpu")
    parser.add_argument("--threads", type=int, default=harness.cores())
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--turns", action="store_true", help="measure when told to, again and again")
    parsed = parser.parse_args()
    if parsed.turns:
        use_threads(parsed.threads)
        Turnstile().repeat(lambda: best(parsed.device, REPEATS_A_TURN))
    elif parsed.json:
        use_threads(parsed.threads)
        measured = measure(parsed.device, parsed.repeats)
        print(json.dumps({name: {d: s.as_json() for d, s in by.items()} for name, by in measured.items()}))
    else:
        print(table(in_a_process(parsed.threads, parsed.repeats, parsed.device)).markdown())


if __name__ == "__main__":
    main()
