"""What lies in files as JSON, checked as it comes back: a file may have been cut off, edited, or written by another."""

from __future__ import annotations

import json
import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")
_BITS = 63  # of a whole number


def parsed(text: str | bytes) -> Any:
    """A value of JSON. Raises ValueError for other text, one nested too deeply, and half of a pair of surrogates."""
    content = text.decode() if isinstance(text, bytes) else text
    try:
        value = json.loads(content)
        if "\\ud" in content.lower():
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("JSON that is nested too deeply") from None
    return value


def record_of(kind: type[T], values: object, finite: bool = True) -> T:
    """The dataclass whose fields these are: those with a default may be missing, and others are left out.

    Raises ValueError with the name of a field that is missing or of another type.
    """
    hints = get_type_hints(kind)
    parts = {part.name: part for part in fields(kind)}  # type: ignore[arg-type]
    needed = {name for name, part in parts.items() if part.default is MISSING and part.default_factory is MISSING}
    checked(values, {name: hints[name] for name in parts}, needed, finite)
    assert isinstance(values, dict), "it has just been looked at"
    made = {name: values[name] for name in parts if name in values}
    return kind(**{name: Path(value) if hints[name] is Path else value for name, value in made.items()})


def checked(values: object, hints: Mapping[str, Any], needed: set[str], finite: bool = True) -> None:
    """Raises ValueError unless `values` is an object with what is needed, each value as the hint of its name says."""
    if not isinstance(values, dict):
        raise ValueError("no object")
    for name, hint in hints.items():
        if name not in values and name in needed:
            raise ValueError(f"no {name}")
        if name in values and not _fits(values[name], hint, finite):
            raise ValueError(f"{name}: {values[name]!r}")


def _fits(value: object, hint: Any, finite: bool) -> bool:
    """Whether JSON has it for a value of this type. Numbers are finite, unless `finite` is false."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin in (Union, types.UnionType):
        return any(_fits(value, one, finite) for one in inner)
    if hint is None or hint is type(None):
        return value is None
    if hint is bool or isinstance(value, bool):
        return hint is bool and isinstance(value, bool)
    if hint is float and isinstance(value, float):
        return math.isfinite(value) or not finite
    if hint in (int, float):
        return isinstance(value, int) and abs(value) < 1 << _BITS
    if origin in (list, tuple):
        return isinstance(value, list) and all(_fits(one, inner[0], finite) for one in value)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return isinstance(value, dict) and all(_fits(one, inner[1], finite) for one in value.values())
    return isinstance(value, dict if isinstance(hint, type) and hint not in (str, Path) else str)
