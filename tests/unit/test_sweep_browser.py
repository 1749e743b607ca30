"""The page of a sweep in a real browser; its folder, its values and the page itself have hostile names."""

from __future__ import annotations

import pytest

from nmt.config.mistakes import in_quotes
from nmt.config.saved import write_overrides
from nmt.sweep.commands import run
from tests.unit.browser_tools import chromium, opened, serious_faults, too_wide
from tests.unit.sweep_tools import a_config, write_run

EVIL = "<img src=x onerror=\"document.title='ran'\">'&\u202egnirts\u202ca\u0301\u0323\n" + "x" * 180


@pytest.mark.long
@pytest.mark.parametrize("width", [420, 1300])
def test_paths_and_values_are_shown_as_text(tmp_path, capsys, width):
    folder, place = tmp_path / "sweeps" / EVIL, tmp_path / f"{EVIL[:200]}.html"
    for number, score in enumerate((2.0, 3.0)):
        trial = folder / f"{number}_{EVIL[:200]}"
        write_run(trial, a_config(seed=number), [score], {"bleu": score})
        write_overrides(trial, [f"seed={number}", f"+data.tests.a={in_quotes(f'{EVIL}{number}')}"])
    assert run(["report", str(folder), "--html", str(place)]) == 0
    with chromium() as browser, opened(browser, place, viewport={"width": width, "height": 860}) as page:
        assert page.title().startswith("Sweep over ")
        assert page.locator("h2").count() >= 4
        assert page.locator("img").count() == 0
        assert EVIL in page.locator("p.soft").first.text_content()
        assert page.locator("td a").count() == 2, "to the pages of both trials"
        assert too_wide(page) == []
        assert serious_faults(page) == []
