"""report.html: well formed, self-contained, and nothing from data is markup."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser

from nmt.report.console import Sample
from nmt.report.html import RunReport, report_html, write_report

EVIL = "<script>alert('x')</script>\"&"
VOID = {"meta", "img", "br"}


class Reader(HTMLParser):
    """Collects tags and text, and checks that what opens closes."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def read(page):
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert not reader.open
    return reader


COUNTS = {"num_empty": 2, "num_unknown": 1}


def run(**changes):
    result = {
        "checkpoint": "checkpoints/best.h5",
        "data": f"captions {EVIL}",
        "sentences": 500,
        "seconds": 3.21,
        "bleu": {"score": 41.2, "signature": f"nrefs:1{EVIL}", "ref_len": 12103, "ci95": [40.0, 42.5]},
        "chrf": {"score": 60.0, "signature": "nc:6", "ci95": [59.0, 61.0]},
        "wmd": {
            "similarity": 0.7,
            "distance": 0.4,
            "coverage": 0.99,
            "signature": "wmd|unit",
            "ci95": None,
            "num_empty": 2,
            "num_unknown": 1,
        },
    }
    content = {
        "title": f"run {EVIL}",
        "results_by_name": {"test": result, EVIL: result},
        "settings": {"model.units": 256, "data.dir": EVIL},
        "corpus": f"train 9,000 pairs {EVIL}",
        "curves": b"curves",
        "curves_show": "BLEU over steps",
        "samples": [Sample(EVIL, "Zwei Häuser", "")],
        "pictures": {f"attention {EVIL}": b"picture"},
        "took": f"5 s {EVIL}",
    }
    return RunReport(**{**content, **changes})


def test_everything_is_there_and_escaped():
    reader = read(report_html(run()))
    assert "script" not in {tag for tag, _ in reader.tags}
    text = "".join(reader.text)
    for expected in ("41.20 [40.00, 42.50]", "0.7000", "12,103", "wmd|unit", "Zwei Häuser", "model.units", "256"):
        assert expected in text
    for expected in ("run ", "captions ", "nrefs:1", "train 9,000 pairs ", "attention ", "5 s "):
        assert expected + EVIL in text
    assert text.count(EVIL) >= 9
    headings = re.findall(r"<h2>(.*?)</h2>", report_html(run()))
    assert headings == ["Scores", "Translations", "Training", "Attention", "Corpus", "Settings"]


def test_pictures_lie_in_the_page_and_nothing_is_fetched():
    page = report_html(run())
    images = [attrs for tag, attrs in read(page).tags if tag == "img"]
    assert [base64.b64decode(image["src"].removeprefix("data:image/png;base64,")) for image in images] == [
        b"curves",
        b"picture",
    ]
    assert images[1]["alt"] == f"attention {EVIL}"
    assert not re.search(r"https?:|url\(|@import|<link", page)


def test_parts_without_content_are_left_out():
    page = report_html(run(results_by_name={}, settings={}, corpus="", curves=b"", samples=[], pictures={}, took=""))
    assert "<h2>" not in page
    read(page)


def test_the_page_suits_phones_and_dark_rooms():
    page = report_html(run())
    assert 'name="viewport"' in page
    assert "prefers-color-scheme: dark" in page
    assert "overflow-x: auto" in page


def test_the_page_is_written_as_utf8(tmp_path):
    write_report(tmp_path / "report.html", run())
    assert (tmp_path / "report.html").read_bytes().decode("utf-8") == report_html(run())
