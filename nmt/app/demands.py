"""Files in which people say what must be in translations and what must not."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

from nmt.config.commands import TranslateConfig
from nmt.errors import DataError
from nmt.plumbing.records import parsed
from nmt.plumbing.text import counted, read_lines
from nmt.search.demands import Demand
from nmt.search.unknowns import read_dictionary


def demand_of(command: TranslateConfig) -> Callable[[int, str], Demand] | None:
    """What is asked of the translation of a line with this number, from 1; None where nothing is."""
    if command.demands is None and command.glossary is None:
        return None
    own = [] if command.demands is None else read_demands(Path(command.demands))
    terms = {} if command.glossary is None else read_dictionary(Path(command.glossary))

    def of(number: int, line: str) -> Demand:
        if command.demands is not None and number > len(own):
            raise DataError(
                command.demands,
                found=counted(len(own), "line"),
                expected=f"one for each line to translate, and there is a line {number}",
                next_step="add empty lines where nothing is asked",
            )
        asked = own[number - 1] if own else Demand()
        return asked.joined(Demand(must=tuple(glossary_terms(line, terms))))

    return of


def glossary_terms(line: str, terms: dict[str, str]) -> list[str]:
    """Target terms whose source term stands in the line as whole words; a longer term hides those within it."""
    found: list[str] = []
    for source in sorted(terms, key=lambda term: (-len(term), term)):
        pattern = rf"(?<!\w){re.escape(source)}(?!\w)"
        line, count = re.subn(pattern, "\0", line)
        if count:
            found.append(terms[source])
    return found


def read_demands(path: Path) -> list[Demand]:
    """An object a line. Raises DataError, with the line, for what is none or has an unknown key."""
    return [_demand(line, f"{path}, line {number}") for number, line in enumerate(read_lines(path), start=1)]


def _demand(line: str, place: str) -> Demand:
    if not line.strip():
        return Demand()
    try:
        record = parsed(line)
    except ValueError as error:
        raise _refusal(place, f"no JSON ({error})") from error
    known = {part.name for part in fields(Demand)}
    if not isinstance(record, dict) or set(record) - known:
        raise _refusal(place, line[:80])
    prefix, lists = record.get("prefix", ""), [record.get(key, []) for key in ("must", "never")]
    if not isinstance(prefix, str) or not all(isinstance(part, list) for part in lists):
        raise _refusal(place, line[:80])
    if not all(isinstance(text, str) for part in lists for text in part):
        raise _refusal(place, line[:80])
    return Demand(prefix, *(tuple(part) for part in lists))


def _refusal(place: str, found: str) -> DataError:
    return DataError(
        place,
        found=found,
        expected='an object such as {"prefix": "Ein", "must": ["Hund"], "never": ["Katze"]}',
        next_step="mend the line, or leave it empty where nothing is asked",
    )
