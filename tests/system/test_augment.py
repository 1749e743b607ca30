"""The whole loop, on a tiny corpus with small models, in one process."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import nmt.app.augment_stage
import nmt.sweep.runner
from nmt.app.augment_stage import translate_stage
from nmt.augment.loop import augment
from nmt.config.augment import read_augment
from nmt.config.saved import read_run_config
from nmt.errors import SweepError
from nmt.sweep.trials import Trial
from nmt.training.device import Chosen
from tests.system.app_tools import TINY, train_py
from tests.unit.sweep_tools import FakeRun, a_config, write_run

SMALL = ["experiment=tiny_sweep", *TINY, "train.max_steps=6", "search.beam=1", "train.early_stopping.metric=loss"]


@dataclass
class Here:
    """A pool of one place: this process. `failing`: a stage that ends with an exit status of its own; `written`: one
    whose run folder no run has written."""

    size: int = 1
    started: list[str] = field(default_factory=list)
    failing: str = ""
    written: str = ""

    def start(self, trial: Trial) -> FakeRun:
        self.started.append(trial.folder.name)
        if trial.folder.name == self.written:
            assert trial.overrides[-1] == "seed=1"
            prefixes = [word.partition("=")[2].strip('"') for word in trial.overrides if word.startswith("data.t")]
            assert all(Path(f"{prefix}.en").exists() for prefix in prefixes[1:]), prefixes
            write_run(trial.folder, a_config(metric="loss"), [5.5], {"loss": 5.25, "bleu": 0.5})
            return FakeRun("here", 0, 0)
        if trial.folder.name == self.failing:
            trial.folder.mkdir()
            (trial.folder / "console.log").write_text("no memory\n")
            return FakeRun("here", 3, 0)
        if trial.overrides:
            return FakeRun("here", train_py(trial.folder, *trial.overrides).status, 0)
        translate_stage(trial.folder, 1)
        return FakeRun("here", 0, 0)

    def free(self, running: object) -> None:
        pass

    def usd(self, seconds: float) -> float | None:
        return None


@pytest.fixture
def loop(monkeypatch):
    monkeypatch.setattr(nmt.sweep.runner, "POLL_S", 0.0)
    monkeypatch.setattr(nmt.app.augment_stage, "choose_device", lambda *asked: Chosen("cpu", "CPU"))

    def loop(pool: Here, *words: str) -> None:
        augment(read_augment([*SMALL, *words]), lambda command, config: pool)

    return loop


def provenance(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "corpus.json").read_text())


def test_the_loop_makes_text_and_trains_on_it_and_goes_on_after_a_failure(loop, tmp_path, capsys):
    words = [f"out={tmp_path}", "methods=[back]", "back=noised", "min_score=-50", "part=128", "upsample=2"]
    pool = Here(failing="final-1")
    with pytest.raises(SweepError) as mistake:
        loop(pool, *words)
    assert str(mistake.value) == (
        "stage final-1: found that it failed:  no memory, expected its end; "
        f"see {tmp_path}/final-1/console.log; the same command goes on with it."
    )
    assert pool.started == ["train-1-backward-1", "back", "final-1"]
    made = provenance(tmp_path / "sum")
    assert made["parts"][0]["read"] == 300
    assert made["pairs"] == 600 + made["parts"][0]["kept"]
    lines = (tmp_path / "sum" / "corpus.en").read_text().splitlines()
    assert len(lines) == made["pairs"]
    assert all(line.startswith("<BT> ") for line in lines[600:])
    scores = [float(line.partition("\t")[0]) for line in (tmp_path / "back" / "made.tsv").read_text().splitlines()]
    assert len(scores) == 300
    assert all(-50 < score < 0 for score in scores)

    capsys.readouterr()
    loop(pool := Here(written="final-1"), *words)
    assert pool.started == ["final-1"]
    told = capsys.readouterr().out
    assert made["files"]["corpus.en"]["sha256"] in told
    assert "final-1/checkpoints/best.h5  dev loss 5.5, " in told
    assert "test loss 5.25, bleu 0.5" in told
    assert not (tmp_path / "train-1-backward-1" / "results.json").exists(), "final models alone see the test set"

    loop(pool := Here(), *words, "upsample=1", "final=0")
    assert pool.started == []
    assert provenance(tmp_path / "sum_2")["pairs"] == made["pairs"] - 300
    loop(pool, *words, "dry_run=true")
    assert "nothing is left to run" in capsys.readouterr().out


@pytest.mark.long
def test_every_method_together_in_two_rounds_with_files_of_sentences(loop, tmp_path):
    (tmp_path / "mono.de").write_text("ein mann rennt\nzwei hunde\n")
    (tmp_path / "mono.en").write_text("a man runs\ntwo dogs\n")
    words = ["methods=[back,forward,diversify]", "models=1", "rounds=2", "back=sampling", "gzip=true", "final=2"]
    words += [
        "teachers=2",
        "final_words=train.max_steps=7",
        f"mono_tgt={tmp_path}/mono.de",
        f"mono_src={tmp_path}/mono.en",
        "translate=search.max_extra=5",
    ]
    loop(pool := Here(), f"out={tmp_path / 'out'}", *words)
    assert len(pool.started) == len(set(pool.started)) == 13
    made = provenance(tmp_path / "out" / "sum")
    kinds = [(part["method"], part["round"], part["direction"], part["read"]) for part in made["parts"]]
    assert kinds == [
        ("diversify", 1, "forward", 300),
        ("diversify", 1, "backward", made["parts"][1]["read"]),
        ("diversify", 2, "forward", 300),
        ("diversify", 2, "backward", made["parts"][1]["read"]),
        ("forward", 1, "forward", 2),
        ("back", 1, "backward", 2),
    ]
    assert all(part["read"] == part["kept"] + sum(part["dropped"].values()) for part in made["parts"])
    again = tmp_path / "again"
    loop(Here(), f"out={again}", *words)
    assert provenance(again / "sum") == made, "the same from the same words, wherever it lies"
    assert (again / "final-2" / "results.json").exists(), "the test set is scored by the final models"
    steps = {folder: read_run_config(again / folder).train.max_steps for folder in ("train-1-forward-2", "final-2")}
    assert steps == {"train-1-forward-2": 6, "final-2": 7}
