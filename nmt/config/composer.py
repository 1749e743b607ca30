"""What Hydra makes of choices, from our `configs/` and a user's own folder and file (--config-dir, --config-name)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import hydra
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from nmt.config import mistakes
from nmt.config.root import CommandLine
from nmt.config.store import CONFIGS, GROUPS
from nmt.config.sweep_line import CONFIG_NAME, SEARCH_PATH, check_packages
from nmt.errors import ConfigError

VERSION_BASE = "1.3"
OPTIONAL_GROUPS = ("experiment", "sweep", "debug")


@dataclass(frozen=True)
class Composer:
    """Of one command line: where it looks, and the file that it begins with."""

    loader: ConfigLoader
    name: str

    @property
    def parser(self) -> OverridesParser:
        return OverridesParser.create(self.loader)

    def compose(self, overrides: Sequence[Override]) -> tuple[DictConfig, DictConfig]:
        """What the choices among `overrides` compose to: our configuration, and Hydra's own."""
        chosen = [override for override in overrides if needs_hydra(override)]
        lines = [str(override.input_line) for override in chosen]
        try:
            for override in chosen:
                self._check_choice(override, [line for line in lines if line.startswith(f"{SEARCH_PATH}=")])
            node = hydra.compose(self.name, lines, return_hydra_config=True)
        except (HydraException, OmegaConfBaseException) as error:
            if isinstance(error, MissingConfigException) and error.missing_cfg_file == self.name:
                raise ConfigError(
                    "--config-name",
                    found=self.name,
                    expected="a file of the folder of --config-dir",
                    next_step=f"check that {self.name}.yaml is in it",
                ) from error
            raise mistakes.composing(error) from error
        with open_dict(node):
            settings = node.pop("hydra")
        if OmegaConf.get_type(node) is not CommandLine:
            raise ConfigError(
                f"--config-name={self.name}",
                found="a file that does not build on ours",
                expected=f"defaults that begin with {CONFIG_NAME}",
                next_step=f"write `defaults: [{CONFIG_NAME}, _self_]` at its top",
            )
        return node, settings

    def _check_choice(self, override: Override, search: list[str]) -> None:
        """Our own groups: the option exists, and the group is chosen from, not added to."""
        check_packages(override)
        group = override.key_or_group
        if group not in GROUPS or override.is_delete():
            return
        if override.is_add() or override.is_force_add():
            raise ConfigError(group, found="an addition (+)", expected="a choice", next_step=f"write {group}=OPTION")
        value = override.value()
        if value is None and group in OPTIONAL_GROUPS:
            return
        known = self.loader.get_group_options(group, config_name=self.name, overrides=search)
        stacked = isinstance(value, list) and group in OPTIONAL_GROUPS  # recipes may be
        for choice in value if isinstance(value, list) and stacked else [value]:
            if str(choice) not in known:
                raise mistakes.unknown_choice(group, choice, known)


def needs_hydra(override: Override) -> bool:
    """Whether Hydra must compose anew for it: a choice of a group, or a setting of Hydra's own."""
    key = override.key_or_group
    return key in GROUPS or key == "hydra" or key.startswith(("hydra.", "hydra/"))


@contextmanager
def opened(folder: str | None = None, name: str | None = None) -> Iterator[Composer]:
    """Hydra, as it looks for the parts of a configuration, with `folder` beside ours. Raises ConfigError."""
    with hydra.initialize_config_dir(str(CONFIGS), job_name="train", version_base=VERSION_BASE):  # puts back what was
        if folder is not None:
            path = create_config_search_path(str(CONFIGS))
            where = f"file://{_folder(folder)}"
            path.prepend("command-line", where, SearchPathQuery(provider="schema"))  # after ours, as Hydra does it
            GlobalHydra.instance().clear()
            Hydra.create_main_hydra2("train", path)
        yield Composer(GlobalHydra.instance().config_loader(), name or CONFIG_NAME)


def _folder(name: str) -> Path:
    if not Path(name).is_dir():
        raise ConfigError("--config-dir", found=name, expected="a folder", next_step="check how it is written")
    return Path(name).absolute()
