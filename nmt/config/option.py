"""An option, declared in one place: its default, what it means, the bounds of its values, and what to do beyond them.

    @dataclass
    class SearchConfig(Options, place="search"):
        beam: int = option(5, "hypotheses a sentence; 1 is greedy", at_least=1, hint="1 is greedy, 5 is usual")

    SearchConfig(beam=0)    ConfigError: search.beam: found 0, expected at least 1; 1 is greedy, 5 is usual.

Every object of the class is within its bounds. `train.py --help all` reads the same declarations.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from nmt.errors import ConfigError

T = TypeVar("T")
DECLARED = "option"  # key of a field's metadata


@dataclass(frozen=True)
class Declared:
    """What is said of an option beside its type and its default."""

    meaning: str
    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None
    one_of: Sequence[str] = ()
    null: str = ""  # what null stands for: "for no limit"
    hint: str = ""  # the next step of whoever went beyond the bounds

    @property
    def bounds(self) -> str:
        """In words, as a sentence goes on after `expected`; nothing where there are none."""
        if self.one_of:
            return f"one of {', '.join(self.one_of)}"
        low = self.at_least if self.above is None else self.above
        high = self.at_most if self.below is None else self.below
        if low is not None and high is not None:
            more, less = "<=" if self.above is None else "<", "<=" if self.below is None else "<"
            return f"{_figure(low)} {more} value {less} {_figure(high)}"
        if low is not None:
            return f"at least {_figure(low)}" if self.above is None else f"more than {_figure(low)}"
        return (
            "" if high is None else f"at most {_figure(high)}" if self.below is None else f"less than {_figure(high)}"
        )

    @property
    def expected(self) -> str:
        """The bounds, and what may stand in the place of a value within them."""
        return f"{self.bounds}, or null {self.null}" if self.null else self.bounds

    def holds(self, value: Any) -> bool:
        if value is None:
            return True
        if self.one_of:
            return value in self.one_of
        return (
            (self.at_least is None or value >= self.at_least)
            and (self.above is None or value > self.above)
            and (self.at_most is None or value <= self.at_most)
            and (self.below is None or value < self.below)
        )


def _figure(bound: float) -> str:
    """0.5, 4294967295: a whole number with all its digits."""
    return str(bound) if isinstance(bound, int) else f"{bound:g}"


def option(
    default: T,
    meaning: str,
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
    one_of: Sequence[str] = (),
    null: str = "",
    hint: str = "",
) -> T:
    """A field of a dataclass of Options. A list or dictionary is copied for each object."""
    declared = Declared(meaning, at_least, above, at_most, below, one_of, null, hint)
    assert bool(declared.bounds) == bool(hint), f"bounds need a hint, and a hint bounds: {meaning}"
    metadata = {DECLARED: declared}
    if isinstance(default, list | dict):
        made: T = field(default_factory=lambda: copy(default), metadata=metadata)
    else:
        made = field(default=default, metadata=metadata)
    return made


def seed_option(default: int, meaning: str) -> int:
    """A seed, within what every generator of random numbers takes."""
    return option(default, meaning, at_least=0, at_most=2**32 - 1, hint="any whole number between them")


class Options:
    """A group of options. A subclass says with `place` how its keys begin, such as `place="train"`."""

    _place = ""

    def __init_subclass__(cls, place: str = "") -> None:
        cls._place = place or cls._place

    def __post_init__(self) -> None:
        """Raises ConfigError for the first value that is beyond its bounds."""
        for key, declared in declarations(type(self)).items():
            value = getattr(self, key)
            if not declared.holds(value):
                raise ConfigError(
                    f"{self._place}.{key}" if self._place else key,
                    found=value,
                    expected=declared.expected,
                    next_step=declared.hint,
                )


def declarations(kind: type) -> dict[str, Declared]:
    """Name -> what is declared of it, for each option of the dataclass `kind`; groups of options are not among them."""
    return {part.name: part.metadata[DECLARED] for part in fields(kind) if DECLARED in part.metadata}
