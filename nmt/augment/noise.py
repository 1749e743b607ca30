"""Noise on sources that a beam made (Edunov et al. 2018, after Lample et al. 2018), and the tag before them."""

from __future__ import annotations

import random
from dataclasses import dataclass

import xxhash


@dataclass(frozen=True)
class Noise:
    """A word is left out with probability `drop`, else blanked with probability `blank`; then words move, by at most
    `shuffle` places:

        order by  i + u_i,  u_i uniform in [0, shuffle + 1)

    What happens to a sentence depends on the seed and on the sentence, not on its place.
    """

    drop: float
    blank: float
    shuffle: int
    filler: str
    seed: int

    def __call__(self, line: str) -> str:
        dice = random.Random(xxhash.xxh3_64_intdigest(f"{self.seed}\n{line}".encode()))
        words = line.split()
        kept = [word for word in words if dice.random() >= self.drop] or words[:1]  # no sentence becomes none
        blanked = [self.filler if dice.random() < self.blank else word for word in kept]
        keys = [place + dice.random() * (self.shuffle + 1) for place in range(len(blanked))]
        return " ".join(blanked[place] for place in sorted(range(len(blanked)), key=keys.__getitem__))


def tagged(tag: str | None, line: str) -> str:
    """<BT> ein mann fährt rad"""
    return line if tag is None else f"{tag} {line}"
