"""Debian's chromium, driven by playwright, for the tests of pages."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window; the test is skipped where there is none (.ci/run installs it)."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("no chromium: apt-get install chromium")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, path: Path, **settings: Any) -> Iterator[Page]:
    """A page from the disk. Fails where it logs an error, asks for anything but itself, or runs a hostile text: each of
    ours sets the title to "ran"."""
    context = browser.new_context(**settings)
    page = context.new_page()
    faults: list[str] = []
    own = (unquote(path.as_uri()), "blob:")
    page.on("console", lambda message: faults.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda asked: None if unquote(asked.url).startswith(own) else faults.append(asked.url))
    page.goto(path.as_uri())
    yield page
    assert page.title() != "ran"
    context.close()
    assert faults == []


def too_wide(page: Page) -> list[str]:
    """What makes the page wider than the screen: the beginnings of elements that reach beyond it."""
    return page.evaluate("""() => document.documentElement.scrollWidth <= innerWidth ? [] :
        [...document.querySelectorAll("body *")].filter(one => one.getBoundingClientRect().right > innerWidth + 1)
        .map(one => one.outerHTML.slice(0, 120)).slice(0, 9)""")


def serious_faults(page: Page) -> list[tuple[str, list[str]]]:
    """What axe finds against accessibility: the rule, and where it is broken."""
    return [
        (one["id"], [node["html"][:200] for node in one["nodes"]])
        for one in Axe().run(page).response["violations"]
        if one["impact"] in ("serious", "critical")
    ]
