"""Every command that a user types, at its edges: nowhere to print, no home, another locale."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GUARD = '__name__ == "__main__"'
# Programs that others of ours start, with the standard library alone or at the far end of a pipe.
INNER = {
    "nmt.app.augment_stage",
    "nmt.app.rent",
    "nmt.checkpoint.foreign_child",
    "nmt.launch.agent",
    "nmt.metrics.wmd.engine",
    "nmt.sweep.child",
}
NOWHERE = "standard output: found no space left on device, expected a place to write to; redirect it elsewhere.\n"
# Whoever runs this is known to the system, so the child forgets it before the program begins.
NOBODY = """
import pwd, runpy, sys
def unknown(uid):
    raise KeyError(uid)
pwd.getpwuid = unknown
sys.argv = sys.argv[1:]
if sys.argv[0].endswith(".py"):
    runpy.run_path(sys.argv[0], run_name="__main__")
else:
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
SHORT = [
    *("subword=characters", "model.units=16", "train.device=cpu", "train.threads=1"),
    *("train.max_steps=4", "train.warmup_steps=2", "train.validate_every=2", "metrics.bootstrap=20"),
]


def commands() -> list[str]:
    """train.py, nmt.checkpoint, ..."""
    scripts = [path.name for path in ROOT.glob("*.py") if GUARD in path.read_text()]
    parts = [path.relative_to(ROOT).with_suffix("").parts for path in (ROOT / "nmt").rglob("*.py")
             if GUARD in path.read_text()]  # fmt: skip
    modules = {".".join(part for part in names if part != "__main__") for names in parts}
    assert modules >= INNER
    return sorted([*scripts, *(modules - INNER)])


def start(name: str) -> list[str]:
    return [sys.executable, name] if name.endswith(".py") else [sys.executable, "-m", name]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("name", commands())
def test_a_page_that_cannot_be_printed(name):
    with open("/dev/full", "w") as full:
        done = subprocess.run([*start(name), "--help"], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (2, NOWHERE)


@pytest.mark.parametrize("name", ["nmt.report.transport", "nmt.sweep"])
def test_a_user_without_a_home_may_draw(tmp_path, name):
    """matplotlib looks for a home as it is imported."""
    environment = {key: value for key, value in os.environ.items() if key not in ("HOME", "XDG_CACHE_HOME")}
    words = [sys.executable, "-c", NOBODY, name, "--help"]
    environment["TMPDIR"] = str(tmp_path)
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: ")


@pytest.mark.long
def test_a_run_without_home_and_screen_in_another_locale(tmp_path):
    """A target text in Chinese, a locale of Latin letters, and nowhere to print: the run is whole all the same."""
    for part in ("train", "dev"):
        (tmp_path / f"{part}.en").write_text("dog runs\ncat sleeps\n" * 30, encoding="utf-8")
        (tmp_path / f"{part}.zh").write_text("狗跑\n猫睡\n" * 30, encoding="utf-8")
    files = ["data=files", "data.tgt=zh", f"data.train={tmp_path}/train", f"data.dev={tmp_path}/dev"]
    words = [*files, *SHORT, f"hydra.run.dir={tmp_path}/run"]
    environment = {key: value for key, value in os.environ.items() if key not in ("HOME", "XDG_CACHE_HOME")}
    environment |= {"PYTHONIOENCODING": "ascii", "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    program = [sys.executable, "-c", NOBODY, str(ROOT / "train.py"), *words]
    with open("/dev/full", "w") as full:
        done = subprocess.run(program, cwd=tmp_path, env=environment, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr[-len(NOWHERE) :]) == (0, NOWHERE)
    assert "Traceback" not in done.stderr
    assert (tmp_path / "run" / "report.html").exists()
    assert "狗" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    command = f'"{sys.executable}" train.py {" ".join(words[:-1])} hydra.run.dir={tmp_path}/second | true'
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert (tmp_path / "second" / "report.html").exists()
