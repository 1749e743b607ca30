"""Every option on a line of its own: key, default, meaning, type, bounds. What `--help all` prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any, get_type_hints

from nmt.config.data import DataConfig
from nmt.config.mistakes import describe, show, unknown_key
from nmt.config.option import Declared, declarations
from nmt.config.store import SOURCES

ALL = "all"
WIDEST_KEY = 40  # longer ones push their meaning to the right


@dataclass(frozen=True)
class Entry:
    """An option as its dataclass has it."""

    key: str
    default: object
    hint: Any  # its type
    declared: Declared
    source: str = ""  # the only choice of `data` that has it

    def line(self) -> str:
        kind = "" if self.declared.one_of else describe(self.hint)
        facts = ", ".join(part for part in (kind, self.declared.bounds) if part)
        only = f"with data={self.source}: " if self.source else ""
        return f"{f'{self.key}={show(self.default)}':<{WIDEST_KEY}}  {only}{self.declared.meaning} ({facts})"


def entries(kind: type, prefix: str = "") -> Iterator[Entry]:
    """Every option below the dataclass `kind`; of `data`, what all sources share comes first."""
    hints, declared = get_type_hints(kind), declarations(kind)
    for part in fields(kind):
        key, hint = prefix + part.name, hints[part.name]
        if hint is DataConfig:
            shared = list(entries(DataConfig, f"{key}."))
            yield from shared
            known = {entry.key for entry in shared}
            for source, schema in SOURCES.items():
                for own in entries(schema, f"{key}."):
                    if own.key not in known:
                        yield Entry(own.key, own.default, own.hint, own.declared, source)
        elif isinstance(hint, type) and is_dataclass(hint):
            yield from entries(hint, f"{key}.")
        elif part.name in declared:
            default = part.default if part.default_factory is MISSING else part.default_factory()
            yield Entry(key, default, hint, declared[part.name])


def topic_of(argv: Sequence[str]) -> str | None:
    """What help is asked for: None where none is, `all`, a group or a key, or nothing in particular ("")."""
    flag = next((word for word in argv if word.partition("=")[0] in ("--help", "-h")), None)
    if flag is None:
        return None
    if "=" in flag:
        return flag.partition("=")[2]
    after = argv[argv.index(flag) + 1 :][:1]
    return next((word for word in after if "=" not in word and not word.startswith("-")), "")


def reference(found: Sequence[Entry], topic: str) -> str:
    """The lines of `topic`: `all`, a group such as `train`, or a key. Raises ConfigError where it is none of them."""
    chosen = [entry for entry in found if topic == ALL or f"{entry.key}.".startswith(f"{topic}.")]
    if not chosen:
        groups = {entry.key.rpartition(".")[0] for entry in found if "." in entry.key}
        raise unknown_key(topic, [*groups, *(entry.key for entry in found)])
    return "\n".join(entry.line() for entry in chosen)
