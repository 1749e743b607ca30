"""The wheel as a user has it: installed into an environment of its own, tried in a folder that has nothing of ours."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from nmt.programs import COMMANDS

pytestmark = pytest.mark.long
ROOT = Path(__file__).resolve().parents[2]
OWN_CACHES = {name: value for name, value in os.environ.items() if name != "XDG_CACHE_HOME"}  # uv's, not the tests'


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built without a network; what builds it comes with `uv sync`, and lies in uv's cache since."""
    if shutil.which("uv") is None:
        pytest.skip("no uv to build a wheel with")
    out = tmp_path_factory.mktemp("wheel")
    command = [
        "uv",
        "build",
        "--wheel",
        "--offline",
        "--no-progress",
        "--python",
        sys.executable,
        "--out-dir",
        str(out),
    ]
    built = subprocess.run(command, cwd=ROOT, env=OWN_CACHES, capture_output=True, text=True, check=False)
    if "offline" in built.stderr or "network" in built.stderr:
        pytest.skip(f"what builds a wheel is not in uv's cache: {built.stderr[-200:]}")
    assert built.returncode == 0, built.stderr
    (file,) = out.glob("nmt-*.whl")
    return file


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The folder of programs of an environment with the wheel, which sees the packages of this one but not our code."""
    place = tmp_path_factory.mktemp("environment") / "own"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    python = place / "bin" / "python"
    command = ["uv", "pip", "install", "--offline", "--no-deps", "--python", str(python), str(wheel)]
    subprocess.run(command, env=OWN_CACHES, capture_output=True, text=True, check=True)
    own = sysconfig.get_path("purelib", "venv", {"base": str(place)})
    Path(own, "others.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    return place / "bin"


def run(program: Path, *words: str, where: Path, stdin: str = "") -> str:
    """-> standard output of a program that ends well, started as from a shell of somebody else."""
    kept = {name: os.environ[name] for name in ("PATH", "XDG_CACHE_HOME", "LD_LIBRARY_PATH") if name in os.environ}
    environment = {**kept, "HOME": str(where), "TF_CPP_MIN_LOG_LEVEL": "3", "LANG": "C.UTF-8"}
    done = subprocess.run(
        [program, *words], cwd=where, env=environment, input=stdin, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_code_configurations_and_pages_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"nmt", "hydra_plugins"}
    for name in ("nmt/configs/experiment/multi30k.yaml", "nmt/serve/page.html", "nmt/serve/templates/docs.html"):
        assert name in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert wheel.stat().st_size < 1_000_000


def test_an_empty_folder_is_enough_to_train_and_translate(installed, tmp_path):
    asked = "import nmt; print(nmt.__file__)"
    assert Path(run(installed / "python", "-c", asked, where=tmp_path).strip()).is_relative_to(installed.parent)
    listed = run(installed / "nmt", "--help", where=tmp_path)
    assert all(f"  {name} " in listed for name in COMMANDS)
    run(installed / "nmt", "train", "debug=quick", where=tmp_path)
    (checkpoint,) = tmp_path.glob("runs/*/checkpoints/best.h5")
    lines = "A dog runs.\n\nThe cat sees a ball.\n"
    words = ["translate", f"checkpoint={checkpoint.relative_to(tmp_path)}"]
    answer = run(installed / "nmt", *words, where=tmp_path, stdin=lines)
    assert (answer.count("\n"), answer.split("\n")[1]) == (3, "")
