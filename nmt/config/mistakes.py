"""The sentences that answer a mistaken option: full key, what was found, what is allowed, the nearest known name."""

from __future__ import annotations

import re
import shlex
import types
from collections.abc import Iterable
from dataclasses import MISSING, fields, is_dataclass
from difflib import SequenceMatcher
from enum import Enum
from typing import Any, Union, get_args, get_origin

from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException, MissingConfigException
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from nmt.errors import ConfigError

PLAIN = re.compile(r"[A-Za-z0-9_./+-]+")  # needs no quotes
ALIKE = 0.6  # below this ratio a suggestion would be a guess


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like `name`, which may lack its group: `learning_rat` -> `train.learning_rate`.

    None where even the best is too unlike, by Ratcliff and Obershelp's measure.
    """

    def likeness(candidate: str) -> tuple[float, int]:
        group, _, last = name.rpartition(".")
        of_group, _, of_last = candidate.rpartition(".")
        part = SequenceMatcher(None, last, of_last).ratio()
        if group and part >= ALIKE:
            part = 0.6 * part + 0.4 * SequenceMatcher(None, group, of_group).ratio()
        return part, -len(candidate)

    best = max(known, key=likeness, default=None)
    return best if best is not None and likeness(best)[0] >= ALIKE else None


def show(value: object) -> str:
    """A value on one line, as one would type it; quoted where that would not be seen."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, list):
        return f"[{','.join(map(show, value))}]"
    text = str(value)
    return text if text and text.isprintable() and text == text.strip() else repr(text)


def members(hint: Any) -> list[str]:
    """The values of an Enum, as one types them; none for other types."""
    return [str(member.value) for member in hint] if isinstance(hint, type) and issubclass(hint, Enum) else []


def describe(hint: Any) -> str:
    """What a field of the type `hint` takes: int -> "an integer"."""
    if get_origin(hint) in (Union, types.UnionType):
        return " or ".join([describe(part) for part in get_args(hint) if part is not type(None)] + ["null"])
    if get_origin(hint) is dict:
        return f"entries {{NAME: {describe(get_args(hint)[1])}}}"
    if get_origin(hint) is list:
        return f"a list [{describe(get_args(hint)[0])}, ...]"
    if members(hint):
        return f"one of {', '.join(members(hint))}"
    if is_dataclass(hint):
        return f"a value for one of its options ({', '.join(field.name for field in fields(hint))})"
    return {bool: "true or false", int: "an integer", float: "a number", str: "text"}[hint]


def unknown_key(key: str, known: Iterable[str]) -> ConfigError:
    """`key` is none of the `known` keys, which name groups and their options."""
    known = set(known)
    group = key.rpartition(".")[0]
    siblings = sorted(other for other in known if other.rpartition(".")[0] == group)
    near = nearest(key, (other for other in known if other != group))
    expected = f"an option of {group}" if group and siblings else "an option or a group of options"
    hint = f"did you mean {near}" if near else f"there are {', '.join(siblings)}" if siblings else "see --help"
    return ConfigError(key, found="no option of this name", expected=expected, next_step=hint)


def elsewhere(key: str, choices: list[str]) -> ConfigError:
    """A key of `data` that belongs to another source than the chosen one."""
    place = " or ".join(f"data={choice}" for choice in choices)
    return ConfigError(key, found="no option of this name", expected=f"{key} together with {place}", next_step="add it")


def wrong_value(key: str, value: object, hint: Any, default: object) -> ConfigError:
    """`value` does not fit what is declared as `hint`; `default` is MISSING where there is none."""
    near = nearest(show(value), members(hint))
    if near:
        step = f"did you mean {near}"
    elif default is MISSING or is_dataclass(default) or isinstance(default, dict):
        step = "correct it or leave it out"
    else:
        step = f"the default is {show(default)}"
    return ConfigError(key, found=show(value), expected=describe(hint), next_step=step)


