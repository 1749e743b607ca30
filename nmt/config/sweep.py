"""How a sweep goes about its trials. None of it belongs to a trial: a trial is the run that one starts alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from nmt.errors import ConfigError

# Options that say how trials are run, not which they are: the folder of a sweep does not depend on them.
HOW = ("dry_run", "fail_fast", "retry_failed", "jobs", "trials", "max_machines", "rent")
SHORT = ("dry_run", "fail_fast", "retry_failed")  # may be written without `sweep.`
LOCAL = "hydra_plugins.nmt_local.LocalLauncher"
EC2 = "hydra_plugins.nmt_ec2.Ec2Launcher"
OPTUNA = "hydra_plugins.nmt_optuna.OptunaSweeper"


class Sampler(Enum):
    """What proposes the next trial: a tree-structured Parzen estimator (Bergstra et al. 2011), or chance."""

    tpe = "tpe"
    random = "random"


@dataclass
class LauncherConfig:
    """`hydra/launcher=local`: each trial a process of its own, on one GPU or a share of the cores."""

    _target_: str = LOCAL


@dataclass
class Ec2LauncherConfig:
    """`hydra/launcher=ec2`: each trial a machine from a pool."""

    _target_: str = EC2


@dataclass
class OptunaConfig:
    """`hydra/sweeper=optuna`: trials are proposed one after another, from what the earlier ones scored."""

    _target_: str = OPTUNA


@dataclass
class SweepConfig:
    space: dict[str, str] = field(default_factory=dict)  # key -> values, as on the command line; that wins over it
    dry_run: bool = False  # list the trials and the expected cost, run nothing
    fail_fast: bool = False  # end at the first trial that fails
    retry_failed: bool = False  # give failed trials another chance
    jobs: int | None = None  # trials at once; null: one for each GPU, or one for every two cores
    max_machines: int = 2  # of hydra/launcher=ec2: machines at once
    rent: str = ""  # of hydra/launcher=ec2, words of python -m nmt.launch: "machine=g5_xlarge launch.spot=true"
    trials: int = 20  # of hydra/sweeper=optuna, and what follows as well: trials in all
    sampler: Sampler = Sampler.tpe
    seed: int = 1  # of what is proposed
    startup: int = 5  # trials by chance before the estimator has enough to go by
    start: str = ""  # the first trial, as words: "train.learning_rate=1e-5 model.units=32"; it may leave keys open
    prune: bool = True  # end trials early that are behind the median of the others
    prune_after: int = 4  # trials that end first, for a median to exist
    prune_after_steps: int = 0  # steps that each trial may take in peace

    def __post_init__(self) -> None:
        for key in ("jobs", "trials", "startup", "prune_after", "max_machines"):
            value = getattr(self, key)
            if value is not None and value < 1:
                raise ConfigError(
                    f"sweep.{key}", found=value, expected="at least 1", next_step="the default is a good start"
                )
        if self.prune_after_steps < 0:
            raise ConfigError(
                "sweep.prune_after_steps",
                found=self.prune_after_steps,
                expected="at least 0",
                next_step="0 is the default",
            )
