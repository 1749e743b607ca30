"""Whether a GPU computes what the CPU does: loss, gradients and a few steps of training, on the same made-up batch.

    python -m benchmarks.gpu_equal [--precision float32 bfloat16 float16] [--xla]

Each device and precision is a process of its own. Compared with the CPU in float32: exact arithmetic differs only in
the order of its sums, the 16-bit types by their rounding. Exit status 1 where a difference is larger than that allows,
2 where there is no GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys

import numpy as np

from benchmarks import harness
from nmt.errors import NmtError

STEPS = 5
# Relative to the largest entry of a gradient, and to the loss: TF32, which GPUs from 8.0 on take for float32 products,
# has 10 bits behind the point, bfloat16 7; errors of several products add up.
ALLOWED = {"float32": 2e-3, "float16": 5e-3, "bfloat16": 1e-2}
SIZES = ("model.embedding=64", "model.encoder_units=64", "model.units=128", "model.attention_units=64")


def losses_and_gradients(precision: str, device: str, xla: bool) -> dict[str, object]:
    """Losses of a few steps from the same start, and the gradients' norm before each."""
    import tensorflow as tf

    from nmt.config.precision import Precision
    from nmt.config.root import Config
    from nmt.config.train import Device
    from nmt.model.seq2seq import Seq2Seq
    from nmt.training.device import choose_device, use_xla
    from nmt.training.step import Trainer

    chosen = choose_device(Device(device), 0)
    if xla:
        use_xla(chosen)
    config = Config()
    for assignment in SIZES:
        name, _, value = assignment.removeprefix("model.").partition("=")
        setattr(config.model, name, int(value))
    config.train.precision = Precision(precision)
    vocabulary = 500
    compute = tf.as_dtype(precision)
    trainer = Trainer(Seq2Seq(config.model, vocabulary, vocabulary, 1, compute=compute), config.train, 1)
    source_BS, target_BT = batch(vocabulary)
    losses, norms = [], []
    for number in range(1, STEPS + 1):
        result = trainer.step(
            tf.constant(source_BS), tf.constant(target_BT), tf.constant(1e-3), tf.constant(number, tf.int64)
        )
        losses.append(float(result.loss))
        norms.append(float(result.gradient_norm))
    return {"losses": losses, "norms": norms, "device": chosen.description}


def batch(vocabulary: int) -> tuple[np.ndarray, np.ndarray]:
    """32 pairs of unequal lengths, each side ending in the end mark (2) and padded with 0."""
    rng = np.random.default_rng(0)
    sides = []
    for longest in (17, 19):
        ids = rng.integers(4, vocabulary, size=(32, longest), dtype=np.int32)
        lengths = rng.integers(3, longest + 1, size=32)
        columns = np.arange(longest)
        ids[columns == lengths[:, np.newaxis] - 1] = 2
        ids[columns >= lengths[:, np.newaxis]] = 0
        sides.append(ids)
    return sides[0], sides[1]


def in_a_process(precision: str, device: str, xla: bool = False) -> dict[str, object]:
    more = ["--xla"] if xla else []
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu_equal", "--one", device, "--precision", precision, *more],
        cwd=harness.ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    if ran.returncode:
        print(ran.stderr.strip().splitlines()[-1], file=sys.stderr)
        sys.exit(2)
    found: dict[str, object] = json.loads(ran.stdout.splitlines()[-1])
    return found


def difference(found: dict[str, object], wanted: dict[str, object]) -> float:
    """Largest relative difference of a loss or a norm."""
    pairs = [(np.array(found[key]), np.array(wanted[key])) for key in ("losses", "norms")]
    return max(float(np.max(np.abs(a - b) / np.abs(b))) for a, b in pairs)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--precision", nargs="+", choices=ALLOWED, default=["float32"])
    parser.add_argument("--xla", action="store_true", help="on the GPU also with train.xla=true")
    parser.add_argument("--one", choices=["cpu", "gpu"], help=argparse.SUPPRESS)
    parsed = parser.parse_args()
    if parsed.one:
        try:
            print(json.dumps(losses_and_gradients(parsed.precision[0], parsed.one, parsed.xla)))
        except NmtError as mistake:
            print(mistake, file=sys.stderr)
            return mistake.exit_status
        return 0
    wanted = in_a_process("float32", "cpu")
    status = 0
    ways = [(precision, xla) for precision in parsed.precision for xla in ((False, True) if parsed.xla else (False,))]
    for precision, xla in ways:
        found = in_a_process(precision, "gpu", xla)
        apart = difference(found, wanted)
        good = apart <= ALLOWED[precision]
        verdict = "as the CPU" if good else "NOT as the CPU"
        name = f"{precision}, XLA" if xla else precision
        print(f"{name}: {verdict}, largest relative difference {apart:.1e} (allowed {ALLOWED[precision]:.0e})")
        status = status if good else 1
    return status


if __name__ == "__main__":
    sys.exit(main())
