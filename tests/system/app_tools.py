"""Runs the three programs inside the test process, at their command-line edge, with runs of a few seconds."""

from __future__ import annotations

import copy
import io
import json
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

import nmt.app.evaluate
import nmt.app.score
import nmt.app.train
import nmt.app.translate
import nmt.export.folder
import nmt.programs
from nmt.config.run import run
from nmt.plumbing.locks import Lock
from nmt.training.device import Chosen

TINY = [
    *("data.train_pairs=300", "data.dev_pairs=30", "data.test_pairs=30"),
    *("model.embedding=16", "model.encoder_units=16", "model.units=32", "model.attention_units=16"),
    *("train.max_steps=12", "train.warmup_steps=2", "train.validate_every=6", "train.save_every=6"),
    *("train.log_every=3", "train.batch_tokens=512", "search.beam=2", "search.max_ratio=1"),
    *("metrics.bootstrap=20", "metrics.wmd.dimensions=8", "metrics.wmd.epochs=1"),
]


@dataclass(frozen=True)
class Answer:
    """What a program left: its exit status and both streams."""

    status: int
    out: str
    err: str


class Bytes(io.TextIOWrapper):
    """A standard stream that keeps what is written."""

    def __init__(self, content: bytes = b"") -> None:
        super().__init__(io.BytesIO(content), encoding="utf-8", newline="\n", write_through=True)

    def text(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode()  # type: ignore[attr-defined]


@contextmanager
def streams(stdin: bytes) -> Iterator[tuple[Bytes, Bytes]]:
    """Standard streams of our own. TensorFlow takes its threads once a process, so the device is not set again."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    out, err = Bytes(), Bytes()
    with ExitStack() as stack:
        for app in (nmt.app.train, nmt.app.evaluate, nmt.app.translate, nmt.app.score, nmt.export.folder):
            stack.enter_context(patch.object(app, "choose_device", lambda *asked: Chosen("cpu", "CPU")))
        stack.enter_context(patch.object(sys, "stdin", Bytes(stdin)))
        stack.enter_context(redirect_stdout(out))
        stack.enter_context(redirect_stderr(err))
        root.handlers[:] = []
        try:
            yield out, err
        finally:
            for handler in root.handlers:
                handler.close()
            root.handlers[:] = handlers
            root.setLevel(level)


def call(program: Any, *argv: str, stdin: bytes = b"") -> Answer:
    """A program with its command line."""
    with streams(stdin) as (out, err):
        try:
            status = program(list(argv))
        except SystemExit as stopped:
            status = stopped.code
    return Answer(status, out.text(), err.text())


def train_py(folder: Path | None, *argv: str) -> Answer:
    place = [] if folder is None else [f"hydra.run.dir={folder}"]
    return call(lambda words: run(nmt.programs.train_main, words), *place, *argv)


def evaluate_py(*argv: str) -> Answer:
    return call(lambda words: nmt.programs.evaluate(words), *argv)


def translate_py(*argv: str, stdin: str | bytes = b"") -> Answer:
    content = stdin.encode() if isinstance(stdin, str) else stdin
    return call(lambda words: nmt.programs.translate(words), *argv, stdin=content)


def export_py(*argv: str) -> Answer:
    return call(nmt.programs.export, *argv)


def score_py(*argv: str) -> Answer:
    return call(nmt.programs.score, *argv)


def tiny(folder: Path, *argv: str) -> Answer:
    """A run of a few seconds that must end well."""
    answer = train_py(folder, *TINY, *argv)
    assert answer.status == 0, answer.err
    return answer


def made_once(temporary: pytest.TempPathFactory, name: str, make: Callable[[Path], Answer]) -> tuple[Path, Answer]:
    """A run that the first worker to ask for it makes, for all of them: whoever would change its folder takes a copy.

    Workers take tests from one another, so those of one file are seldom one worker's.
    """
    base = temporary.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    shared.mkdir(exist_ok=True)
    folder, told = shared / name, shared / f"{name}.json"
    with Lock(shared / f"{name}.lock", wait=True):
        if not told.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of a worker that failed
            told.write_text(json.dumps(asdict(make(folder))), encoding="utf-8")
    return folder, Answer(**json.loads(told.read_text(encoding="utf-8")))


def read_events(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


def without_times(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Events but for what differs from run to run."""
    timed = ("seconds", "usd", "tokens_per_second", "waited_share")
    return [{key: value for key, value in event.items() if key not in timed} for event in copy.deepcopy(events)]


def read_results(folder: Path, name: str = "results.json") -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / name).read_text(encoding="utf-8"))
    return content


def write_pair(prefix: Path, src: list[str], tgt: list[str]) -> str:
    """PREFIX.en and PREFIX.de; -> PREFIX."""
    prefix.parent.mkdir(parents=True, exist_ok=True)
    for ending, lines in (("en", src), ("de", tgt)):
        Path(f"{prefix}.{ending}").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(prefix)
