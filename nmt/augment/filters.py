"""What is left out of a translation: what is none, what its model finds unlikely, what is unlike the text's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from nmt.augment.parts import Made
from nmt.errors import MetricError
from nmt.metrics.wmd import WordMover

# Why, in the order in which they are looked for.
NONE, UNLIKELY, UNLIKE, LEAKED = (
    "no translation",
    "below min_score",
    "below min_similarity",
    "a sentence of the dev set or a test set",
)


@dataclass
class Kept:
    """Lines and what was made of them, and how many were left out, by reason."""

    lines: list[str] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)

    @property
    def read(self) -> int:
        return len(self.lines) + sum(self.dropped.values())

    def without(self, places: set[int], why: str) -> Kept:
        """... those of these places, from 0."""
        stay = [place for place in range(len(self.lines)) if place not in places]
        dropped = Counter(self.dropped)
        dropped[why] += len(places)
        return Kept([self.lines[at] for at in stay], [self.made[at] for at in stay], +dropped)


def likely(lines: Iterable[str], made: Iterable[Made], min_score: float | None) -> Kept:
    """Translations that are some, and of at least this log-probability a subword."""
    kept = Kept()
    for line, one in zip(lines, made, strict=True):
        if not one.text.strip():
            kept.dropped[NONE] += 1
        elif min_score is not None and (one.score is None or one.score < min_score):
            kept.dropped[UNLIKELY] += 1
        else:
            kept.lines.append(line)
            kept.made.append(one.text)
    return kept


def alike(kept: Kept, own: Mapping[str, str], mover: WordMover, least: float) -> Kept:
    """Without what is less similar to the text's own translation of its line than `least`.

    Raises MetricError where the vectors know none of the words.
    """
    if not kept.lines:
        return kept
    score = mover.score(kept.made, [[own[line]] for line in kept.lines])
    if score.coverage == 0:
        raise MetricError(
            "vectors_src, vectors_tgt",
            found="none of the words of what was made",
            expected=f"word vectors of its language ({mover.language})",
            next_step="name a table of that language",
        )
    unlike = {place for place, one in enumerate(score.sentences) if one.similarity < least}
    return kept.without(unlike, UNLIKE)


def changed(kept: Kept, change: Callable[[str], str]) -> Kept:
    """With something done to what was made."""
    return Kept(kept.lines, [change(text) for text in kept.made], kept.dropped)
