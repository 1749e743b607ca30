"""Hydra takes a tenth of a second to compose a configuration, each time. Tests that ask it often keep its answers."""

from __future__ import annotations

import os
import pickle

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from omegaconf import DictConfig, open_dict, read_write

ANSWERS: dict[str, bytes] = {}  # pickled, since a copy of the objects takes ten times as long to make


def keep_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """They follow from the overrides, the folders of configurations and the working directory."""
    load = ConfigLoaderImpl.load_configuration

    def remembered(self: ConfigLoaderImpl, *args: object, **options: object) -> DictConfig:
        key = repr(([part.path for part in self.get_search_path().get_path()], args, options))
        if key not in ANSWERS:
            ANSWERS[key] = pickle.dumps(load(self, *args, **options))
        answer: DictConfig = pickle.loads(ANSWERS[key])
        with read_write(answer), open_dict(answer):
            answer.hydra.runtime.cwd = os.getcwd()
        return answer

    monkeypatch.setattr(ConfigLoaderImpl, "load_configuration", remembered)
