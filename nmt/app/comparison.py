"""Whether systems differ from the first of them, or the choice of sentences made the difference.

N sentence, F statistic
"""

from __future__ import annotations

from dataclasses import dataclass

from nmt.app.scoring import Scored
from nmt.config.metrics import MetricsConfig
from nmt.errors import CheckpointError
from nmt.metrics.bleu import bleu, bleu_from_statistics
from nmt.metrics.bootstrap import CorpusScore, FloatArray, mean_from_statistics, mean_statistics
from nmt.metrics.chrf import chrf, chrf_from_statistics
from nmt.metrics.significance import TRIALS, paired_bootstrap, paired_randomisation
from nmt.metrics.wmd import WordMover
from nmt.report.console import table

RESAMPLES = 1000  # where the configuration asks for none
_NAMES = {"bleu": "BLEU", "chrf": "chrF", "wmd": "WMD similarity"}
_SCORES: dict[str, CorpusScore] = {
    "bleu": bleu_from_statistics,
    "chrf": chrf_from_statistics,
    "wmd": mean_from_statistics,
}


@dataclass(frozen=True)
class Judge:
    """Scores all systems as the first is scored: with its settings, and its word vectors."""

    metrics: MetricsConfig
    mover: WordMover

    def statistics(self, metric: str, scored: Scored) -> FloatArray:
        """statistics_NF, worked out anew."""
        references = [[line] for line in scored.text.tgt]
        if metric == "bleu":
            return bleu(scored.lines, references, self.metrics.bleu, 0, 0.95, 0).statistics_NF
        if metric == "chrf":
            return chrf(scored.lines, references, self.metrics.chrf, 0, 0.95, 0).statistics_NF
        return mean_statistics(self.mover.score(scored.lines, references).similarities_N)


def compare(name: str, systems: dict[str, Scored], judge: Judge) -> str:
    """A table: each system against the first, by paired bootstrap and paired approximate randomisation.

    A score counts as the first system's does: a system with another signature (word vectors that its run learnt) is
    scored anew, and the table says so.

    Raises CheckpointError where the systems translated different sentences.
    """
    (baseline, first), *others = systems.items()
    if any(scored.text.tgt != first.text.tgt for _, scored in others):
        raise CheckpointError(
            "checkpoint",
            found="test sets that differ between the checkpoints",
            expected="the same sentences for all",
            next_step="name one test set with data.test=PREFIX",
        )
    rows, notes = [], []
    for metric in _NAMES:
        statistics = []
        for file, scored in systems.items():
            if _signature(scored, metric) == _signature(first, metric):
                statistics.append(_own_statistics(scored, metric))
            else:
                statistics.append(judge.statistics(metric, scored))
                what = "the word vectors and settings" if metric == "wmd" else "the settings"
                notes.append(f"{_NAMES[metric]} of {file} is by {what} of {baseline} here")
        rows += _rows(metric, [file for file, _ in others], statistics, judge.metrics)
    interval = f"its {100 * judge.metrics.confidence:g} % interval"
    header = ("metric", "system", "score", "difference", interval, "p (bootstrap)", "p (randomisation)")
    return "\n".join([f"{name}: compared with {baseline}", table(rows, header), *notes])


def _rows(metric: str, files: list[str], statistics: list[FloatArray], cfg: MetricsConfig) -> list[tuple[str, ...]]:
    base_NF, *rest = statistics
    score, seed = _SCORES[metric], cfg.seed
    draws = cfg.bootstrap or RESAMPLES
    boot = paired_bootstrap(base_NF, rest, score, resamples=draws, confidence=cfg.confidence, seed=seed)
    shuffled = paired_randomisation(base_NF, rest, score, trials=TRIALS, seed=seed)
    digits = 4 if metric == "wmd" else 2
    return [
        (
            _NAMES[metric],
            file,
            f"{one.score:.{digits}f}",
            f"{one.difference:+.{digits}f}",
            f"[{one.difference_interval.low:+.{digits}f}, {one.difference_interval.high:+.{digits}f}]",
            f"{one.p_value:.4f}",
            f"{two.p_value:.4f}",
        )
        for file, one, two in zip(files, boot, shuffled, strict=True)
    ]


def _signature(scored: Scored, metric: str) -> str:
    signatures = {"bleu": scored.bleu.signature, "chrf": scored.chrf.signature, "wmd": scored.wmd.signature}
    return signatures[metric]


def _own_statistics(scored: Scored, metric: str) -> FloatArray:
    if metric == "bleu":
        return scored.bleu.statistics_NF
    if metric == "chrf":
        return scored.chrf.statistics_NF
    return mean_statistics(scored.wmd.similarities_N)
