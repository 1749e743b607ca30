"""`hydra/launcher=ec2`: each trial of a sweep gets a rented machine from a pool of at most `sweep.max_machines`.

Hydra imports every plugin for every command line, so what costs time is imported when a sweep begins.
"""

from __future__ import annotations

from collections.abc import Sequence

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class Ec2Launcher(Launcher):
    """`trials` is what our sweeper talks to."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        from nmt.sweep.hydra_launcher import Launch
        from nmt.sweep.pool import rented_pool

        self.trials = Launch(rented_pool, hydra_context, config)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        return self.trials.launch(job_overrides, initial_job_idx)
