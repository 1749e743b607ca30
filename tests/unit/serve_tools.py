"""A service inside the test process, whose models are known beforehand."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from starlette.testclient import TestClient

from nmt.config.search import SearchConfig
from nmt.config.serve import ServeConfig
from nmt.config.subword import SubwordKind
from nmt.data.subwords import Vocabularies
from nmt.data.words import ListedSubwords
from nmt.errors import CheckpointError
from nmt.serve.api import make_app
from nmt.serve.models import Model, make_model
from nmt.serve.queue import BatchQueue
from nmt.serve.service import Service
from tests.unit.search_models import Copier

LETTERS = ListedSubwords(SubwordKind.characters, [*'abcdefghijklmnopqrstuvwxyz .,!?<>&;=/"ABCDEFGHIJKLMNOPQRSTUVWXYZ'])
GREEK = ListedSubwords(SubwordKind.words, ["αβγ", "δε"])
LIMITS = {"max_characters": 200, "max_sentences": 5, "wait_ms": 0, "queue": 8, "cache": 0, "alternatives": 2}


def opener(name: str, files: tuple[Path, ...], version: int) -> Model:
    """en-de writes letters again; el-en reads whole words of Greek."""
    subwords, languages = (GREEK, ("el", "en")) if name == "greek" else (LETTERS, ("en", "de"))
    vocabularies = Vocabularies(subwords, subwords, joint=True)
    search = SearchConfig(beam=3, max_source=40)
    return make_model(name, files, version, languages, Copier(subwords.size), vocabularies, search, alternatives=2)


def light_opener(name: str, files: tuple[Path, ...], version: int) -> SimpleNamespace:
    """What a shelf keeps of a model, without one."""
    if files[0].read_bytes() == b"broken":
        raise CheckpointError(str(files[0]), found="rubbish", expected="a checkpoint", next_step="mend it")
    if files[0].read_bytes() == b"unreadable":
        raise OSError("the disk is gone")
    return SimpleNamespace(files=files, version=version)


def client_of(shelf, keys=(), **options):
    config = ServeConfig(checkpoint=["a.h5"], **{**LIMITS, **options})
    queue = BatchQueue(config.wait_ms / 1000, config.batch, config.queue, config.cache)
    return TestClient(make_app(Service(shelf, queue, config, keys)), raise_server_exceptions=False)


def ask(client, q, **fields):
    return client.post("/translate", json={"q": q, "source": "en", "target": "de", **fields})
