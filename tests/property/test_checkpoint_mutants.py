"""Every mutant is refused with a CheckpointError or loads as the sound file would; nothing crashes, hangs or swells."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from numpy.testing import assert_array_equal

from nmt.checkpoint.file import load, read_extras, read_parameters, verify
from nmt.errors import CheckpointError
from tests.property.checkpoint_mutants import Mutants, old_values, sound_values
from tests.unit.checkpoint_tools import blank

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from Linux's /proc")
SAMPLE, ALL, BATCH = 200, 3000, 250
# A hang uses the processor, or never ends; on a busy machine a child may need seconds to start.
MOST_CPU_S, MOST_SECONDS, MOST_MEMORY_MB = 5.0, 30.0, 512


def judge(mutants: Mutants, path: Path, number: int) -> str:
    """Load one mutant in every way; -> what became of it."""
    mutant = mutants.make(number)
    path.write_bytes(mutant.content)
    module = blank(sound_values(0) if mutant.ours else old_values())
    try:
        load(path, module)
    except CheckpointError:
        assert module.num_assigned() == 0
        outcome = "refused"
    else:
        outcome = "loaded"
        if mutant.ours:
            for name, value in sound_values(0).items():
                assert_array_equal(module.values()[name], value)
    if mutant.ours:  # a foreign file has just been through all there is
        for call in (verify, read_parameters, read_extras):
            try:
                call(path)
            except CheckpointError:
                continue
    return f"{mutant.told} {outcome}"


def judge_many(folder: Path, numbers: range) -> dict[str, float]:
    mutants, counts, slowest, most_cpu_s = Mutants(folder), Counter(), (0.0, 0), 0.0
    for number in numbers:
        started, cpu_started = time.perf_counter(), cpu_s()
        counts[judge(mutants, folder / "mutant.h5", number)] += 1
        slowest = max(slowest, (time.perf_counter() - started, number))
        most_cpu_s = max(most_cpu_s, cpu_s() - cpu_started)
    child_peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return {
        **counts,
        "slowest_s": slowest[0],
        "slowest": slowest[1],
        "most_cpu_s": most_cpu_s,
        "peak_mb": peak_mb(),
        "child_peak_mb": child_peak_mb,
    }


def cpu_s() -> float:
    """Of this process and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def peak_mb() -> float:
    """The most memory this program has had; `ru_maxrss` would also count what its parent had when it forked."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


def in_a_process(folder: Path, numbers: range) -> dict[str, float]:
    """A process of their own, so that a crash is seen and memory is theirs alone."""
    command = [sys.executable, "-m", "tests.property.test_checkpoint_mutants", str(folder)]
    done = subprocess.run(
        [*command, str(numbers.start), str(numbers.stop)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def check(result: dict[str, float]) -> None:
    assert result["most_cpu_s"] < MOST_CPU_S
    assert result["slowest_s"] < MOST_SECONDS
    assert result["peak_mb"] < MOST_MEMORY_MB
    assert result["child_peak_mb"] < MOST_MEMORY_MB


def test_a_sample_of_mutants(tmp_path):
    result = in_a_process(tmp_path, range(SAMPLE))
    check(result)
    assert result["broken refused"] > 50
    assert result["forged refused"] > 40


@pytest.mark.long
@pytest.mark.parametrize("start", range(0, ALL, BATCH))
def test_all_mutants(tmp_path, start):
    check(in_a_process(tmp_path, range(start, start + BATCH)))


def test_sound_files_load(tmp_path):
    """The generator starts from files that are right: otherwise every refusal would be cheap."""
    mutants = Mutants(tmp_path)
    for content in (mutants.one, mutants.plain):
        (tmp_path / "sound.h5").write_bytes(content)
        module = blank(sound_values(0))
        load(tmp_path / "sound.h5", module)
        assert module.num_assigned() == len(sound_values(0))
    (tmp_path / "sound.h5").write_bytes(mutants.old)
    module = blank(old_values())
    load(tmp_path / "sound.h5", module)
    for name, value in old_values().items():
        assert_array_equal(module.values()[name], value)


if __name__ == "__main__":
    print(json.dumps(judge_many(Path(sys.argv[1]), range(int(sys.argv[2]), int(sys.argv[3])))))
