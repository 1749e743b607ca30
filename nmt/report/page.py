"""`report.html`: what a run or a comparison has to show, on one page that needs no other file and no network."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from markupsafe import Markup

from nmt.plumbing.files import write_text
from nmt.report.pages import Cell, Column, render
from nmt.report.plots import Curves, Whiskers
from nmt.report.sentences import Sentences, content_of, script_json, shown

MOST_BYTES = 5_000_000  # of a page: beyond that its sentences lie in a file beside it
BESIDE = "-sentences.json"  # after the name of the page


@dataclass(frozen=True)
class Table:
    """Cells are text; from the column `numbers` on they are numbers."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: int = 1

    @property
    def columns(self) -> list[Column]:
        return [Column(shown(label), number=place >= self.numbers) for place, label in enumerate(self.header)]

    @property
    def cells(self) -> list[list[Cell]]:
        return [[Cell(shown(text)) for text in row] for row in self.rows]


@dataclass(frozen=True)
class Group:
    """Pictures under a heading of their own, with a sentence on them."""

    heading: str
    about: str
    panels: Sequence[Whiskers]


@dataclass(frozen=True)
class Words:
    """N-grams that a system has right more often than the baseline, or less often."""

    heading: str
    table: Table


@dataclass(frozen=True)
class Report:
    """What the page shows. Parts that are empty are left out."""

    title: str
    lead: Sequence[str] = ()  # the verdict, in sentences
    notes: Sequence[str] = ()
    systems: Sequence[str] = ()  # in the order of their colours
    scores: Sequence[Whiskers] = ()
    score_table: Table | None = None
    signatures: Mapping[str, str] = field(default_factory=dict)
    sentences: Sentences | None = None
    groups: Sequence[Group] = ()
    words: Sequence[Words] = ()
    remarks: Sequence[str] = ()  # what where and why had to leave out
    curves: Sequence[Curves] = ()
    took: str = ""
    costs: Table | None = None
    copies: Mapping[str, str] = field(default_factory=dict)  # format -> the table for reviewers
    corpus: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)


def write_report(path: Path, report: Report) -> None:
    """The page, and its sentences beside it where they are too many. Raises OSError where `path` cannot be written."""
    content = {} if report.sentences is None else content_of(report.sentences)
    data = script_json(content) if content else ""
    beside = path.with_name(path.stem + BESIDE)
    page = report_html(report, data)
    if len(page.encode("utf-8", "surrogateescape")) > MOST_BYTES:
        identity = hashlib.sha256(data.encode("utf-8", "surrogateescape")).hexdigest()[:12]
        write_text(beside, script_json({"file": identity, **content}))
        page = report_html(report, "", beside.name, identity)
    else:
        beside.unlink(missing_ok=True)  # an earlier page's
    write_text(path, page)


def report_html(report: Report, data: str, beside: str = "", identity: str = "") -> str:
    """`data`: JSON of the sentences; `beside`: the name of the file that has it instead, with its `identity`."""
    values = {
        "title": shown(report.title),
        "report": report,
        "names": [shown(name) for name in report.systems],
        "shown": shown,
        "data": Markup(data),
        "beside": shown(beside),
        "file": identity,
    }
    return render("report.html", values)
