"""`hydra/sweeper=optuna`: trials proposed by Optuna, hopeless ones ended early, the study kept in a file.

Hydra imports every plugin for every command line, so what costs time is imported when a sweep begins.
"""

from __future__ import annotations

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class OptunaSweeper(Sweeper):
    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.config, self.hydra_context = config, hydra_context
        self.launcher: Launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        from nmt.sweep.hydra_sweeper import sweep

        assert self.hydra_context is not None, "set up before"
        assert self.config is not None, "set up before"
        sweep(self.launcher, self.hydra_context, self.config, arguments)
