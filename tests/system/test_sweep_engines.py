"""The same sweep by Ray on two workers and by submitit's local executor: the same numbers as ours.

uv run --group engines pytest -m long tests/system/test_sweep_engines.py
"""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from nmt.sweep.leaderboard import make_board
from nmt.sweep.results import read_results
from tests.system.sweep_tools_long import SHORT, figures, finish, run_folder, start

SWEEP = ["-m", *SHORT, "model.units=16,24", "seed=1,2"]
ENGINES = {
    "hydra_ray_launcher": ["hydra/launcher=ray_trials", "hydra.launcher.ray.init.num_cpus=2"],
    "hydra_submitit_launcher": ["hydra/launcher=submitit_local", "hydra.launcher.timeout_min=10"],
}


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ours")
    finish(start(folder, *SWEEP, "hydra.sweep.dir=sweep", "sweep.jobs=2"))
    return folder / "sweep"


def if_installed(package):
    """Else it is skipped before `ours` is swept for it."""
    try:
        missing = find_spec(f"hydra_plugins.{package}") is None
    except ModuleNotFoundError:
        missing = True
    reason = f"{package} is not installed: uv run --group engines pytest ..."
    return pytest.param(package, marks=pytest.mark.skipif(missing, reason=reason))


@pytest.mark.long
@pytest.mark.parametrize("package", [if_installed(package) for package in ENGINES])
def test_another_engine_finds_the_same(tmp_path, ours, package):
    words = [*SWEEP, *ENGINES[package], "hydra.sweep.dir=sweep"]
    finish(start(tmp_path, *words))
    for number, (units, seed) in enumerate([(16, 1), (16, 2), (24, 1), (24, 2)]):
        (folder,) = (tmp_path / "sweep").glob(f"{number}_*")
        assert figures(folder) == figures(run_folder(ours, f"model.units={units}", f"seed={seed}"))
    boards = [make_board(read_results(place)) for place in (ours, tmp_path / "sweep")]
    assert [(row.name, row.dev, row.tests) for row in boards[0].rows] == [
        (row.name, row.dev, row.tests) for row in boards[1].rows
    ]
    (folder,) = (tmp_path / "sweep").glob("3_*")
    before = figures(folder)
    (folder / "report.html").unlink()
    (folder / "results.json").unlink()
    finish(start(tmp_path, *words))  # again: every trial goes on from its last checkpoint, which was its end
    assert figures(folder) == before
