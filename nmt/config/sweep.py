"""How a sweep goes about its trials. None of it belongs to a trial: a trial is the run that one starts alone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from nmt.config.option import Options, option, seed_option

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
class SweepConfig(Options, place="sweep"):
    space: dict[str, str] = option({}, "key -> values, as on the command line; that wins over it")
    dry_run: bool = option(False, "list the trials and the expected cost, run nothing")
    fail_fast: bool = option(False, "end at the first trial that fails")
    retry_failed: bool = option(False, "give failed trials another chance")
    jobs: int | None = option(
        None,
        "trials at once; null: one for each GPU, or one for every two cores",
        at_least=1,
        null="for as many as there are GPUs, or pairs of cores",
        hint="1 runs one after another",
    )
    max_machines: int = option(
        2, "of hydra/launcher=ec2: machines at once", at_least=1, hint="1 rents one after another"
    )
    rent: str = option("", 'of hydra/launcher=ec2, words of python -m nmt.launch: "machine=g5_xlarge launch.spot=true"')
    trials: int = option(
        20,
        "of hydra/sweeper=optuna, and what follows as well: trials in all",
        at_least=1,
        hint="10 to 20 for each parameter are usual",
    )
    sampler: Sampler = option(Sampler.tpe, "what proposes the next trial")
    seed: int = seed_option(1, "of what is proposed")
    startup: int = option(
        5, "trials by chance before the estimator has enough to go by", at_least=1, hint="5 to 10 are usual"
    )
    start: str = option(
        "", 'the first trial, as words: "train.learning_rate=1e-5 model.units=32"; it may leave keys open'
    )
    prune: bool = option(True, "end trials early that are behind the median of the others")
    prune_after: int = option(
        4, "trials that end first, for a median to exist", at_least=1, hint="sweep.prune=false ends none early"
    )
    prune_after_steps: int = option(
        0, "steps that each trial may take in peace", at_least=0, hint="0 lets a trial be ended at any step"
    )
