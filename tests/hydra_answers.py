"""Hydra takes a tenth of a second to compose a configuration, each time. Tests that ask it often keep its answers."""

from __future__ import annotations

import os
import pickle

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig, open_dict, read_write

ANSWERS: dict[str, bytes] = {}  # pickled, since a copy of the objects takes ten times as long to make


def keep_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """They follow from the overrides, the folders of configurations and the working directory."""
    load, load_part = ConfigLoaderImpl.load_configuration, ConfigRepository.load_config

    def remembered(self: ConfigLoaderImpl, *args: object, **options: object) -> DictConfig:
        key = repr(([part.path for part in self.get_search_path().get_path()], args, options))
        if key not in ANSWERS:
            ANSWERS[key] = pickle.dumps(load(self, *args, **options))
        answer: DictConfig = pickle.loads(ANSWERS[key])
        with read_write(answer), open_dict(answer):
            answer.hydra.runtime.cwd = os.getcwd()
        return answer

    def remembered_part(self: ConfigRepository, config_path: str) -> ConfigResult | None:
        """A file, of which each answer is put together from some thirty."""
        key = repr(([(source.provider, source.path) for source in self.sources], config_path))
        if key not in ANSWERS:
            ANSWERS[key] = pickle.dumps(load_part(self, config_path))
        part: ConfigResult | None = pickle.loads(ANSWERS[key])
        return part

    monkeypatch.setattr(ConfigLoaderImpl, "load_configuration", remembered)
    monkeypatch.setattr(ConfigRepository, "load_config", remembered_part)
