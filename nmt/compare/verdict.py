"""What a comparison says, in a sentence for each system beside the baseline."""

from __future__ import annotations

from collections.abc import Sequence

from nmt.compare.judge import Comparison, Verdict

LEVEL = 0.05  # of Holm's p: what is above it is no difference


def sentences(comparison: Comparison) -> list[str]:
    """B is better than A by BLEU; a difference people notice in 71 of 100 such pairs."""
    by_system: dict[str, list[Verdict]] = {}
    for one in comparison.verdicts:
        if one.difference is not None:
            by_system.setdefault(one.system, []).append(one)
    return [_sentence(system, comparison.baseline, verdicts) for system, verdicts in by_system.items()]


def _sentence(system: str, baseline: str, verdicts: Sequence[Verdict]) -> str:
    told = [one for one in verdicts if one.p_holm is not None and one.p_holm < LEVEL]
    better, worse = ([one for one in told if _gain(one) * sign > 0] for sign in (1, -1))
    if not better and not worse:
        labels = listed([one.measure.figure.label for one in verdicts], "or")
        return f"{system} is neither better nor worse than {baseline} by {labels}, as far as these sentences tell."
    parts = [
        f"{word} than {baseline} by {listed([one.measure.figure.label for one in side])}"
        for word, side in (("better", better), ("worse", worse))
        if side
    ]
    said = f"{system} is {' and '.join(parts)}"
    noticed = [one.agreement for one in told if one.agreement is not None]
    if noticed and not (better and worse):
        said += f"; a difference people notice in {min(noticed):.0f} of 100 such pairs"
    return f"{said}."


def _gain(one: Verdict) -> float:
    assert one.difference is not None, "a system is compared with the baseline"
    return one.measure.figure.sign * one.difference


def listed(words: Sequence[str], last: str = "and") -> str:
    """a, b and c"""
    return f" {last} ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
