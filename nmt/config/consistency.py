"""How two noisy passes over the same batch are made to agree."""

from __future__ import annotations

from enum import Enum


class Consistency(Enum):
    """rdrop: two passes under dropout (Wu et al. 2021). simcut: one of them with words cut (Gao et al. 2022)."""

    none = "none"
    rdrop = "rdrop"
    simcut = "simcut"

    @property
    def usual_weight(self) -> float:
        """That of the papers' translation experiments."""
        return {Consistency.none: 0.0, Consistency.rdrop: 5.0, Consistency.simcut: 3.0}[self]

    @property
    def passes(self) -> int:
        """Over each batch."""
        return 1 if self is Consistency.none else 2
