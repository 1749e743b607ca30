"""report.html: well formed, self-contained, nothing from data is markup, and numbers that lie where they should."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from nmt.config.metrics import FIGURES
from nmt.report import page as pages
from nmt.report.page import report_html, write_report
from nmt.report.plots import Point, curves, ticks, whiskers
from nmt.report.sentences import LEVELS, content_of, quantised, script_json, shown
from tests.unit.page_tools import EVIL, HOSTILE, report, sentences

VOID = {"meta", "img", "br", "input"}
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"


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


def html(one) -> str:
    return report_html(one, "" if one.sentences is None else script_json(content_of(one.sentences)))


def test_everything_is_there_and_escaped():
    page = html(report())
    reader = read(page)
    assert [tag for tag, _ in reader.tags].count("script") == page.count("<script") == 3
    assert "<script>document" not in page
    text = "".join(reader.text)
    for expected in ("run ", "B", "note ", "nrefs:1", "words ", "left out ", "5 s ", "| a | ", "train 9,000 pairs "):
        assert expected + EVIL in text
    headings = re.findall(r"<h2>(.*?)</h2>", page)
    assert headings == [
        *("Scores", "Sentences", "Where", "In what words", "Training", "For a paper", "Corpus", "Settings")
    ]


def test_the_data_in_the_page_is_that_of_the_sentences():
    page = html(report())
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S).group(1))
    assert data == json.loads(json.dumps(content_of(sentences())))
    assert [row[0] for row in data["rows"][: len(HOSTILE)]] == [shown(text) for text in HOSTILE]
    assert data["rows"][4][0] == "nul ␀ inside"
    assert data["rows"][7][2][1] == [
        "eins drei",
        [17.0, None],
        {
            "src": ["ein", EVIL, "</s>"],
            "tgt": ["one", "</s>"],
            "weights": f"5G~C{LEVELS[63]}",
            "nbest": [["one", -1.0], ["two", -2.0]],
            "moves": [["eins", EVIL, 0.5, 0.5], ["zwei", "zwei", 0.5, 0.0]],
            "distance": 0.25,
        },
    ]


def test_a_page_asks_nobody():
    reader = read(html(report()))
    policies = [tag["content"] for name, tag in reader.tags if name == "meta" and "http-equiv" in tag]
    assert policies == [POLICY]
    assert not [tag for _, tag in reader.tags if {"src", "href"} & tag.keys()]
    assert not re.search(r"url\(|@import|<link", html(report()))


def test_parts_without_content_are_left_out():
    page = html(pages.Report("run"))
    assert "<h2>" not in page
    assert 'id="data"' not in page
    read(page)


def test_a_page_that_would_be_too_large_has_its_sentences_beside_it(tmp_path, monkeypatch):
    path, beside = tmp_path / "report.html", tmp_path / "report-sentences.json"
    write_report(path, report())
    small = path.read_text(encoding="utf-8")
    assert not beside.exists()
    monkeypatch.setattr(pages, "MOST_BYTES", len(small.encode()) - 1)
    write_report(path, report())
    page = path.read_text(encoding="utf-8")
    content = json.loads(beside.read_text(encoding="utf-8"))
    (identity,) = [tag["data-file"] for _, tag in read(page).tags if "data-file" in tag]
    assert re.fullmatch("[0-9a-f]{12}", identity)
    assert content == {"file": identity, **json.loads(json.dumps(content_of(sentences())))}
    assert "report-sentences.json" in "".join(read(page).text)
    assert len(page) < len(small) - 0.9 * len(beside.read_text(encoding="utf-8"))
    monkeypatch.undo()
    write_report(path, report())
    assert not beside.exists()


def test_weights_are_letters_and_zeros_are_counted():
    """64 levels: 0 is A, 1 is /, 0.5 is 31.5 of 63, rounded to the even 32 (g)."""
    assert quantised(np.array([[0.0, 0.5, 1.0]])) == "Ag/"
    assert quantised(np.array([[0.0, 0.0, 1.0, 0.0, 0.0, 0.0]])) == "AA/~C"
    assert quantised(np.zeros((1, 130))) == "~/~/AA"
    assert quantised(np.array([[np.nan, 2.0, -1.0]])) == "A/A"
    assert quantised(None) == ""


def test_control_characters_are_shown_and_spaces_stay():
    assert shown("a\0b\x7f\tc\n") == "a␀b␡\tc\n"


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 10, [0, 2, 4, 6, 8, 10]),
        (0.13, 0.29, [0.15, 0.2, 0.25]),
        (-3, 3, [-2, 0, 2]),
        (38.9, 43.6, [39, 40, 41, 42, 43]),
    ],
)
def test_an_axis_has_round_numbers(low, high, expected):
    assert ticks(low, high) == pytest.approx(expected)


def test_whiskers_lie_where_their_values_are():
    """9 to 11 with 6 % of room to each side on pixels 18 to 342: 8.88 to 11.12, so 10 is at 180."""
    panel = whiskers("BLEU", {"A": [Point(0, "A", 10.0, 9.0, 11.0, "10.00"), Point(1, "B", None, None, None, "none")]})
    (row,) = panel.rows
    assert (row.whiskers[0].x, row.whiskers[0].low, row.whiskers[0].high) == (180.0, 35.4, 324.6)
    assert row.whiskers[1].x is None
    assert row.value == ""
    assert whiskers("BLEU", {"A": [Point(0, "A", 10.0, 9.0, 11.0, "10.00")]}).rows[0].value == "10.00"
    assert panel.about == "BLEU: A: A 10.00, B none"
    assert whiskers("BLEU", {"A": [Point(0, "A", None, None, None, "none")]}) is None


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([1.0], ["0.9", "0.92", "0.94", "0.96", "0.98", "1"]),
        ([0.0], ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        ([0.0, 1.0], ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        ([1.0, 1.5], ["1", "1.2", "1.4"]),  # beyond its own bounds: shown all the same
    ],
)
def test_an_axis_does_not_go_beyond_the_bounds_of_a_metric(values, labels):
    bounds = FIGURES["wmd_similarity"].bounds
    points = [Point(0, "A", value, None, None, f"{value}") for value in values]
    assert [tick.label for tick in whiskers("WMD similarity", {"A": points}, bounds).ticks] == labels
    panel = curves("WMD similarity", [(0, "A", list(enumerate(values)))], bounds=bounds)
    assert [tick.label for tick in panel.upward] == labels


def test_a_label_beside_a_long_value_can_still_be_read():
    panel = whiskers(
        "BLEU", {"runs/a/best.h5": [Point(0, "A", 10.0, 9.0, 11.0, "10.00 ± 0.12 over 3 seeds [9.00, 11.00]")]}
    )
    assert "…s/a/best.h5</text>" in html(pages.Report("run", scores=[panel]))


def test_what_is_not_finite_leaves_a_gap_in_a_curve():
    """Steps 0 to 4 on pixels 46 to 342; a point alone becomes a dot."""
    nan = float("nan")
    panel = curves("loss", [(0, "A", [(0, 1.0), (1, 2.0), (2, nan), (4, 1.0)]), (1, "B", [(1, nan)])])
    (line,) = panel.lines
    assert re.fullmatch(r"M46 [\d.]+L120 [\d.]+", line.path)
    assert [x for x, _ in line.dots] == [342.0]
    assert panel.about == "loss over steps; at the end A 1"
    assert curves("loss", [(0, "A", [(1, nan)])]) is None
