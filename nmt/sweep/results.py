"""What the trials of a sweep found: from its ledger, or, where another launcher ran it, from its run folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nmt.config.metrics import METRICS, Facts, Figure, MetricsConfig
from nmt.config.saved import OVERRIDES, read_run_config
from nmt.config.train import EarlyStoppingConfig
from nmt.errors import NmtError, SweepError
from nmt.plumbing.records import checked, parsed
from nmt.sweep.ledger import Status, at_work, read_standings
from nmt.sweep.outcome import EVENTS_FILE, Scores, read_scores
from nmt.sweep.pool import CONSOLE
from nmt.sweep.trials import identify, key_of

SEED = "seed"


@dataclass(frozen=True)
class Result:
    """A trial and how far it has come."""

    number: int
    overrides: tuple[str, ...]
    group: str  # trials that differ in their seed alone have the same
    folder: Path
    status: str  # of Status, or "running"
    scores: Scores | None
    usd: float | None
    flags: tuple[str, ...] = ()  # of its command line, before the overrides
    exit_status: int | None = None

    @property
    def finished(self) -> bool:
        return self.status == Status.finished.value and self.scores is not None and self.scores.score is not None

    @property
    def score(self) -> float:
        """Of the dev set; of a trial that has finished."""
        assert self.scores is not None
        assert self.scores.score is not None
        return self.scores.score

    @property
    def last_words(self) -> str:
        """The last line that its process wrote, which tells why it ended."""
        try:
            text = (self.folder / CONSOLE).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")

    @property
    def values(self) -> dict[str, str]:
        """Key -> value, as written."""
        return {key_of(word): word.partition("=")[2] for word in self.overrides}


def read_results(folder: Path) -> list[Result]:
    """In the order of their numbers. Raises SweepError where the folder holds no trial."""
    results = _from_ledger(folder) or _from_folders(folder)
    if not results:
        raise SweepError(
            str(folder),
            found="no folder of this name" if not folder.is_dir() else "no trials in it",
            expected="the folder of a sweep",
            next_step="name the folder that `train.py -m` told at its end, under runs/sweeps",
        )
    return sorted(results, key=lambda result: result.number)


def _from_ledger(folder: Path) -> list[Result]:
    alive = at_work(folder)
    results = []
    for standing in read_standings(folder).values():
        place = folder / standing.folder
        scores = read_scores(place)
        status = "running" if standing.running and alive else standing.status.value
        known = [usd for usd in (standing.usd, scores.usd if scores else None) if usd is not None]
        results.append(
            Result(
                standing.number,
                standing.overrides,
                standing.group,
                place,
                status,
                scores,
                max(known, default=None),
                standing.flags,
                standing.exit_status,
            )
        )
    return results


def _from_folders(folder: Path) -> list[Result]:
    """A launcher that is not ours keeps no ledger: a run that has its report has finished."""
    results: list[Result] = []
    for path in sorted(folder.glob(f"*/{EVENTS_FILE}")):
        place = path.parent
        try:
            config = read_run_config(place)
            words = parsed((place / OVERRIDES).read_bytes())
            checked({"overrides": words}, {"overrides": list[str]}, set())
        except (NmtError, OSError, ValueError):
            continue
        number = place.name.partition("_")[0]
        scores = read_scores(place)
        done = scores is not None and scores.complete
        results.append(
            Result(
                int(number) if number.isdigit() else len(results),
                tuple(words),
                identify(replace(config, seed=0)),
                place,
                Status.finished.value if done else Status.interrupted.value,
                scores,
                scores.usd if scores is not None else None,
            )
        )
    return results


def chosen_by(results: Sequence[Result]) -> Figure:
    """What the trials were chosen by; before the first has begun, what one would be by default.

    Raises SweepError where they do not agree.
    """
    figures = {result.scores.chosen_by for result in results if result.scores is not None}
    if len(figures) > 1:
        raise SweepError(
            "the trials",
            found=f"several metrics ({', '.join(sorted(one.key for one in figures))})",
            expected="trials of one train.early_stopping.metric",
            next_step="run those of each metric in a folder of their own",
        )
    return figures.pop() if figures else EarlyStoppingConfig().figure


def reported(results: Sequence[Result]) -> list[Facts]:
    """The metrics that any trial reports; before the first has begun, those that one would by default."""
    names = dict.fromkeys(name for result in results if result.scores is not None for name in result.scores.report)
    return [METRICS[name] for name in names or MetricsConfig().report]


def varying(results: Sequence[Result]) -> list[str]:
    """The keys whose values differ from trial to trial, in the order of the command line."""
    keys = dict.fromkeys(key for result in results for key in result.values)
    return [key for key in keys if len({result.values.get(key) for result in results}) > 1]
