"""Trials that run nowhere, and run folders that no run wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from nmt.config.root import Config
from nmt.config.saved import write_run_config
from nmt.config.train import TrainConfig
from nmt.sweep.trials import Trial, make_trial


def a_config(seed: int = 1, units: int = 64, metric: str = "bleu") -> Config:
    config = Config(seed=seed, train=TrainConfig())
    config.model.units = units
    config.train.early_stopping.metric = metric
    return config


def a_trial(folder: Path, number: int, units: int = 64, seed: int = 1) -> Trial:
    words = (f"model.units={units}", f"seed={seed}")
    name = "_".join(word.replace("=", "-") for word in words)
    return make_trial(number, words, a_config(seed, units), folder / f"{number}_{name}", " ".join(words))


def write_run(
    folder: Path,
    config: Config,
    scores: Sequence[float | None],
    test: Mapping[str, float] | None = None,
    seconds: float = 10.0,
    losses: Sequence[float] | None = None,
) -> None:
    """A run folder with a validation for each of `scores`, 100 steps apart; `test` figures make it complete."""
    folder.mkdir(parents=True, exist_ok=True)
    write_run_config(folder, config)
    metric = config.train.early_stopping.metric
    events = []
    for place, score in enumerate(scores, start=1):
        spent = seconds * place / len(scores)
        loss = 1.0 if losses is None else losses[place - 1]
        figures = {"loss": loss, "bleu": 1.0, "chrf": 1.0, "wmd_similarity": 0.5, metric: score}
        events.append({"event": "validate", "step": 100 * place, "epoch": 1.0, "seconds": spent, **figures})
    if test is not None:
        events.append({"event": "end", "step": 100 * len(scores), "epoch": 1.0, "seconds": seconds})
        events.append({"event": "test", "data": "test", "step": 100, "epoch": 1.0, "seconds": seconds, **test})
        (folder / "report.html").write_text("<p>", encoding="utf-8")
    text = "".join(json.dumps(event) + "\n" for event in events)
    (folder / "metrics.jsonl").write_text(text, encoding="utf-8")


@dataclass
class FakeRun:
    """Ends with `status` once it has been looked at `polls` times, or with 143 once it was asked to stop."""

    where: str
    status: int
    polls: int
    asked: int = 0
    killed: bool = False

    def poll(self) -> int | None:
        self.polls -= 1
        if self.killed:
            return -9
        if self.asked:
            return 143
        return self.status if self.polls <= 0 else None

    def stop(self) -> None:
        self.asked += 1

    def kill(self) -> None:
        self.killed = True

    def usd(self, seconds: float) -> float | None:
        return 0.5


@dataclass
class FakePool:
    """`scripts`: number of a trial -> (exit status, looks until then, score or None, whether it writes its end)."""

    scripts: dict[int, tuple[int, int, float | None]]
    size: int = 2
    started: list[int] = field(default_factory=list)
    runs: dict[int, FakeRun] = field(default_factory=dict)
    most_at_once: int = 0
    taken: int = 0

    def start(self, trial: Trial) -> FakeRun:
        status, polls, score = self.scripts[trial.number]
        self.started.append(trial.number)
        self.taken += 1
        self.most_at_once = max(self.most_at_once, self.taken)
        units, seed = (int(word.partition("=")[2]) for word in trial.overrides)
        if score is not None:
            test = {"bleu": score, "wmd_similarity": 0.5} if status == 0 else None
            write_run(trial.folder, a_config(seed, units), [score], test)
        self.runs[trial.number] = FakeRun(f"place {self.taken}", status, polls)
        return self.runs[trial.number]

    def free(self, running: object) -> None:
        self.taken -= 1

    def usd(self, seconds: float) -> float | None:
        return seconds / 3600


def renamed(trial: Trial, name: str) -> Trial:
    return replace(trial, folder=trial.folder.with_name(name))