def unknown_choice(group: str, found: object, options: list[str]) -> ConfigError:
    near = nearest(show(found), options)
    return ConfigError(
        group,
        found=show(found),
        expected=f"one of {', '.join(options)}",
        next_step=f"did you mean {group}={near}" if near else f"choose one, such as {group}={options[0]}",
    )


def unreadable(text: str) -> ConfigError:
    """An argument that Hydra's grammar of overrides does not know."""
    key, sign, value = text.partition("=")
    if not sign:
        return without_key(text)
    return ConfigError(
        show(key),
        found=show(value),
        expected="a value without special characters, or a text in quotes",
        next_step=f"write {quoted(key, value)}" if text.isprintable() else "remove what cannot be printed",
    )


def without_key(word: str, key: str = "") -> ConfigError:
    """A word that is no KEY=VALUE, though it may be meant as the value of `key`."""
    step = f"write {argument(key, word)}" if key else "--help shows examples"
    return ConfigError(show(word), found="no '='", expected="KEY=VALUE", next_step=step)


def dashed(word: str, known: Iterable[str]) -> ConfigError:
    """`--units=3`, as other programs take it."""
    key, _, value = word.lstrip("-").replace("-", "_").partition("=")
    return ConfigError(
        show(word),
        found="an unknown option with dashes",
        expected="KEY=VALUE",
        next_step=f"write {nearest(key, known) or show(key)}={show(value) if value else 'VALUE'}",
    )


def not_one_value(key: str, text: str) -> ConfigError:
    """Values for a sweep where one is needed."""
    return ConfigError(
        key,
        found=text,
        expected="one value",
        next_step=f"for a sweep write train.py -m, for a text with a comma {quoted(key, text)}",
    )


def quoted(key: str, text: str) -> str:
    """An argument for the shell whose value is `text` to Hydra, whatever its characters."""
    return shlex.quote(f"{key}={in_quotes(text)}")


def argument(key: str, text: str) -> str:
    """KEY=TEXT for the shell and for Hydra, with quotes where it needs them."""
    return f"{key}={text}" if PLAIN.fullmatch(text) else quoted(key, text)


def listed(key: str, texts: Iterable[str]) -> str:
    """KEY=[TEXT,...] for the shell and for Hydra, with quotes around each text that needs them."""
    quotes = (text if PLAIN.fullmatch(text) else in_quotes(text) for text in texts)
    return shlex.quote(f"{key}=[{','.join(quotes)}]")


def in_quotes(text: str) -> str:
    """What Hydra reads as this text, whatever its characters."""
    return QuotedString(text, Quote.double).with_quotes()


def composing(error: Exception) -> ConfigError:
    """What Hydra or OmegaConf says where no rule of ours spoke first, on one line and under our headings."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, MissingConfigException) and seen.options and seen.missing_cfg_file:
            group, _, found = seen.missing_cfg_file.rpartition("/")
            return unknown_choice(group, found, sorted(seen.options))
        if isinstance(seen, OmegaConfBaseException):
            return _omegaconf(seen, str(error).splitlines()[0])
        seen = seen.__cause__
    assert isinstance(error, HydraException)
    return ConfigError(
        "command line",
        found="what Hydra refuses (" + " ".join(str(error).split()).rstrip(".") + ")",
        expected="overrides that compose to a configuration",
        next_step="--help shows examples",
    )


def _omegaconf(error: OmegaConfBaseException, headline: str) -> ConfigError:
    key = error.full_key or "command line"
    if isinstance(error, MissingMandatoryValue):
        return ConfigError(key, found="nothing", expected="a value", next_step=f"give it with {key}=VALUE")
    said = error.msg.splitlines()[0] if error.msg else headline
    return ConfigError(
        key,
        found="what cannot be resolved (" + " ".join(said.split()).rstrip(".") + ")",
        expected="a value of the option's type",
        next_step="correct it or leave it out",
    )
