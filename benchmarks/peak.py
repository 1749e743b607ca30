"""What this machine can do: matrix products of the sizes that training consists of, in float32 and bfloat16.

    python -m benchmarks.peak [--threads 2] [--repeats 7]

A program of its own, so that the cases can measure the limit in the same run as everything else.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys

from benchmarks import harness

# name -> rows, inner, columns
PRODUCTS = {
    "2048^3": (2_048, 2_048, 2_048),
    "vocabulary, inner 256": (1_280, 256, 8_000),
    "vocabulary, inner 512": (1_280, 512, 8_000),
    "recurrent, 80 rows": (80, 512, 1_536),
    "recurrent, 256 rows": (256, 512, 1_536),
}
PEAK = "2048^3"
DTYPES = ("float32", "bfloat16")

Peaks = dict[str, dict[str, dict[str, float]]]  # product, type -> harness.Summary as JSON


def measure(repeats: int, threads: int) -> dict[str, dict[str, harness.Summary]]:
    """GFLOP/s of each product in each type."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    found: dict[str, dict[str, harness.Summary]] = {}
    for name, (rows, inner, columns) in PRODUCTS.items():
        work = 2 * rows * inner * columns
        calls = max(1, round(4e9 / work))  # so that a repeat takes some hundredths of a second
        found[name] = {}
        for dtype in DTYPES:
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


def in_a_process(threads: int, repeats: int = 7, device: str = "cpu") -> Peaks:
    """The same, measured by a process that ends before anything else is."""
    hidden = {"CUDA_VISIBLE_DEVICES": "-1"} if device == "cpu" else {}
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.peak", f"--threads={threads}", f"--repeats={repeats}"],
        cwd=harness.ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **hidden},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(ran.stdout)


def table(peaks: Peaks) -> harness.Table:
    rows = [[name, *[f"{by_type[dtype]['median']:.0f}" for dtype in DTYPES]] for name, by_type in peaks.items()]
    return harness.Table("Matrix products, GFLOP/s", ["product", *DTYPES], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=harness.cores())
    parser.add_argument("--repeats", type=int, default=7)
    parsed = parser.parse_args()
    found = measure(parsed.repeats, parsed.threads)
    print(json.dumps({name: {dtype: s.as_json() for dtype, s in by.items()} for name, by in found.items()}, indent=2))


if __name__ == "__main__":
    main()
