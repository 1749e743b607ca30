"""`report.html`: all that a run has to show, on one page that needs no other file and no network."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from markupsafe import Markup

from nmt.plumbing.files import write_text
from nmt.report.console import Sample, facts_in, remark, score_rows, scores_header
from nmt.report.pages import render


@dataclass(frozen=True)
class RunReport:
    """What the page shows. Parts that are empty are left out."""

    title: str
    results_by_name: Mapping[str, Mapping[str, Any]]  # the content of one results.json a test set
    settings: Mapping[str, object]  # by full key, such as model.units
    corpus: str  # the corpus report, as it was printed
    curves: bytes  # PNG
    curves_show: str  # what it shows
    samples: Sequence[Sample]
    pictures: Mapping[str, bytes]  # caption -> PNG
    took: str  # what training took: time, GPU-seconds, dollars


def write_report(path: Path, run: RunReport) -> None:
    """Write the page. Raises OSError where `path` cannot be written."""
    write_text(path, report_html(run))


def report_html(run: RunReport) -> str:
    """The page as text; everything that comes from data is escaped."""
    parts = [
        section("Scores", _scores(run.results_by_name)),
        section("Translations", "".join(_sample(sample) for sample in run.samples)),
        section("Training", _training(run)),
        section("Attention", "".join(image(png, caption) for caption, png in run.pictures.items())),
        section("Corpus", f"<pre>{escape(run.corpus)}</pre>" if run.corpus else ""),
        section("Settings", _settings(run.settings)),
    ]
    return page(run.title, parts)


def page(title: str, parts: Sequence[str]) -> str:
    """A whole page of sections, in the style of all our pages."""
    return render("base.html", {"title": title, "main": Markup("".join(parts))})


def section(heading: str, body: str) -> str:
    """A heading, which is escaped, and HTML below it; nothing where that is empty."""
    return f"<section>\n<h2>{escape(heading)}</h2>\n{body}\n</section>\n" if body else ""


def _scores(results_by_name: Mapping[str, Mapping[str, Any]]) -> str:
    if not results_by_name:
        return ""
    notes = [
        f"<p class=soft><strong>{escape(name)}</strong>: {escape(str(result['data']))}, translated by "
        f"<code>{escape(str(result['checkpoint']))}</code> in {result['seconds']:.1f} s.<br>"
        + "<br>".join(
            f"{facts.label} <code>{escape(result[facts.name]['signature'])}</code>{remark(facts, result, ', {}')}"
            for facts in facts_in([result])
        )
        + "</p>"
        for name, result in results_by_name.items()
    ]
    return html_table(scores_header(results_by_name), score_rows(results_by_name), "scores") + "\n".join(notes)


def html_table(header: Sequence[str], rows: Sequence[Sequence[str]], kind: str) -> str:
    """Cells, which are escaped, under a header; kind "scores" puts all columns but the first to the right."""
    head = "".join(f"<th scope=col>{escape(cell)}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>\n" for row in rows)
    return (
        f'<div class=wide><table class="{kind}"><thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table></div>\n'
    )


def _sample(sample: Sample) -> str:
    rows = zip(Sample._fields, sample, strict=True)
    return "<dl>" + "".join(f"<dt>{name}</dt><dd>{escape(text) or '&nbsp;'}</dd>" for name, text in rows) + "</dl>\n"


def _training(run: RunReport) -> str:
    took = f"<p>{escape(run.took)}</p>\n" if run.took else ""
    return took + image(run.curves, run.curves_show)


def image(png: bytes, caption: str) -> str:
    """A picture inside the page, its caption escaped; nothing where there is none."""
    if not png:
        return ""
    data = b64encode(png).decode("ascii")
    text = escape(caption)
    return f'<figure><figcaption>{text}</figcaption><img alt="{text}" src="data:image/png;base64,{data}"></figure>\n'


def _settings(settings: Mapping[str, object]) -> str:
    if not settings:
        return ""
    rows = "".join(
        f"<tr><td><code>{escape(key)}</code></td><td><code>{escape(str(value))}</code></td></tr>\n"
        for key, value in settings.items()
    )
    return f"<details><summary>{len(settings)} settings</summary><table><tbody>\n{rows}</tbody></table></details>"
