"""What Hydra asks of a sweeper, done by an Optuna study. The plugin in `hydra_plugins/` calls it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict

from nmt.config.overrides import to_config
from nmt.config.sweep import SweepConfig
from nmt.errors import SweepError
from nmt.plumbing.text import counted
from nmt.sweep.hydra_launcher import Launch, tell_results
from nmt.sweep.ledger import Ledger, Status, read_standings
from nmt.sweep.optimize import Ended, Evaluate, Proposal, optimize, plan, with_runner
from nmt.sweep.space import read_space, start_params
from nmt.sweep.study import Study

log = logging.getLogger(__name__)


def sweep(launcher: Launcher, hydra_context: HydraContext, config: DictConfig, arguments: list[str]) -> None:
    """With our launchers hopeless trials are ended early; with another one each runs to its end.

    Raises SweepError where trials failed, once there are as many as were asked for.
    """
    overrides = OverridesParser.create(hydra_context.config_loader).parse_overrides(arguments)
    options = OmegaConf.to_object(config.sweep)
    assert isinstance(options, SweepConfig)
    with open_dict(config):
        run = config.copy()
        run.pop("hydra")
    figure = to_config(run).train.early_stopping.figure
    space = read_space(overrides, run)
    start = start_params(options.start, space)
    folder = Path(str(config.hydra.sweep.dir)).absolute()
    ours: Launch | None = getattr(launcher, "trials", None)  # by name: Hydra makes the classes of plugins anew
    if options.dry_run and ours is not None:
        study = Study(folder, options, figure, space, start, keep=False)
        print(plan(study, ours.pool(), read_standings(folder)))
        return
    with Ledger(folder) as ledger:
        study = Study(folder, options, figure, space, start)
        if options.retry_failed:
            study.retry_failed()
        evaluate, at_once = evaluation(study, ledger, launcher, ours)
        failed = optimize(study, overrides, evaluate, at_once)
    tell_results(folder)
    if failed:
        raise SweepError(
            "sweep",
            found=f"{counted(failed, 'trial')} failed",
            expected="all of them to finish",
            next_step="the same command with retry_failed=true tries them again",
        )


def evaluation(study: Study, ledger: Ledger, launcher: Launcher, ours: Launch | None) -> tuple[Evaluate, int]:
    """How trials are run, and how many at once."""
    if ours is not None:
        runner = ours.runner(ledger)
        return with_runner(study, runner, ours.trial), runner.pool.size
    log.info("this launcher tells nothing of a trial before its end, so none is ended early")

    def evaluate(proposals: Sequence[Proposal]) -> list[Ended]:
        words = [proposal.words for proposal in proposals]
        returned = launcher.launch(words, initial_job_idx=proposals[0].asked.number)
        return [ended(job, study.figure.sign) for job in returned]

    return evaluate, study.options.jobs or 1


def ended(returned: object, sign: int) -> Ended:
    """What a launcher of Hydra's or of a package has to say of a job: its value, or what it raised."""
    try:
        value = returned.return_value  # type: ignore[attr-defined]  # a property of JobReturn that raises
    except Exception as error:
        log.error("a trial failed: %s", error)
        return Ended(Status.failed, None, None)
    return Ended(Status.finished, None if value is None else sign * float(value), None)
