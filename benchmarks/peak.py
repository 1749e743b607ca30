"""What this machine can do: matrix products of the sizes that training consists of, in float32 and bfloat16.

    python -m benchmarks.peak [--device cpu|gpu] [--threads 2] [--repeats 7] [--json]

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
DTYPES = {"cpu": ("float32", "bfloat16"), "gpu": ("float32", "bfloat16", "float16")}  # float32 is TF32 on new GPUs
OPERATIONS_A_REPEAT = {"cpu": 4e9, "gpu": 4e12}  # so that one takes some hundredths of a second

Peaks = dict[str, dict[str, dict[str, float]]]  # product, type -> harness.Summary as JSON


def measure(device: str, repeats: int, threads: int) -> dict[str, dict[str, harness.Summary]]:
    """GFLOP/s of each product in each type. A GPU is TensorFlow's first one."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    found: dict[str, dict[str, harness.Summary]] = {}
    for name, (rows, inner, columns) in PRODUCTS.items():
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
    parsed = parser.parse_args()
    if parsed.json:
        measured = measure(parsed.device, parsed.repeats, parsed.threads)
        print(json.dumps({name: {d: s.as_json() for d, s in by.items()} for name, by in measured.items()}))
    else:
        print(table(in_a_process(parsed.threads, parsed.repeats, parsed.device)).markdown())


if __name__ == "__main__":
    main()
