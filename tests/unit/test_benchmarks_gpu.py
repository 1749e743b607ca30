"""benchmarks/gpu.sh where there is no GPU: it says so, measures nothing, and ends with 2."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from benchmarks import gpu_equal, harness, xla
from nmt.training.compiling import Measured

NO_GPU = "#!/bin/sh\nexit 6\n"
AN_OLD_ONE = """#!/bin/sh
case $* in *name*) echo "Tesla K80";; *) echo 3.7;; esac
"""


def gpu_sh(tmp_path: Path, *words: str, nvidia_smi: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run it with a folder of programs of our own: uv always fails, nvidia-smi is there or not."""
    programs = {"uv": '#!/bin/sh\necho "uv $*"\nexit 1\n'} | ({"nvidia-smi": nvidia_smi} if nvidia_smi else {})
    for name, text in programs.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    for name in ("bash", "dirname", "head"):
        path = subprocess.run(["sh", "-c", f"command -v {name}"], capture_output=True, text=True, check=True)
        if not (tmp_path / name).exists():
            (tmp_path / name).symlink_to(path.stdout.strip())
    command = [str(tmp_path / "bash"), str(harness.HERE / "gpu.sh"), *words]
    return subprocess.run(command, capture_output=True, text=True, env={"PATH": str(tmp_path)})


@pytest.mark.parametrize(
    ("words", "nvidia_smi", "told"),
    [
        ([], None, "say where Multi30k lies"),
        (["/no/such/folder"], None, "found no folder /no/such/folder"),
        ([".", "--wrote"], None, "found --wrote, expected --write or nothing"),
        (["."], None, "found no nvidia-smi, so no NVIDIA driver; nothing was measured"),
        (["."], NO_GPU, "nvidia-smi names no GPU; nothing was measured"),
    ],
)
def test_what_is_missing_is_named(tmp_path, words, nvidia_smi, told):
    ended = gpu_sh(tmp_path, *words, nvidia_smi=nvidia_smi)
    assert ended.returncode == 2
    assert f"gpu.sh: {told}" in ended.stderr


def test_an_old_gpu_gets_the_old_tensorflow(tmp_path):
    ended = gpu_sh(tmp_path, ".", nvidia_smi=AN_OLD_ONE)
    assert ended.returncode == 2
    assert "Tesla K80, compute capability 3.7" in ended.stdout
    assert "uv run -q --no-default-groups --group tf214 --extra k80 -p 3.11 python -c" in ended.stdout


def test_difference_is_relative_to_the_cpu():
    wanted = {"losses": [2.0, 4.0], "norms": [1.0, 1.0]}
    assert gpu_equal.difference({"losses": [2.0, 4.2], "norms": [1.0, 0.99]}, wanted) == pytest.approx(0.05)


def test_the_batch_is_padded_after_its_end_mark():
    for ids in gpu_equal.batch(vocabulary=20):
        ends = (ids == 2).sum(axis=1)
        assert np.all(ends == 1)
        assert all(not row[np.flatnonzero(row == 2)[0] + 1 :].any() for row in ids)
        assert all((row[: np.flatnonzero(row == 2)[0]] >= 4).all() for row in ids)


def test_the_two_ways_of_xla_are_one_measurement():
    found = {
        "ours-float32-xla-false": {"tokens_per_s": {"median": 10.0}},
        "ours-float32-xla-true": {"tokens_per_s": {"median": 12.0}},
    }
    assert xla.faster(found, "2026-11-27") == Measured(plain=10.0, xla=12.0, date="2026-11-27")
    del found["ours-float32-xla-true"]
    assert xla.faster(found, "2026-11-27") is None, "one of them failed"
