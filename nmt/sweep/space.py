"""The search space of an Optuna sweep, read from Hydra's grammar of overrides.

model.units=64,96,128                    one of these, also choice(...) and glob(*) of a group
model.units=range(64,257,64)             one of these, in order
model.dropout_state=interval(0,0.5)      any number between; of an integer option, any integer
train.learning_rate=tag(log,interval(1e-4,1e-2))      ... evenly on a logarithmic scale
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from omegaconf import DictConfig

from nmt.config.overrides import parse_override
from nmt.config.sweep_line import interval_ends
from nmt.errors import ConfigError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Value = str | int | float
LOG = "log"
CLOSE = 1e-8  # of a step: how far from the grid a value may be written


def read_space(overrides: Sequence[Override], node: DictConfig) -> dict[str, BaseDistribution]:
    """Key (with its + where it has one) -> distribution, for each override that is a sweep.

    Raises ConfigError for a tag that is not known, a logarithm of what is not above 0, or a space of nothing.
    """
    space = {one.get_key_element(): _distribution(one, node) for one in overrides if one.is_sweep_override()}
    if not space:
        raise ConfigError(
            "hydra/sweeper=optuna",
            found="one value for every option",
            expected="something to search",
            next_step="give values, such as model.units=64,96 or 'train.learning_rate=interval(1e-4,1e-2)'",
        )
    return space


def _distribution(override: Override, node: DictConfig) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    key, value = override.key_or_group, override.value()
    log = _is_log(key, value)
    if isinstance(value, IntervalSweep):
        low, high = interval_ends(node, key, value)
        if log and float(low) <= 0:
            raise ConfigError(
                key, found=low, expected="a lower end above 0 on a logarithmic scale", next_step="raise it"
            )
        if low.lstrip("-").isdigit() and high.lstrip("-").isdigit():
            return IntDistribution(int(low), int(high), log=log)
        return FloatDistribution(float(low), float(high), log=log)
    if isinstance(value, RangeSweep) and not log:
        numbers = list(value.range())
        if all(isinstance(number, int) for number in numbers):
            return IntDistribution(min(numbers), max(numbers), step=abs(int(value.step)))
        return FloatDistribution(min(numbers), max(numbers), step=abs(value.step))
    return CategoricalDistribution(list(override.sweep_string_iterator()))


def _is_log(key: str, value: Any) -> bool:
    tags: set[str] = getattr(value, "tags", set())
    if tags - {LOG} or (tags and not isinstance(value, IntervalSweep)):
        raise ConfigError(
            key,
            found=f"the tag {', '.join(sorted(map(str, tags)))}",
            expected="none, or log of an interval",
            next_step=f"write {key}=tag(log,interval(1e-4,1e-2))",
        )
    return LOG in tags


def words_of(overrides: Sequence[Override], params: Mapping[str, Value]) -> list[str]:
    """The command line of one trial, in the order of the sweep's."""
    return [
        f"{key}={written(params[key])}" if key in params else f"{key}={override.get_value_element_as_str()}"
        for override in overrides
        for key in [override.get_key_element()]
    ]


def written(value: Value) -> str:
    return value if isinstance(value, str) else repr(value)


def start_params(start: str, space: Mapping[str, BaseDistribution]) -> dict[str, Value]:
    """`sweep.start` as values of the space. Raises ConfigError for a key or a value that is not in it."""
    from optuna.distributions import CategoricalDistribution

    params: dict[str, Value] = {}
    for word in start.split():
        key, _, text = word.partition("=")
        if key not in space:
            raise ConfigError(
                "sweep.start",
                found=f"{key}, no key of the space",
                expected=f"one of {', '.join(space)}",
                next_step="leave it out, or give it values to search",
            )
        distribution = space[key]
        value: Any = text
        if not isinstance(distribution, CategoricalDistribution):
            value = parse_override(word).value()
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not (number or isinstance(value, str)) or not _holds(distribution, value):
            raise ConfigError(
                "sweep.start",
                found=word,
                expected=f"a value of the space, {described(distribution)}",
                next_step="correct it",
            )
        params[key] = value
    return params


def _holds(distribution: BaseDistribution, value: Any) -> bool:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(distribution, CategoricalDistribution):
        return value in distribution.choices
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    if isinstance(value, str) or (isinstance(distribution, IntDistribution) and value != int(value)):
        return False
    steps = (value - distribution.low) / (distribution.step or 1)
    on_grid = distribution.step is None or distribution.log or abs(steps - round(steps)) < CLOSE
    return bool(distribution.low <= value <= distribution.high and on_grid)


def grid(distribution: BaseDistribution) -> Sequence[Value] | None:
    """Its values in order; None where there is no end of them."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(distribution, CategoricalDistribution):
        return list(dict.fromkeys(str(choice) for choice in distribution.choices))
    if isinstance(distribution, IntDistribution):
        return range(distribution.low, distribution.high + 1, distribution.step)
    assert isinstance(distribution, FloatDistribution)
    if distribution.step is None:
        return None
    count = round((distribution.high - distribution.low) / distribution.step) + 1
    return [distribution.low + place * distribution.step for place in range(count)]


def size_of(space: Mapping[str, BaseDistribution]) -> int | None:
    """How many combinations there are; None where there is no end of them."""
    grids = [grid(distribution) for distribution in space.values()]
    return math.prod(len(values) for values in grids if values is not None) if None not in grids else None


def every(space: Mapping[str, BaseDistribution]) -> Iterator[dict[str, Value]]:
    """Every combination, of a space that has an end; nothing of another."""
    grids = [grid(distribution) for distribution in space.values()]
    for values in itertools.product(*(one or [] for one in grids)):
        yield dict(zip(space, values, strict=True))


def in_words(space: Mapping[str, BaseDistribution]) -> str:
    """model.units: 32 to 128 in steps of 32; model.cell: one of gru, lstm"""
    return ", ".join(f"{key}: {described(distribution)}" for key, distribution in space.items())


def described(distribution: BaseDistribution) -> str:
    """In words: `0.0001 to 0.01, logarithmic`."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(distribution, CategoricalDistribution):
        return f"one of {', '.join(map(str, distribution.choices))}"
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    step = distribution.step if distribution.step not in (None, 1) else None
    scale = ", logarithmic" if distribution.log else "" if step is None else f" in steps of {step:g}"
    return f"{distribution.low:g} to {distribution.high:g}{scale}"
