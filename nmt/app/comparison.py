"""Whether systems differ from the first of them, or the choice of sentences made the difference."""

from __future__ import annotations

from collections.abc import Sequence

from nmt.app.translated import Translated
from nmt.errors import CheckpointError
from nmt.metrics.bootstrap import FloatArray
from nmt.metrics.metric import Metric, Scorer
from nmt.metrics.significance import TRIALS, paired_bootstrap, paired_randomisation
from nmt.plumbing.tables import table

RESAMPLES = 1000  # where the configuration asks for none


def compare(name: str, systems: dict[str, Translated], scorer: Scorer) -> str:
    """A table: each system against the first, by paired bootstrap and paired approximate randomisation.

    A score counts as the first system's does, which `scorer` says: a system with another signature (word vectors that
    its run learnt), or without that score, is scored anew, and the table says so.

    Raises CheckpointError where the systems translated different sentences.
    """
    (baseline, first), *others = systems.items()
    if not others:
        return f"{name}: not compared, since only {baseline} has this test set"
    if any(scored.text.tgt != first.text.tgt for _, scored in others):
        raise CheckpointError(
            "checkpoint",
            found="test sets that differ between the checkpoints",
            expected="the same sentences for all",
            next_step="name one test set with data.test=PREFIX",
        )
    rows, notes = [], []
    for metric in scorer.metrics.values():
        statistics, facts = [], metric.facts
        for file, scored in systems.items():
            own = scored.scores.get(facts.name)
            if own is None or own.signature != first.scores[facts.name].signature:
                own = metric.score(scored.lines, [[line] for line in scored.text.tgt], 0)
                notes.append(f"{facts.figure.label} of {file} is by {facts.settings} of {baseline} here")
            statistics.append(own.statistics_NF)
        rows += _rows(metric, [file for file, _ in others], statistics)
    interval = f"its {100 * scorer.cfg.confidence:g} % interval"
    header = ("metric", "system", "score", "difference", interval, "p (bootstrap)", "p (randomisation)")
    return "\n".join([f"{name}: compared with {baseline}", table(rows, header), *notes])


def _rows(metric: Metric, files: Sequence[str], statistics: Sequence[FloatArray]) -> list[tuple[str, ...]]:
    base_NF, *rest = statistics
    cfg, figure = metric.cfg, metric.facts.figure
    score, seed, draws = metric.from_statistics, cfg.seed, cfg.bootstrap or RESAMPLES
    boot = paired_bootstrap(base_NF, rest, score, resamples=draws, confidence=cfg.confidence, seed=seed)
    shuffled = paired_randomisation(base_NF, rest, score, trials=TRIALS, seed=seed)
    return [
        (
            figure.label,
            file,
            figure.told(one.score),
            figure.told(one.difference, "+"),
            f"[{figure.told(one.difference_interval.low, '+')}, {figure.told(one.difference_interval.high, '+')}]",
            f"{one.p_value:.4f}",
            f"{two.p_value:.4f}",
        )
        for file, one, two in zip(files, boot, shuffled, strict=True)
    ]
