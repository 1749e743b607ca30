"""What a command line names: +outputs.NAME=FILE and the like, and files by patterns."""

from __future__ import annotations

import glob
import re
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override

from nmt.config import mistakes
from nmt.errors import ConfigError

# Keys of evaluate.py that are tables: +outputs.NAME=FILE; of segments a table of tables.
TABLES = {"outputs": 1, "groups": 1, "references": 1, "segments": 2, "signatures": 1}
_NAME = re.compile(r"[\w-][\w.-]*")


def enter(override: Override, tables: dict[str, dict[str, Any]]) -> None:
    """+outputs.NAME=FILE and the like, with or without the +."""
    key, value = override.key_or_group, override.value()
    table, *names = key.split(".", TABLES[key.partition(".")[0]])
    form = f"+{table}{'.METRIC.NAME' if TABLES[table] == 2 else '.NAME'}=VALUE"
    if len(names) < TABLES[table] or not all(map(_NAME.fullmatch, names)):
        raise ConfigError(
            mistakes.show(key),
            found="no name" if len(names) < TABLES[table] else f"the name {'.'.join(names)}",
            expected=f"{form}, names of letters, digits, '.', '-' and '_'",
            next_step="name it: the name stands in the table",
        )
    if override.is_sweep_override() or override.is_delete() or isinstance(value, (dict, list)) or value is None:
        raise ConfigError(key, found=mistakes.show(value), expected="one value", next_step=f"write {form}")
    inner = tables[table]
    for name in names[:-1]:
        inner = inner.setdefault(name, {})
    if names[-1] in inner:
        raise ConfigError(key, found="the name twice", expected="a name for each", next_step="rename one of them")
    inner[names[-1]] = matching(key, str(value)) if table == "groups" else str(value)


def matching(key: str, pattern: str) -> list[str]:
    """The files of a group. Raises ConfigError where there is none."""
    files = sorted(glob.glob(pattern)) if glob.has_magic(pattern) and not Path(pattern).exists() else [pattern]
    if not files:
        raise ConfigError(
            key, found=f"no file that matches {pattern}", expected="at least one", next_step="check the folder"
        )
    return files
