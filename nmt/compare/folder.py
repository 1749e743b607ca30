"""What `out=FOLDER` of a comparison holds: `report.html`, `comparison.json`, the table for reviewers, the systems."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from nmt.compare import tables
from nmt.compare.judge import Comparison
from nmt.errors import DataError, reason_of
from nmt.plumbing.claims import claimed
from nmt.plumbing.files import write_text
from nmt.report.page import Report, write_report

TEST = "test"


@contextmanager
def claimed_out(out: str | None) -> Iterator[None]:
    """Within this context `out` is written by this process alone; None claims nothing.

    Raises ConfigError where another process has it, DataError where it cannot be written.
    """
    with ExitStack() as stack:
        if out is not None:
            with writable(Path(out)):
                stack.enter_context(claimed(Path(out), "out=FOLDER"))
        yield


def write_comparison(folder: Path, name: str, comparison: Comparison, report: Report) -> None:
    """report.html for the test set called test, report-NAME.html for another; of several systems also comparison.json,
    table.md, table.tex, paragraph.txt and paragraph.tex. Raises DataError where the folder cannot be written."""
    end = "" if name == TEST else f"-{name}"
    with writable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_report(folder / f"report{end}.html", report)
        if len(comparison.systems) > 1:
            write_text(folder / f"comparison{end}.json", _json(tables.as_json(comparison)))
            write_text(folder / f"table{end}.md", tables.as_markdown(comparison))
            write_text(folder / f"table{end}.tex", tables.as_latex(comparison))
            paragraph = f"{tables.paragraph(comparison)}\n"
            write_text(folder / f"paragraph{end}.txt", paragraph)
            write_text(folder / f"paragraph{end}.tex", tables.latex(paragraph))


def write_system(folder: Path, name: str, content: dict[str, Any], lines: Sequence[str]) -> None:
    """Scores and translations of a test set. Raises DataError where the folder cannot be written."""
    with writable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_results(folder, name, content)
        write_translations(folder, name, lines)


def write_results(folder: Path, name: str, content: dict[str, Any]) -> None:
    """results.json for the test set called test, results-NAME.json for another."""
    write_text(folder / ("results.json" if name == TEST else f"results-{name}.json"), _json(content))


def write_translations(folder: Path, name: str, lines: Sequence[str]) -> None:
    """translations/NAME.txt, a line a sentence."""
    path = folder / "translations" / f"{name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, "".join(f"{line}\n" for line in lines))


@contextmanager
def writable(folder: Path, option: str = "out=") -> Iterator[None]:
    """Raises DataError for what the disk refuses."""
    try:
        yield
    except OSError as error:
        raise DataError(
            str(folder),
            found=reason_of(error),
            expected="a place that can be written to",
            next_step=f"choose another with {option}",
        ) from error


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
