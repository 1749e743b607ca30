"""How long a run takes to its first training step, beyond importing TensorFlow: the embedded default, caches warm.

    python -m benchmarks.start [--rounds 5] [--write] [-- KEY=VALUE ...]

`python train.py` is started as a user starts it; the first step is done when its line stands in the run folder's
metrics.jsonl. In turn with it `python -c "import tensorflow"` is timed. One round of both warms up first: byte code,
the file cache, and the caches of subwords and word vectors.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import harness

LOOK_EVERY_S = 0.01
PATIENCE_S = 300


def import_s() -> float:
    """Of TensorFlow, from the start of a process to its end."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import tensorflow"], check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def first_step_s(overrides: list[str]) -> float:
    """From the start of train.py to its first training step."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "run"
        command = [sys.executable, "train.py", "train.log_every=1", *overrides, f"hydra.run.dir={folder}"]
        began = time.perf_counter()
        with (Path(name) / "log").open("wb") as log:
            process = subprocess.Popen(command, cwd=harness.ROOT, stdout=log, stderr=log)
        try:
            while not has_trained(folder / "metrics.jsonl"):
                if process.poll() is not None or time.perf_counter() - began > PATIENCE_S:
                    last = (Path(name) / "log").read_text(errors="replace").strip().splitlines()[-1:]
                    sys.exit(f"train.py came to no first step: {' '.join(last)}")
                time.sleep(LOOK_EVERY_S)
            return time.perf_counter() - began
        finally:
            process.kill()
            process.wait()


def has_trained(metrics: Path) -> bool:
    """Whether a whole line about training is there."""
    try:
        text = metrics.read_text()
    except FileNotFoundError:
        return False
    return any('"train"' in line for line in text.split("\n")[:-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--noisy", action="store_true", help="measure on a busy machine too")
    parser.add_argument("--write", action="store_true", help="add a section to RESULTS.md")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="for train.py; none: the embedded default")
    parsed = parser.parse_args()
    described = harness.about(parsed.noisy)
    imports, firsts = [], []
    for _ in range(parsed.rounds + 1):
        imports.append(import_s())
        firsts.append(first_step_s(parsed.overrides))
    beyond = [first - imported for first, imported in zip(firsts, imports, strict=True)]
    measured = {"importing TensorFlow": imports, "to the first training step": firsts, "beyond the import": beyond}
    found = {name: harness.summarise(values[1:]) for name, values in measured.items()}
    rows = [[name, f"{s.median:.2f}", f"{s.low:.2f}", f"{s.high:.2f}"] for name, s in found.items()]
    table = harness.Table("Seconds from the start of a process", ["", "median", "lowest", "highest"], rows)
    result = {name: s.as_json() for name, s in found.items()}
    notes = [f"{parsed.rounds} rounds after one that warms up."]
    harness.finish("start", [table], described, result, notes, parsed.write)


if __name__ == "__main__":
    main()
