"""Whether an attention works: how it spreads, how it moves, what it leaves out.

S source step, the last of which is the end mark; T target step
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from nmt.config.model import DEGENERATE

ALIKE = 1e-5  # rows nearer than that are one row: of working attentions they were 16 times as far apart, untrained
LOOKED_AT = 0.1  # of one step's attention, over all steps
WHY = (
    "degenerate: the rows of all steps are alike, and every target word sees the same mixture of the source. "
    f"model.attention={DEGENERATE.value} does so by construction, and no training mends it: choose bahdanau "
    "(docs/article.md); with another attention lower train.learning_rate, or look at the data"
)


@dataclass(frozen=True)
class Examined:
    """Means over sentences that have at least two target steps."""

    entropy: float  # of a row, of the most that there can be: 0 looks at one piece, 1 at all alike
    apart: float  # from a row to the mean row of its sentence: the share of the attention that moves, 0 to 1
    end_mark: float  # the share that goes to the source's end mark, while words are written
    coverage: float  # the share of source pieces that got LOOKED_AT

    @property
    def degenerate(self) -> bool:
        return self.apart < ALIKE

    def as_json(self) -> dict[str, float | bool]:
        """For results.json."""
        return {**vars(self), "degenerate": self.degenerate}


def examine(weights: Iterable[np.ndarray]) -> Examined | None:
    """Attentions [T, S] of sentences; None where no sentence has two steps and a piece beside the end mark."""
    rows = [_sentence(weight_TS) for weight_TS in weights if min(weight_TS.shape) > 1]
    return Examined(*map(float, np.mean(rows, axis=0))) if rows else None


def _sentence(weight_TS: np.ndarray) -> tuple[float, float, float, float]:
    """The figures of one sentence, in the order of Examined."""
    exact_TS = weight_TS.astype(np.float64)
    logs_TS = np.log(np.where(exact_TS > 0, exact_TS, 1.0))
    entropy = -(exact_TS * logs_TS).sum(axis=1).mean() / np.log(exact_TS.shape[1])
    apart = np.abs(exact_TS - exact_TS.mean(axis=0)).sum(axis=1).mean() / 2
    return entropy, apart, exact_TS[:-1, -1].mean(), (exact_TS.sum(axis=0)[:-1] >= LOOKED_AT).mean()


def told(found: Mapping[str, float | bool]) -> str:
    """`Examined.as_json` in a sentence."""
    figures = (
        f"attention: entropy {found['entropy']:.2f} of the most, {100 * found['apart']:.1f} % moves from step to step, "
        f"{100 * found['end_mark']:.1f} % on the end mark, {100 * found['coverage']:.1f} % of the source looked at"
    )
    return f"{figures}. {WHY}" if found["degenerate"] else figures
