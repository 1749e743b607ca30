"""The page of the service in a real browser: Debian's chromium, driven by playwright."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from nmt.config.search import SearchConfig
from nmt.config.serve import ServeConfig
from nmt.config.subword import SubwordKind
from nmt.data.subwords import Vocabularies
from nmt.data.words import ListedSubwords
from nmt.serve.api import make_app
from nmt.serve.models import Model, Shelf, make_model
from nmt.serve.queue import BatchQueue
from nmt.serve.server import bound
from nmt.serve.service import Service
from tests.unit.browser_tools import chromium
from tests.unit.search_models import Copier

pytestmark = pytest.mark.long
WORDS = ListedSubwords(SubwordKind.words, ["a", "dog", "runs", "red", "<b>x</b>"])


def opener(name: str, files: tuple[Path, ...], version: int) -> Model:
    """Both directions; the words come back as they are."""
    pair = ("en", "de") if name == "there" else ("de", "en")
    both = Vocabularies(WORDS, WORDS, joint=True)
    return make_model(name, files, version, pair, Copier(WORDS.size), both, SearchConfig(beam=3), alternatives=2)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    config = ServeConfig(checkpoint=["there.h5"], wait_ms=0)
    queue = BatchQueue(0, 8, 100, 0)
    service = Service(Shelf(["there.h5", "back.h5"], opener), queue, config, [])
    server = uvicorn.Server(uvicorn.Config(make_app(service), log_level="error", lifespan="off"))
    place = bound("127.0.0.1", 0)
    thread = threading.Thread(target=server.run, args=([place],))
    thread.start()
    yield f"http://127.0.0.1:{place.getsockname()[1]}/"
    server.should_exit = True
    thread.join(30)
    queue.close()


@pytest.fixture(scope="module")
def browser():
    with chromium() as one:
        yield one


@pytest.fixture
def page(browser, address) -> Iterator[Page]:
    """Fails where the page logs an error or asks anybody but the service."""
    context = browser.new_context()
    one = context.new_page()
    errors: list[str] = []
    one.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    one.on("pageerror", lambda error: errors.append(str(error)))
    one.on("request", lambda request: errors.append(request.url) if not request.url.startswith(address) else None)
    one.goto(address)
    one.wait_for_selector("#target option", state="attached")
    yield one
    context.close()
    assert [error for error in errors if not error.startswith("data:")] == []


def type_in(page: Page, text: str) -> None:
    page.fill("#text", text)
    page.wait_for_function("text => document.querySelector('#answer').textContent === text", arg=text)


def test_text_is_translated_as_it_is_typed_with_alternatives(page):
    type_in(page, "a red dog runs")
    assert page.locator("#alternatives li").count() == 1
    assert page.locator("#note").inner_text().startswith("there, ")
    page.fill("#text", "")
    page.wait_for_function("() => document.querySelector('#answer').textContent === ''")
    assert page.locator("#why").is_hidden()


def test_the_words_that_were_looked_at_light_up(page):
    type_in(page, "a red dog")
    lit = "[...document.querySelectorAll('.row span')].map(one => one.style.background !== '' && one.textContent)"
    page.locator(".row button", has_text="red").hover()
    assert page.evaluate(f"{lit}.filter(Boolean).includes('red')")
    page.locator("h1").hover()
    assert page.evaluate(f"{lit}.every(one => !one)")
    page.locator(".row button").first.focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "red"


def test_languages_are_swapped_with_their_texts(page):
    type_in(page, "a dog")
    page.click("#swap")
    page.wait_for_function("() => document.querySelector('#note').textContent.startsWith('back, ')")
    assert (page.input_value("#source"), page.input_value("#target")) == ("de", "en")
    assert page.input_value("#text") == "a dog"


def test_a_translation_is_copied(page):
    type_in(page, "a red dog")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.click("#copy")
    page.wait_for_function("() => document.querySelector('#note').textContent === 'copied'")
    assert page.evaluate("navigator.clipboard.readText()") == "a red dog"


def test_text_is_text_and_unknown_pieces_are_marked(page):
    page.fill("#text", "<b>x</b> zebra")
    page.wait_for_selector(".row .unknown")
    assert page.locator("#answer").inner_text() == "<b>x</b> ⁇"
    assert page.locator("#answer b").count() == 0


def test_the_page_fits_a_phone(page):
    page.set_viewport_size({"width": 390, "height": 844})
    type_in(page, "a red dog runs a red dog runs")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def faults(page: Page) -> list[tuple[str, list[str]]]:
    """What axe finds that is serious."""
    return [
        (one["id"], [node["html"][:200] for node in one["nodes"]])
        for one in Axe().run(page).response["violations"]
        if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1300, 900), (390, 844)], ids=["desktop", "phone"])
def test_axe_finds_no_serious_fault(page, scheme, size):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": size[0], "height": size[1]})
    assert faults(page) == []
    page.fill("#text", "a red <b>x</b> zebra runs")
    page.wait_for_selector(".row .unknown")
    page.locator(".row button", has_text="red").focus()
    assert faults(page) == []
    page.click("footer a")
    page.wait_for_selector("h2:has-text('POST /v1/translate')")
    assert faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
