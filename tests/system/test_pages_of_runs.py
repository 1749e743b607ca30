"""The pages of a run and of a comparison in a real browser; all their files lie in a folder whose name is hostile."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nmt.config.mistakes import in_quotes, show
from tests.system.app_tools import TINY, evaluate_py, read_results, train_py
from tests.unit.browser_tools import chromium, opened, serious_faults, too_wide

pytestmark = pytest.mark.long
EVIL = "<img src=x onerror=\"document.title='ran'\">'&\u202egnirts\u202ca\u0301\u0323"
PHONE, DESK = {"width": 420, "height": 860}, {"width": 1300, "height": 900}


@pytest.fixture(scope="module")
def browser():
    with chromium() as one:
        yield one


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """The folder of a run; its name has all the 255 bytes that it may have, and the folder around it a new line."""
    name = EVIL + "x" * (255 - len(EVIL.encode()))
    folder = tmp_path_factory.mktemp("runs") / "new\nline" / name
    folder.parent.mkdir()
    answer = train_py(None, *TINY, f"hydra.run.dir={in_quotes(str(folder))}")
    assert answer.status == 0, answer.err
    return folder


@pytest.fixture(scope="module")
def compared(run, tmp_path_factory) -> Path:
    """Both checkpoints of the run, a file, and a group of both."""
    folder = tmp_path_factory.mktemp("out") / EVIL
    best, last = (run / "checkpoints" / f"{name}.h5" for name in ("best", "last"))
    shutil.copy(run / "translations" / "test.txt", run / "tool.txt")
    files = ",".join(in_quotes(str(path)) for path in (best, last))
    words = [f"checkpoint=[{files}]", f"+outputs.tool={in_quotes(str(run / 'tool.txt'))}"]
    words += [f"+groups.both={in_quotes(f'{run}/checkpoints/[bl]*.h5')}", "search.beam=1"]
    answer = evaluate_py(*words, f"out={in_quotes(str(folder))}")
    assert answer.status == 0, answer.err
    assert "\u202e" not in answer.out, "a terminal would turn the line around"
    return folder


def headings(page) -> list[str]:
    return page.locator("h2").all_inner_texts()


def test_the_page_of_a_run_is_that_of_one_system(browser, run):
    with opened(browser, run / "report.html", viewport=DESK) as page:
        page.wait_for_selector("#list li")
        assert page.title() == run.name
        assert headings(page) == ["Scores", "Sentences", "Where", "Training", "For a paper", "Corpus", "Settings"]
        panels = page.locator(".panels").first.locator("figure")
        assert panels.locator("figcaption").all_inner_texts() == ["BLEU", "chrF", "WMD similarity"]
        assert panels.first.locator("g title").count() == 2, "a point for dev and one for test"
        assert page.locator("table.cards").first.locator("tbody tr").count() == 2, "dev and test"
        assert page.locator("#count").inner_text() == "30 of 30 sentences; shown: 25"
        assert page.locator("summary:has-text('source length')").count() == 1
        captions = page.locator("section:has(h2:text-is('Training')) figcaption").all_inner_texts()
        assert [caption.partition(" (")[0] for caption in captions] == [
            *("negative log-likelihood", "perplexity", "BLEU", "learning rate"),
        ]
        assert page.locator("figure .legend svg").first.bounding_box()["width"] == 14, "a dot, no ball"
        assert page.locator("#system").is_hidden(), "there is one"
        page.click("a[href='#s1']")
        page.wait_for_selector("dialog[open]")
        assert page.locator("#shown .heat").count() > 0
        assert page.locator("#shown h5").first.inner_text().startswith("How its words move")


def test_paths_are_shown_as_text(browser, compared, run):
    with opened(browser, compared / "report.html", viewport=DESK) as page:
        page.wait_for_selector("#list li")
        assert page.title() == "test: compared with " + read_results(compared, "comparison.json")["baseline"]
        names = page.locator("#system option").all_inner_texts()
        assert [name.removesuffix(" (baseline)")[-5:] for name in names] == ["-best", "-last", "both", "tool"]
        assert names[0].startswith('<img src=x onerror="')
        assert page.locator("img").count() == 0
        told = page.locator("p.soft").all_inner_texts()
        assert any(show(str(run / "checkpoints" / "best.h5")) in line for line in told)
        assert not any("\u202e" in line for line in told)


@pytest.mark.parametrize(("screen", "scheme"), [(PHONE, "dark"), (DESK, "light")], ids=["phone", "desk"])
@pytest.mark.parametrize("which", ["run", "compared"])
def test_a_real_page_is_whole_and_accessible(browser, request, which, screen, scheme):
    folder = request.getfixturevalue(which)
    with opened(browser, folder / "report.html", viewport=screen, color_scheme=scheme) as page:
        page.wait_for_selector("#list li")
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        assert too_wide(page) == []
        assert serious_faults(page) == []


def test_every_run_of_a_group_has_its_learning_curve(browser, compared):
    with opened(browser, compared / "report.html", viewport=DESK) as page:
        panel = page.locator("figure:has(figcaption:text-is('BLEU (dev)'))")
        lines = panel.locator("g title").all_text_contents()
        assert [line.partition("-")[2] or line for line in lines] == ["best", "last", "both, 1", "both, 2"]
