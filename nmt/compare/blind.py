"""What people think of translations, who do not know which system wrote which: a page for them, and back to scores.

    python -m nmt.metrics.blind --systems A=a.txt B=b.txt --source t.en --reference t.de -o page.html
    python -m nmt.metrics.blind --read scores.csv --key page.key.json -o FOLDER

The page has sentences in an order drawn from the seed, and for each its translations in such an order, a slider from 0
to 100 below each (Kocmi et al. 2024, "Error Span Annotation", without the spans). What two systems wrote alike is asked
once. Nothing of the page says which system wrote what: that is in the key beside it, which annotators do not get.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nmt.compare.folder import writable
from nmt.compare.systems import aligned
from nmt.config.mistakes import argument
from nmt.errors import ConfigError, DataError
from nmt.plumbing.edge import Parser, command
from nmt.plumbing.files import write_text
from nmt.plumbing.records import checked, parsed, record_of
from nmt.plumbing.text import counted, decode, read_bytes, read_lines
from nmt.report.pages import render

ABOUT = "Ask people how good translations are, without telling them which system wrote which."
TEMPLATES = Path(__file__).parent / "templates"
HEADER = ["page", "item", "score", "annotator"]  # without the last in files of older pages
MOST = 100
_NAME = re.compile(r"[\w-][\w.-]*")


@dataclass(frozen=True)
class Sentence:
    """One sentence of the page; `items` are its translations by number, in the order shown."""

    row: int  # in the test set, from 0
    source: str
    reference: str | None
    translations: Mapping[str, str]  # by system
    items: Mapping[str, str]

    @property
    def texts(self) -> list[str]:
        return [self.source, self.reference or "", *self.translations.values()]

    @property
    def systems_of(self) -> dict[str, list[str]]:
        """Who wrote what is shown, by item."""
        return {
            item: [name for name, own in self.translations.items() if own == text] for item, text in self.items.items()
        }


@dataclass(frozen=True)
class Key:
    """All of a page, and who wrote what."""

    page: str
    sentences: Sequence[Sentence]

    @property
    def systems(self) -> list[str]:
        return list(self.sentences[0].translations)


def make_key(
    source: Sequence[str], reference: Sequence[str] | None, systems: Mapping[str, Sequence[str]], number: int, seed: int
) -> Key:
    """`number` sentences, drawn from those of the test set, or all where there are fewer."""
    generator = np.random.default_rng(seed)
    sentences: list[Sentence] = []
    next_item = 1
    for row in generator.permutation(len(source))[:number].tolist():
        own = {name: lines[row] for name, lines in systems.items()}
        distinct = list(dict.fromkeys(own.values()))
        shown = [distinct[place] for place in generator.permutation(len(distinct))]
        items = {str(next_item + place): text for place, text in enumerate(shown)}
        next_item += len(items)
        sentences.append(Sentence(row, source[row], None if reference is None else reference[row], own, items))
    content = json.dumps([asdict(one) for one in sentences]).encode()
    return Key(hashlib.sha256(content).hexdigest()[:12], sentences)


def as_page(key: Key) -> str:
    """For annotators: nothing of it depends on the names of systems but the order that the seed gave."""
    sentences = [
        {"source": one.source, "reference": one.reference, "shown": list(one.items.items())} for one in key.sentences
    ]
    values = {"title": "How good are these translations?", "page_id": key.page, "sentences": sentences}
    return render("blind.html", values, TEMPLATES)


def read_key(path: Path) -> Key:
    """Raises DataError for a file that is none."""
    try:
        content = parsed(decode(read_bytes(path), path))
        checked(content, {"page": str, "sentences": list[Any]}, {"page", "sentences"})
        key = Key(content["page"], [record_of(Sentence, one) for one in content["sentences"]])
        # Names become files, and texts lines.
        if not key.sentences or not all(map(_NAME.fullmatch, key.systems)):
            raise ValueError("no sentences, or other names")
        if any(list(one.translations) != key.systems or "\n" in "".join(one.texts) for one in key.sentences):
            raise ValueError("sentences of other systems, or of several lines")
        return key
    except ValueError:
        raise DataError(
            str(path),
            found="no key of a page",
            expected="the .key.json file that was written beside the page",
            next_step="name that file with --key",
        ) from None


def read_all(paths: Sequence[Path], key: Key) -> list[dict[str, float]]:
    """Of each annotator by item: of several files of one the fullest. Raises DataError as `read_scores` does."""
    found: dict[str, dict[str, float]] = {}
    for path in paths:
        for annotator, entered in read_scores(path, key).items():
            if len(entered) >= len(found.get(annotator, {})):
                found[annotator] = entered
    return list(found.values())


def read_scores(path: Path, key: Key) -> dict[str, dict[str, float]]:
    """By annotator, then by item; a file that names nobody is of an annotator of its own.

    Raises DataError for what no annotator of this page has entered.
    """
    known = {item for one in key.sentences for item in one.items}
    found: dict[str, dict[str, float]] = {}

    def refuse(line: int, what: str, expected: str) -> DataError:
        place = f"{path}, line {line}"
        return DataError(place, found=what, expected=expected, next_step="take the file as the page gave it")

    rows = [line.split(",") for line in read_lines(path)]
    if rows[0] not in (HEADER, HEADER[:-1]):
        raise refuse(1, repr(",".join(rows[0])[:40]), ",".join(HEADER))
    for line, row in enumerate(rows[1:], start=2):
        if len(row) != len(rows[0]):
            raise refuse(line, f"{len(row)} cells", f"{len(rows[0])}, {','.join(rows[0])}")
        page, item, score, annotator = row if len(row) == len(HEADER) else [*row, str(path)]
        if page != key.page or item not in known:
            raise refuse(line, f"item {item[:20]!r} of page {page[:20]!r}", f"an item of page {key.page!r}")
        if not annotator:
            raise refuse(line, "no annotator", "the digits that stand for one")
        own = found.setdefault(annotator, {})
        if item in own:
            raise refuse(line, f"item {item} again", "each item once")
        if not re.fullmatch("[0-9]{1,3}", score) or int(score) > MOST:
            raise refuse(line, repr(score[:20]), f"a whole number from 0 to {MOST}")
        own[item] = float(score)
    return found


def segments(key: Key, entered: Sequence[Mapping[str, float]]) -> tuple[list[Sentence], dict[str, list[float]]]:
    """Sentences of which all translations have a score, as the test set orders them, and each system's scores of them.

    Of several annotators of one translation the mean counts.
    """
    kept: list[Sentence] = []
    scores: dict[str, list[float]] = {name: [] for name in key.systems}
    for one in sorted(key.sentences, key=lambda sentence: sentence.row):
        given = {item: [each[item] for each in entered if item in each] for item in one.items}
        if all(given.values()):
            kept.append(one)
            for item, names in one.systems_of.items():
                for name in names:
                    scores[name].append(float(np.mean(given[item])))
    return kept, scores


def run(arguments: Sequence[str]) -> int:
    """-> exit status."""
    return command(lambda: _work(_parser().parse_args(list(arguments))))


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="python -m nmt.metrics.blind", description=ABOUT)
    parser.add_argument("--systems", nargs="+", metavar="NAME=FILE", help="translations, a line a sentence")
    parser.add_argument("--source", type=Path, metavar="FILE", help="the test set")
    parser.add_argument("--reference", type=Path, metavar="FILE", help="shown beside the source; without it none is")
    parser.add_argument("--sentences", type=int, default=100, metavar="N", help="to be scored (100)")
    parser.add_argument("--seed", type=int, default=1, help="of the choice and the order (1)")
    parser.add_argument("--read", nargs="+", type=Path, metavar="CSV", help="what annotators sent back")
    parser.add_argument("--key", type=Path, metavar="FILE", help="with --read: the key that lies beside the page")
    parser.add_argument(
        "--languages",
        nargs=2,
        default=["source", "target"],
        metavar="CODE",
        help="with --read: endings, such as en de",
    )
    parser.add_argument("-o", "--out", type=Path, required=True, help="the page; with --read a folder")
    return parser


def _work(asked: argparse.Namespace) -> None:
    with writable(asked.out, "-o"):
        if asked.read is not None:
            _read(asked)
        else:
            _write(asked)


def _write(asked: argparse.Namespace) -> None:
    if not asked.out.name:  # of ".", "" and "/"
        raise ConfigError("-o", found=asked.out, expected="a file", next_step="name the page, such as -o page.html")
    for name, given in (("--systems", asked.systems), ("--source", asked.source)):
        if not given:
            raise ConfigError(name, found="nothing", expected="a value", next_step="or --read what came back")
    if asked.sentences < 1 or asked.seed < 0:
        place, value, least = ("--seed", asked.seed, 0) if asked.seed < 0 else ("--sentences", asked.sentences, 1)
        raise ConfigError(place, found=value, expected=f"at least {least}", next_step="leave it out")
    source = read_lines(asked.source)
    reference = None if asked.reference is None else aligned(str(asked.reference), len(source), "references")
    systems: dict[str, list[str]] = {}
    for word in asked.systems:
        name, _, path = word.partition("=")
        if not _NAME.fullmatch(name) or not path or name in systems:
            raise ConfigError(
                "--systems",
                found=word,
                expected="NAME=FILE, each name once, of letters, digits, '.', '-' and '_'",
                next_step="name each system as comparisons do",
            )
        systems[name] = aligned(path, len(source), "translations")
    key = make_key(source, reference, systems, asked.sentences, asked.seed)
    beside = asked.out.with_suffix(".key.json")
    write_text(asked.out, as_page(key))
    write_text(beside, json.dumps(asdict(key), indent=1, ensure_ascii=False) + "\n")
    print(f"{asked.out}: {counted(len(key.sentences), 'sentence')} for annotators")
    print(f"{beside}: who wrote what, not for them")


def _read(asked: argparse.Namespace) -> None:
    if asked.key is None:
        raise ConfigError("--key", found="nothing", expected="a file", next_step="add --key PAGE.key.json")
    key = read_key(asked.key)
    kept, scores = segments(key, read_all(asked.read, key))
    if not kept:
        raise DataError(
            str(asked.read[0]),
            found="no sentence of which all translations have a score",
            expected="at least one",
            next_step="ask the annotator to go on",
        )
    asked.out.mkdir(parents=True, exist_ok=True)
    src, tgt = asked.languages
    _lines(asked.out / f"test.{src}", [one.source for one in kept])
    if kept[0].reference is not None:
        _lines(asked.out / f"test.{tgt}", [str(one.reference) for one in kept])
    words, test = [], argument("data.test", f"{asked.out}/test")
    for name, values in scores.items():
        _lines(asked.out / f"{name}.txt", [one.translations[name] for one in kept])
        _lines(asked.out / f"{name}.human", [f"{value:g}" for value in values])
        words.append(argument(f"+outputs.{name}", f"{asked.out}/{name}.txt"))
        words.append(argument(f"+segments.human.{name}", f"{asked.out}/{name}.human"))
        print(f"{name}: {np.mean(values):.2f}")
    print(f"{len(kept)} of {len(key.sentences)} sentences have all their scores; {asked.out} has them alone")
    if kept[0].reference is not None:
        print("python evaluate.py", argument("data.src", src), argument("data.tgt", tgt), test, *words)


def _lines(path: Path, lines: Sequence[str]) -> None:
    write_text(path, "".join(f"{line}\n" for line in lines))


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
