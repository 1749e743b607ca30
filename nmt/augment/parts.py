"""A translation stage in its folder: what is asked for, the parts of it that are done, and what came of it.

stage.json    the Request
parts/0       lines 0 to `part`, once they are translated; parts/1 ...
made.tsv      a line for each line: its score, where scores were asked for, a tab, its translation
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from nmt.augment.material import write_lines
from nmt.config.train import Device
from nmt.data.lines import open_lines
from nmt.errors import DataError
from nmt.plumbing.files import write_text
from nmt.plumbing.records import parsed, record_of
from nmt.plumbing.text import counted

REQUEST, PARTS, MADE = "stage.json", "parts", "made.tsv"


@dataclass(frozen=True)
class Request:
    """Translate the lines of a file with a checkpoint, or several that vote, `part` lines from one save to the next."""

    checkpoints: list[str]
    input: str
    search: list[str]
    part: int
    score: bool
    device: str


@dataclass(frozen=True)
class Made:
    """An empty text: there is no translation, since the line is longer than the search takes."""

    text: str
    score: float | None


def write_request(folder: Path, request: Request) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / REQUEST, json.dumps(asdict(request), indent=2) + "\n", sync=True)


def read_request(folder: Path) -> Request:
    """Raises DataError where it cannot be read."""
    path = folder / REQUEST
    try:
        request = record_of(Request, parsed(path.read_bytes()))
        Device(request.device)
        if request.part < 1:
            raise ValueError(f"part: {request.part}")
    except (OSError, ValueError) as error:
        raise DataError(
            str(path), found=str(error), expected="what the stage is to do", next_step="start nmt augment again"
        ) from error
    return request


def translate_parts(folder: Path, request: Request, translate: Callable[[Sequence[str]], Iterable[Made]]) -> None:
    """Do what is left, and put the parts together; a kill loses the part that was under way."""
    lines = open_lines(Path(request.input))
    parts = folder / PARTS
    parts.mkdir(exist_ok=True)
    paths = [parts / str(number) for number in range(-(-len(lines) // request.part))]
    for number, path in enumerate(paths):
        if not path.exists():
            some = lines[number * request.part : (number + 1) * request.part]
            write_lines(path, map(_line, translate(some)))
            print(f"{min(len(lines), (number + 1) * request.part):,} of {len(lines):,} lines", flush=True)
    write_lines(folder / MADE, (line for path in paths for line in open_lines(path)))
    for path in paths:
        path.unlink()


def is_done(folder: Path) -> bool:
    return (folder / MADE).exists()


def read_made(folder: Path, count: int) -> Iterator[Made]:
    """What was made of `count` lines, in their order. Raises DataError for a file that a stage has not written so."""
    path = folder / MADE
    lines = open_lines(path)
    if len(lines) != count:
        raise _not_made(str(path), counted(len(lines), "line"), f"{count}, one for each that was to be translated")
    for number, line in enumerate(lines, start=1):
        score, _, text = line.partition("\t")
        try:
            value = float(score) if score else None
        except ValueError:
            raise _not_made(f"{path}, line {number}", repr(score), "a score, or none, and a tab") from None
        yield Made(text, value)


def _not_made(place: str, found: str, expected: str) -> DataError:
    return DataError(
        place, found=found, expected=expected, next_step="restore the file, or choose another folder with out=FOLDER"
    )


def _line(made: Made) -> str:
    return f"{'' if made.score is None else f'{made.score:.6f}'}\t{made.text}"
