"""The page of a report in a real browser: Debian's chromium, driven by playwright. It is opened from the disk."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from nmt.report import page as pages
from nmt.report.page import write_report
from nmt.report.sentences import shown
from tests.unit.browser_tools import chromium, opened, serious_faults
from tests.unit.page_tools import EVIL, HOSTILE, WORST, report

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def browser():
    with chromium() as one:
        yield one


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_report(path, report())
    return path


@pytest.fixture
def page(browser, place) -> Iterator[Page]:
    permissions = ["clipboard-read", "clipboard-write"]
    with opened(browser, place, viewport={"width": 1300, "height": 900}, permissions=permissions) as one:
        one.wait_for_selector("#list li")
        yield one
        assert one.title() == f"run {EVIL}"


def numbers(page: Page) -> list[int]:
    """Of the sentences that are listed."""
    return [int(text.split()[1]) for text in page.locator("#list li > a").all_inner_texts()]


def test_sentences_are_ordered_by_what_one_chooses(page):
    assert numbers(page)[:3] == [1, 2, 3]
    page.select_option("#order", "gain")
    assert numbers(page)[:3] == [60, 59, 58]
    page.select_option("#order", "loss")
    assert numbers(page)[0] == WORST + 1
    page.select_option("#order", "rarest")
    assert numbers(page)[:2] == [60, 59]
    page.select_option("#order", "longest")
    assert numbers(page)[0] == HOSTILE.index("wort " * 2000) + 1
    page.select_option("#system", "0")
    page.select_option("#order", "worst")
    assert numbers(page)[:2] == [1, 2]


def test_sentences_are_sought_and_filtered(page):
    page.fill("#search", "NUMBER 3")
    assert numbers(page) == list(range(31, 41))
    assert page.locator("#count").inner_text() == "10 of 60 sentences; shown: 10"
    page.fill("#search", "")
    page.select_option("#group", "0 0")
    assert numbers(page) == list(range(1, 21))
    page.select_option("#group", "-1 0")
    assert len(numbers(page)) == 25
    page.click("#more")
    assert len(numbers(page)) == 50


def test_a_sentence_opens_with_all_that_is_known_of_it(page):
    page.click("a[href='#s8']")
    page.wait_for_function("() => document.querySelector('#name').textContent === 'Sentence 8'")
    assert page.evaluate("location.hash") == "#s8"
    assert page.locator("#shown mark").all_inner_texts() == ["source number", "end", "drei"]
    assert page.locator("#shown .heat").count() == 3
    assert float(page.locator("#shown .heat").first.get_attribute("fill-opacity")) == pytest.approx(0.9, abs=0.01)
    long = page.locator("#shown svg text", has_text="<script>")  # a piece that was read, a word that moved
    assert long.all_text_contents() == [f"{EVIL[:17]}…{EVIL}"] * 2  # the second is a title
    assert page.locator("#shown .band").count() == 2
    assert page.locator("#shown .band title").first.text_content() == f"eins → {EVIL}: mass 0.500, cost 0.500"
    assert page.locator("#shown ol li").all_inner_texts() == ["-1.000 one", "-2.000 two"]
    cells = page.locator("#shown table").first.locator("tbody td").all_inner_texts()
    assert cells == ["10.00", "0.1000", "17.00 (+7.00)", "–"]


def test_a_sentence_has_a_link_and_keys_lead_to_the_next(page, place):
    page.goto("about:blank#")
    page.goto(f"{place.as_uri()}#s12")
    page.wait_for_selector("dialog[open]")
    assert page.evaluate("document.activeElement.id") == "name"
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => document.querySelector('#name').textContent === 'Sentence 13'")
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("() => document.querySelector('#name').textContent === 'Sentence 12'")
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("() => document.querySelector('#name').textContent === 'Sentence 11'")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog:not([open])", state="attached")
    assert page.evaluate("document.activeElement.textContent") == "Sentence 11"


def test_text_is_shown_as_text(page):
    shown_texts = page.locator("#list li .text:nth-of-type(3n)").all_text_contents()
    for text in HOSTILE:
        assert shown(text) in shown_texts
    assert page.evaluate("document.querySelectorAll('#list script').length") == 0
    assert page.evaluate("getComputedStyle(document.querySelector('.text')).unicodeBidi") == "isolate"


def test_a_signature_is_copied_with_one_click(page):
    page.click("summary:has-text('Signatures')")
    page.click("button[aria-label='copy the signature of BLEU']")
    page.wait_for_selector("button:has-text('copied')")
    assert page.evaluate("navigator.clipboard.readText()") == f"nrefs:1{EVIL}"


@pytest.mark.parametrize("format", ["Markdown", "LaTeX"])
def test_the_table_for_reviewers_is_copied_with_one_click(page, format):
    page.click(f"summary:has-text('The table as {format}')")
    page.click(f"button[aria-label='copy the table as {format}']")
    page.wait_for_selector("button:has-text('copied')")
    assert page.evaluate("navigator.clipboard.readText()") == report().copies[format]


@pytest.mark.parametrize("width", [420, 1300])
def test_nothing_is_cut_off(page, width):
    page.set_viewport_size({"width": width, "height": 860})
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.click("a[href='#s4']")
    assert page.evaluate("document.querySelector('dialog').scrollWidth <= document.querySelector('dialog').clientWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(page, scheme):
    page.emulate_media(color_scheme=scheme)
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert serious_faults(page) == []
    page.click("a[href='#s8']")
    assert serious_faults(page) == []


def test_sentences_in_a_file_beside_the_page_are_opened_by_hand(browser, tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "MOST_BYTES", 0)
    write_report(tmp_path / "report.html", report())
    one = browser.new_page()
    one.goto((tmp_path / "report.html").as_uri())
    assert one.locator("#explorer").is_hidden()
    one.set_input_files("#file", tmp_path / "report.html")
    one.wait_for_selector("#beside:has-text('another one')")
    theirs = tmp_path / "theirs.json"
    theirs.write_text('{"file": "0123456789ab", "rows": []}')
    one.set_input_files("#file", theirs)
    one.wait_for_selector('#beside:has-text("another page\'s sentences")')
    one.set_input_files("#file", tmp_path / "report-sentences.json")
    one.wait_for_selector("#list li")
    assert len(numbers(one)) == 25
    assert one.locator("#beside").is_hidden()
    one.close()
