"""People score translations without knowing whose they are: the page, its key, and the way back."""

from __future__ import annotations

import json
import re
import shlex
from html import unescape
from pathlib import Path

import pytest

from nmt.compare.blind import read_all, read_key, run
from nmt.programs import evaluate
from tests.unit.browser_tools import chromium, opened, serious_faults, too_wide

EVIL = "<script>document.title='ran'</script>"
SOURCE = ["one", EVIL, "\u202ethree", "f" * 10_000, "e\u0301e\u0301"]
REFERENCE = ["eins", "zwei", "drei", "vier", "fünf"]
SYSTEMS = {
    "lynx": ["eins", "zwei", "drei", "vier", "fünf"],
    "marmot": ["eins", "<img src=x onerror=\"document.title='ran'\">", "dry", "fear", "fun"],
}


@pytest.fixture
def corpus(tmp_path) -> Path:
    for name, lines in {"t.en": SOURCE, "t.de": REFERENCE, **{f"{k}.txt": v for k, v in SYSTEMS.items()}}.items():
        (tmp_path / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return tmp_path


def write(folder: Path, *more: str) -> int:
    systems = [f"{name}={folder}/{name}.txt" for name in SYSTEMS]
    files = ["--source", f"{folder}/t.en", "--reference", f"{folder}/t.de", "-o", f"{folder}/page.html"]
    return run(["--systems", *systems, *files, *more])


def read(folder: Path, *files: Path) -> int:
    key, out = f"{folder}/page.key.json", f"{folder}/out"
    return run(["--read", *map(str, files), "--key", key, "--languages", "en", "de", "-o", out])


def score_of(system: str, row: int) -> int:
    """Whole numbers that tell systems and sentences apart; both wrote the first sentence alike."""
    return 70 if row == 0 else (80 if system == "lynx" else 10) + row


def entries(folder: Path) -> dict[str, int]:
    """The score of each item, which only the key can tell."""
    found = {}
    for one in read_key(folder / "page.key.json").sentences:
        for item, systems in one.systems_of.items():
            found[item] = score_of(systems[0], one.row)
    return found


def csv(folder: Path, scores: dict[str, int], name: str = "scores.csv") -> Path:
    page = read_key(folder / "page.key.json").page
    path = folder / name
    path.write_text("page,item,score\n" + "".join(f"{page},{item},{score}\n" for item, score in scores.items()))
    return path


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_the_page_does_not_say_who_wrote_what(corpus, capsys):
    assert write(corpus) == 0
    page = (corpus / "page.html").read_text(encoding="utf-8")
    assert not re.search("lynx|marmot", page)
    assert page.count("<script>") == 1, "the page's own"
    texts = [unescape(text) for text in re.findall(r'<p class="text"[^>]*>(.*?)</p>', page, re.DOTALL)]
    assert len(texts) == 5 + 5 + 9  # sources, references, and translations: two are one
    assert set(texts) == {*SOURCE, *REFERENCE, *SYSTEMS["lynx"], *SYSTEMS["marmot"]}
    assert "not for them" in capsys.readouterr().out


def test_the_order_is_that_of_the_seed(corpus):
    pages = []
    for seed in ("1", "1", "2"):
        assert write(corpus, "--seed", seed, "--sentences", "4") == 0
        pages.append((corpus / "page.html").read_text(encoding="utf-8"))
    assert pages[0] == pages[1] != pages[2]
    rows = [one.row for one in read_key(corpus / "page.key.json").sentences]
    assert len(set(rows)) == 4


def test_scores_come_back_as_segments_of_each_system(corpus, capsys, monkeypatch):
    """A second annotator scores one item 20 higher: the mean is 10 higher."""
    assert write(corpus) == 0
    own = entries(corpus)
    (item,) = [i for one in read_key(corpus / "page.key.json").sentences for i in one.items if one.row == 0]
    assert read(corpus, csv(corpus, own), csv(corpus, {item: own[item] + 20}, "second.csv")) == 0
    for system in SYSTEMS:
        wanted = [score_of(system, row) + 10 * (row == 0) for row in range(5)]
        assert [float(line) for line in lines(corpus / "out" / f"{system}.human")] == wanted
        assert lines(corpus / "out" / f"{system}.txt") == SYSTEMS[system]
    told = capsys.readouterr().out.splitlines()
    assert "lynx: 82.00" in told  # (80 + 81 + 82 + 83 + 84) / 5
    words = told[-1].removeprefix("python evaluate.py ").split(" ")
    assert evaluate([*words, "metrics.report=[chrf]", "metrics.bootstrap=20", f"out={corpus}/compared"]) == 0
    found = json.loads((corpus / "compared" / "comparison.json").read_text())
    assert found["metrics"]["human"]["lynx"]["score"] == 82
    assert found["metrics"]["human"]["marmot"]["score"] == pytest.approx((80 + 11 + 12 + 13 + 14) / 5)


def test_several_files_of_one_annotator_are_of_one_person(corpus):
    """The fuller counts, whichever comes first; a file that names nobody is another person's."""
    assert write(corpus) == 0
    own, page = entries(corpus), read_key(corpus / "page.key.json").page
    first = next(iter(own))

    def download(name: str, annotator: str, scores: dict[str, int]) -> Path:
        rows = [f"{page},{item},{score},{annotator}\n" for item, score in scores.items()]
        (corpus / name).write_text("page,item,score,annotator\n" + "".join(rows))
        return corpus / name

    full, early = download("b.csv", "ab12", own), download("a.csv", "ab12", {first: own[first] + 10})
    key = read_key(corpus / "page.key.json")
    assert read_all([full, early], key) == read_all([early, full], key) == [own]
    assert len(read_all([full, download("c.csv", "cd34", own), csv(corpus, own), csv(corpus, own, "d.csv")], key)) == 4


def test_the_words_beside_a_slider_enter_nothing(corpus):
    assert write(corpus) == 0
    page = (corpus / "page.html").read_text(encoding="utf-8")
    assert "<label" not in page
    named = re.findall(r'aria-labelledby="([^"]+)"', page)
    assert len(named) == page.count('type="range"') == 9
    assert all(f'id="{name}"' in page for name in named)


def test_a_sentence_without_all_its_scores_is_left_out(corpus, capsys):
    assert write(corpus) == 0
    own = entries(corpus)
    (unscored,) = [one for one in read_key(corpus / "page.key.json").sentences if one.row == 2]
    del own[next(iter(unscored.items))]
    assert read(corpus, csv(corpus, own)) == 0
    assert lines(corpus / "out" / "test.en") == [SOURCE[row] for row in (0, 1, 3, 4)]
    assert len(lines(corpus / "out" / "marmot.human")) == 4
    assert "4 of 5 sentences have all their scores" in capsys.readouterr().out


def test_the_command_that_is_printed_is_quoted(corpus, capsys):
    assert write(corpus) == 0
    scores, folder = csv(corpus, entries(corpus)), corpus / "my people, 2"
    words = ["--read", str(scores), "--key", f"{corpus}/page.key.json", "--languages", "en", "de", "-o", str(folder)]
    assert run(words) == 0
    command = shlex.split(capsys.readouterr().out.splitlines()[-1])[2:]
    assert f'+segments.human.lynx="{folder}/lynx.human"' in command
    assert evaluate([*command, "metrics.report=[chrf]", "metrics.bootstrap=20"]) == 0


def test_mistakes_are_told_in_a_sentence(corpus, capsys):
    for nameless in (".", "", "/"):
        assert run(["--systems", "a=x", "--source", f"{corpus}/t.en", "-o", nameless]) == 2
        assert "expected a file; name the page, such as -o page.html" in capsys.readouterr().err
    (corpus / "taken").mkdir()
    assert write(corpus, "-o", f"{corpus}/taken") == 2
    assert capsys.readouterr().err == (
        f"{corpus}/taken: found a folder, expected a place that can be written to; choose another with -o.\n"
    )
    assert run(["--systems", "a/b=x", "--source", f"{corpus}/t.en", "-o", "x.html"]) == 2
    assert "--systems: found a/b=x, expected NAME=FILE, each name once" in capsys.readouterr().err
    assert write(corpus) == 0
    page = read_key(corpus / "page.key.json").page
    bad = {
        "item,score\n": "line 1: found 'item,score', expected page,item,score,annotator",
        f"page,item,score,annotator\n{page},1,50,\n": "line 2: found no annotator, expected the digits",
        f"page,item,score\n{page},1,101\n": "line 2: found '101', expected a whole number from 0 to 100",
        f"page,item,score\n{page},1,50\n{page},1,50\n": "line 3: found item 1 again, expected each item once",
        "page,item,score\nother,1,50\n": f"line 2: found item '1' of page 'other', expected an item of page '{page}'",
        f"page,item,score\n{page},1\n": "line 2: found 2 cells, expected 3",
        "page,item,score\n": "found no sentence of which all translations have a score, expected at least one",
    }
    for text, said in bad.items():
        (corpus / "s.csv").write_text(text)
        assert read(corpus, corpus / "s.csv") == 2
        assert said in capsys.readouterr().err
    key = (corpus / "page.key.json").read_text(encoding="utf-8")
    for spoilt in (
        "{}",
        "[]",
        "{",
        key.replace('"marmot"', '"../marmot"'),
        key.replace('"drei"', '"d\\nrei"'),
        '"row"',
    ):
        (corpus / "page.key.json").write_text(spoilt, encoding="utf-8")
        assert read(corpus, corpus / "s.csv") == 2
        assert "found no key of a page" in capsys.readouterr().err


@pytest.mark.long
def test_what_an_annotator_enters_in_a_browser_comes_back(corpus):
    """By the keyboard; half-way the page is opened again. Nothing that a text says runs, and nothing is fetched."""
    assert write(corpus) == 0
    own = entries(corpus)
    with chromium() as browser, opened(browser, corpus / "page.html", accept_downloads=True) as page:
        for number, (item, score) in enumerate(own.items()):
            if number == len(own) // 2:
                page.reload()
            page.locator(f"input[data-item='{item}']").focus()
            for key in ("Home", *["PageUp"] * (score // 10), *["ArrowRight"] * (score % 10)):
                page.keyboard.press(key)
        assert page.locator("#done").inner_text() == "all scored: download them"
        assert re.fullmatch("[0-9a-f]{16}", page.evaluate("annotator"))
        with page.expect_download() as waiting:
            page.locator("#download").click()
        waiting.value.save_as(corpus / "scores.csv")
        assert page.title() == "How good are these translations?"
    assert read(corpus, corpus / "scores.csv") == 0
    for system in SYSTEMS:
        scores = [float(line) for line in lines(corpus / "out" / f"{system}.human")]
        assert scores == [score_of(system, row) for row in range(5)]


@pytest.mark.long
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_can_be_used_on_a_phone(corpus, scheme):
    place = corpus / "<img src=x onerror=\"document.title='ran'\">\n\u202e'.html"
    assert write(corpus, "-o", str(place)) == 0
    screen = {"viewport": {"width": 360, "height": 740}, "color_scheme": scheme, "has_touch": True}
    with chromium() as browser, opened(browser, place, **screen) as page:
        assert too_wide(page) == []
        slider = page.locator("input[data-item]").first
        slider.tap()
        assert page.locator("output").first.inner_text().isdigit()
        assert page.locator("#done").inner_text() == "8 of 9 not yet scored"
        assert serious_faults(page) == []
