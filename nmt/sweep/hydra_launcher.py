"""What Hydra asks of a launcher, done by the runner of trials. The launchers in `hydra_plugins/` say where."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus, configure_log, setup_globals
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict

from nmt.config.overrides import to_config
from nmt.config.root import Config
from nmt.config.store import folder_name
from nmt.config.sweep import SweepConfig
from nmt.config.sweep_line import own_configs
from nmt.errors import SweepError
from nmt.sweep.leaderboard import make_board
from nmt.sweep.ledger import Ledger, Status, read_standings
from nmt.sweep.plan import listing
from nmt.sweep.pool import Pool
from nmt.sweep.report import text
from nmt.sweep.results import read_results
from nmt.sweep.runner import Outcome, Runner
from nmt.sweep.trials import Trial, key_of, make_trial

log = logging.getLogger(__name__)

OF_THE_SWEEP = (
    *("hydra.mode", "hydra.run.dir", "hydra.sweep", "hydra.launcher", "hydra/sweeper", "hydra/launcher"),
    *("hydra.hydra_logging", "hydra/hydra_logging"),
)
MakePool = Callable[[SweepConfig, Config], Pool]


class Launch:
    """Trials become processes, whatever the function is that Hydra would call. `make_pool` says where they run, and
    raises ConfigError for options that cannot be fulfilled there."""

    def __init__(self, make_pool: MakePool, hydra_context: HydraContext, config: DictConfig) -> None:
        setup_globals()
        configure_log(config.hydra.hydra_logging, config.hydra.verbose)
        self.make_pool, self.hydra_context, self.config = make_pool, hydra_context, config
        options = OmegaConf.to_object(config.sweep)
        assert isinstance(options, SweepConfig)
        self.options = options
        task = OverridesParser.create(hydra_context.config_loader).parse_overrides(list(config.hydra.overrides.task))
        self.tried = {override.key_or_group for override in task if override.is_sweep_override()}
        self.folder = Path(str(config.hydra.sweep.dir)).absolute()
        self.flags = flags_of(config.hydra)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """For Hydra's own sweeper. Raises SweepError where trials failed, once all have been tried."""
        trials = [self.trial(number, words) for number, words in enumerate(job_overrides, start=initial_job_idx)]
        if self.options.dry_run:
            print(listing(trials, read_standings(self.folder), self.pool(), self.options.retry_failed))
            return [_returned(Outcome(trial, Status.interrupted, None)) for trial in trials]
        with Ledger(self.folder) as ledger:
            outcomes = self.runner(ledger).run(trials)
        tell_results(self.folder)
        complain(outcomes)
        return [_returned(outcome) for outcome in outcomes]

    def runner(self, ledger: Ledger) -> Runner:
        return Runner(self.pool(), ledger, self.options.fail_fast, self.options.retry_failed)

    def pool(self) -> Pool:
        return self.make_pool(self.options, self._config([]))

    def trial(self, number: int, overrides: Sequence[str]) -> Trial:
        """The run that the overrides make. What says how the sweep is run is not among its own."""
        own = tuple(word for word in overrides if not word.startswith(("sweep.", "hydra.", "hydra/")))
        told = tuple(word for word in own if key_of(word) in self.tried) or own
        folder = self.folder / f"{number}_{folder_name(list(told))}"
        return make_trial(number, own, self._config(overrides), folder, " ".join(told) or "the default", self.flags)

    def _config(self, overrides: Sequence[str]) -> Config:
        node = self.hydra_context.config_loader.load_sweep_config(self.config, list(overrides))
        with open_dict(node):
            node.pop("hydra")
        return to_config(node)


def flags_of(settings: DictConfig) -> tuple[str, ...]:
    """What composes a trial as its sweep was composed, beside its overrides: the user's own configurations, and
    settings of Hydra that are not about the sweep."""
    own = tuple(own_configs(settings))
    words = (str(word) for word in settings.overrides.hydra)
    kept = tuple(word for word in words if not key_of(word).startswith(OF_THE_SWEEP))
    return (*own, *kept, "hydra.mode=RUN") if own else kept  # a file of one's own may say MULTIRUN


def tell_results(folder: Path) -> None:
    """The end of a sweep: its leaderboard, and how to see more of it."""
    try:
        print(f"\n{text(make_board(read_results(folder)))}\n")
    except SweepError as nothing:
        log.info("%s", nothing)
    again = shlex.join(["uv", "run", "python", "-m", "nmt.sweep", "report", str(folder), "--html", "page.html"])
    log.info("again, or as a page: %s", again)


def complain(outcomes: Sequence[Outcome]) -> None:
    """Raises SweepError where a trial failed, or was stopped by somebody else."""
    for status, again in (
        (Status.failed, " with retry_failed=true tries them again"),
        (Status.interrupted, " resumes"),
    ):
        of_it = [outcome.trial.number + 1 for outcome in outcomes if outcome.status is status]
        if of_it:
            raise SweepError(
                "sweep",
                found=f"{len(of_it)} of {len(outcomes)} trials {status.value} (trial {', '.join(map(str, of_it))})",
                expected="all of them to finish",
                next_step=f"the same command{again}",
            )


def _returned(outcome: Outcome) -> JobReturn:
    """As Hydra's sweepers expect it: larger is better."""
    returned = JobReturn()
    returned.overrides = list(outcome.trial.overrides)
    returned.status = JobStatus.COMPLETED
    returned.return_value = None if outcome.score is None else outcome.trial.figure.sign * outcome.score
    return returned
