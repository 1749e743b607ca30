"""The edge of train.py: a checked command line reaches `main` through Hydra, typed, with its run folder.

Every mistake of a user ends in one sentence on stderr and exit status 2.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from nmt.config import mistakes
from nmt.config.compose import Plan, prepare
from nmt.config.composer import VERSION_BASE
from nmt.config.overrides import to_config
from nmt.config.pages import train_page
from nmt.config.reference import entries, reference, topic_of
from nmt.config.resume import continued
from nmt.config.root import CommandLine, Config
from nmt.config.saved import dump, not_writable, unbased, write_overrides, write_run_config
from nmt.config.store import CONFIGS, register
from nmt.config.sweep_line import CONFIG_NAME
from nmt.errors import ConfigError, NmtError
from nmt.plumbing import edge
from nmt.plumbing.claims import claimed, claimed_new

Main = Callable[[Config, Path], object]


def run(main: Main, argv: Sequence[str]) -> int:
    """Call `main(config, run_folder)` as the command line says; -> exit status.

    0; 2 for a mistake of the user; 130 or 143 for a signal. A sweep calls it once for each job. What `main` raises and
    is no NmtError keeps its traceback; SystemExit passes.
    """
    return edge.command(lambda: _run(main, argv))


def _run(main: Main, argv: Sequence[str]) -> None:
    topic = topic_of(argv)
    if topic is not None:
        print(reference(list(entries(CommandLine)), topic) if topic else train_page())
        return
    register()
    plan = prepare(argv)
    if plan.runs:
        edge.outlast_output()
    if plan.resumed is not None and not plan.runs:
        print(dump(plan.resumed), end="")
    else:
        _hand_to_hydra(Job(main, plan))


class Job:
    """What Hydra calls for each job: the configuration becomes typed, the run folder is claimed, `main` runs."""

    def __init__(self, main: Main, plan: Plan) -> None:
        self.main = main
        self.plan = plan
        self.mistake: NmtError | None = None  # of a single run, which Hydra need not comment on
        self.bug: Exception | None = None

    def __call__(self, node: DictConfig) -> object:
        try:
            config = unbased(self.plan.resumed or to_config(node))
            config = replace(config, data=replace(config.data, base=str(Path.cwd())))
            with _run_folder(self.plan) as folder:
                if self.plan.multirun:
                    write_overrides(folder, list(HydraConfig.get().overrides.task))
                    config = continued(folder, config)
                if config.resume is None and any((folder / "checkpoints").glob("*.h5")):
                    again = mistakes.argument("resume", str(folder))
                    raise ConfigError(
                        str(folder),
                        found="the checkpoints of an earlier run",
                        expected="a new run folder",
                        next_step=f"continue that run with {again}, or name another folder",
                    )
                write_run_config(folder, config)
                return self.main(config, folder)
        except NmtError as mistake:
            if self.plan.multirun:
                raise
            self.mistake = mistake
        except Exception as bug:
            self.bug = bug
            raise
        return None


@contextmanager
def _run_folder(plan: Plan) -> Iterator[Path]:
    """A folder that no other process writes: the one that was named, or else one that nobody has used. The log is in
    it; until now none was opened, so a run that is refused has written nothing."""
    hydra_config = HydraConfig.get()
    wanted = Path(hydra_config.runtime.output_dir)
    words = (str(word).lstrip("+") for word in hydra_config.overrides.hydra)
    named = plan.multirun or plan.resumed is not None or any(word.startswith("hydra.run.dir=") for word in words)
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(claimed(wanted, "hydra.run.dir=FOLDER") if named else claimed_new(wanted))
            _log_into(folder, wanted)
        except OSError as error:
            raise not_writable(Path(str(error.filename or wanted)), error) from error
        yield folder


def _log_into(folder: Path, planned: Path) -> None:
    """Raises OSError where the log cannot be written."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler) and Path(handler.baseFilename).parent == planned:
            path = folder / Path(handler.baseFilename).name
            path.open("ab").close()
            handler.baseFilename = str(path)


def _hand_to_hydra(job: Job) -> None:
    """Hydra reads sys.argv, makes the run folder, sets up the log and calls the job; in a sweep, one after another."""
    with _as_program(job.plan):
        try:
            hydra.main(config_path=str(CONFIGS), config_name=CONFIG_NAME, version_base=VERSION_BASE)(job)()
        except (HydraException, OmegaConfBaseException) as error:
            if error is job.bug:
                raise
            raise mistakes.composing(error) from error
        except (OSError, ValueError) as error:  # logging wraps an OSError of its file into a ValueError
            cause = error if isinstance(error, OSError) else error.__cause__
            if error is job.bug or not isinstance(cause, OSError):
                raise
            raise not_writable(Path(str(cause.filename)), cause) from error
    if job.mistake is not None:
        raise job.mistake


@contextmanager
def _as_program(plan: Plan) -> Iterator[None]:
    """Hydra sees the command line, and hands every exception on instead of cutting its traceback.

    The processes that a launcher of a package starts find our modules, from whatever folder they are started. Ray's,
    where this was started by `uv run`, would work in a copy of this folder, and a relative run folder would be lost.
    """
    changed = {"HYDRA_FULL_ERROR": "1"}
    if plan.multirun:
        others = filter(None, [os.environ.get("PYTHONPATH")])
        changed["PYTHONPATH"] = os.pathsep.join([str(CONFIGS.parent), *others])
        changed["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = os.environ.get("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    argv, before = sys.argv, {key: os.environ.get(key) for key in changed}
    sys.argv = [sys.argv[0], *plan.argv]
    os.environ.update(changed)
    try:
        yield
    finally:
        sys.argv = argv
        for key, value in before.items():
            if value is None:
                del os.environ[key]
            else:
                os.environ[key] = value
