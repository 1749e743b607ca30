"""What a sweep found, against numbers by hand."""

from __future__ import annotations

import csv
import html
import io
import math
import re
import shlex
from pathlib import Path

import pytest
from scipy.stats import ttest_ind

from nmt.config.saved import write_overrides
from nmt.errors import SweepError
from nmt.sweep import plots
from nmt.sweep.apart import p_values, told
from nmt.sweep.commands import run
from nmt.sweep.hydra_launcher import tell_results
from nmt.sweep.leaderboard import brief, classes, explained, make_board
from nmt.sweep.ledger import Ledger
from nmt.sweep.outcome import read_scores
from nmt.sweep.page import page
from nmt.sweep.report import csv_text, text
from nmt.sweep.results import read_results
from tests.unit.sweep_tools import a_config, a_trial, write_run

# units, seed -> scores of the validations, seconds; by hand: 32 has 10 and 14 (mean 12, deviation 2 sqrt 2), 64 has 20
# and 20, 96 has 22 alone, and one that failed
RUNS = {
    (32, 1): ([4.0, 10.0], 10.0),
    (32, 2): ([14.0, 3.0], 20.0),
    (64, 1): ([20.0, 1.0], 40.0),
    (64, 2): ([1.0, 20.0], 60.0),
    (96, 1): ([22.0, 22.0], 100.0),
}
FINISHED = {"status": "finished", "exit_status": 0, "seconds": 30.0, "usd": 0.25}


WRITTEN: dict[tuple[str, float | None], dict[Path, bytes]] = {}  # six configurations in a file each: made once


def write_sweep(folder, metric="bleu", usd=0.25):
    """Into a folder of its own, with the same content each time."""
    if (metric, usd) not in WRITTEN:
        assert not folder.exists() or not any(folder.iterdir())
        make_sweep(folder, metric, usd)
        files = [path for path in folder.rglob("*") if path.is_file()]
        WRITTEN[metric, usd] = {path.relative_to(folder): path.read_bytes() for path in files}
    for path, content in WRITTEN[metric, usd].items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


def make_sweep(folder, metric, usd):
    with Ledger(folder) as ledger:
        for number, (units, seed) in enumerate([*RUNS, (96, 2)]):
            trial = a_trial(folder, number, units, seed)
            words = {"overrides": trial.overrides, "folder": trial.folder.name, "where": "cpu 0"}
            ledger.write("start", trial.ident, {"group": trial.group, "number": number, **words})
            scores, seconds = RUNS.get((units, seed), ([1.0], 5.0))
            test = {"bleu": scores[0], "wmd_similarity": 0.5} if (units, seed) in RUNS else None
            write_run(trial.folder, a_config(seed, units, metric), scores, test, seconds)
            failed = {} if test else {"status": "failed", "exit_status": 1}
            ledger.write("end", trial.ident, {**FINISHED, "score": max(scores), "usd": usd, **failed})


def test_means_and_deviations_over_seeds(tmp_path):
    write_sweep(tmp_path)
    board = make_board(read_results(tmp_path))
    assert [(row.name, len(row.trials), row.planned) for row in board.rows] == [
        ("model.units=96", 1, 2),
        ("model.units=64", 2, 2),
        ("model.units=32", 2, 2),
    ]
    assert [row.dev.mean for row in board.rows] == [22.0, 20.0, 12.0]
    assert [row.dev.deviation for row in board.rows] == [None, 0.0, pytest.approx(2 * math.sqrt(2))]
    assert [row.seconds for row in board.rows] == [100.0, 50.0, 15.0]
    assert [row.usd for row in board.rows] == [0.25] * 3
    assert board.rows[1].tests[0].mean == 10.5


def test_a_loss_is_better_when_it_is_less(tmp_path):
    write_sweep(tmp_path, "loss")
    board = make_board(read_results(tmp_path))
    assert [row.name for row in board.rows] == ["model.units=64", "model.units=32", "model.units=96"]
    assert [row.dev.mean for row in board.rows] == [1.0, 3.5, 22.0]


def test_the_best_configuration_is_a_command(tmp_path):
    write_sweep(tmp_path)
    board = make_board(read_results(tmp_path))
    assert shlex.split(board.rows[2].command) == ["uv", "run", "train.py", "model.units=32", "seed=2"]


def test_the_front_is_what_no_other_beats_in_both(tmp_path):
    write_sweep(tmp_path)
    board = make_board(read_results(tmp_path))
    assert board.fronts["seconds"] == ("model.units=32", "model.units=64", "model.units=96")
    assert board.fronts["usd"] == ("model.units=96",)
    write_sweep(tmp_path / "free", usd=None)
    assert make_board(read_results(tmp_path / "free")).fronts.keys() == {"seconds"}


def test_what_cannot_be_told_from_the_best():
    """Variances 1 and 1/2 over 3 and 2 seeds: t = 3 / sqrt(1/3 + 1/4), as scipy.stats.ttest_ind has it."""
    best, near, far = [20.0, 21.0, 22.0], [17.5, 18.5], [1.0, 1.0, 1.5]
    found = p_values([best, near, far, [3.0]])
    expected = [float(ttest_ind(best, other, equal_var=False).pvalue) for other in (near, far)]
    assert found == [None, pytest.approx(expected[0]), pytest.approx(2 * expected[1]), None]
    assert p_values([[1.0, 1.0], [1.0, 1.0], [0.0, 0.0]]) == [None, 1.0, 0.0]


def test_that_is_said_below_the_table(tmp_path):
    write_sweep(tmp_path)
    rows = make_board(read_results(tmp_path)).rows
    assert told(rows).startswith(
        "units=96 has one seed, so nothing can be told from it: run more seeds (Welch's t-test"
    )
    assert told(rows[1:]) == (
        "cannot be told from the best (Welch's t-test of the dev scores over seeds, Holm's correction, level 5 %): "
        "units=32"
    )
    assert told([rows[1], rows[0]]).splitlines()[1] == "have one seed, so nothing is known of them: units=96"
    assert told(rows[:1]) == ""
    assert told(rows) in text(make_board(read_results(tmp_path)))


def test_importance_by_hand():
    # classes 1, 1 and 3, 3: all of it. 1, 3 in both: none. 0 2 and 2 4: total 8, within 4, free 2: (8 - 4 - 2) / 8
    assert explained([1, 1, 3, 3], ["a", "a", "b", "b"]) == 1.0
    assert explained([1, 3, 1, 3], ["a", "a", "b", "b"]) == 0.0
    assert explained([0, 2, 2, 4], ["a", "a", "b", "b"]) == pytest.approx(0.25)
    assert explained([5, 5, 5], ["a", "b", "c"]) == 0.0
    assert explained([1, 2, 3], ["a", "b", "c"]) == 0.0, "as many classes as values explain nothing"


def test_many_different_numbers_are_cut_into_four():
    assert classes([str(number / 10) for number in range(8)]) == ["0", "0", "1", "1", "2", "2", "3", "3"]
    assert classes(["1", "2", "3"]) == ["1", "2", "3"]
    letters = list("abcdefgh")
    assert classes(letters) == letters


def test_the_table_on_a_terminal(tmp_path):
    write_sweep(tmp_path)
    told = text(make_board(read_results(tmp_path)))
    assert told.startswith("6 trials: 5 finished, 1 failed\n")
    lines = told.splitlines()
    assert lines[4].split() == [
        "model.units=96",
        "1",
        "of",
        "2",
        "22.00",
        "22.00",
        "0.5000",
        "100.0",
        "0.2500",
        "seconds,",
        "usd",
    ]
    assert "12.00 ± 2.83" in lines[6]
    assert "best configuration, with the seed of its best trial:\n  uv run train.py model.units=96 seed=1" in told


def test_the_command_that_shows_a_sweep_again_can_be_typed_as_it_stands(tmp_path, caplog):
    folder = tmp_path / "a sweep"
    write_sweep(folder)
    caplog.set_level("INFO", "nmt.sweep.hydra_launcher")
    tell_results(folder)
    words = ["uv", "run", "python", "-m", "nmt.sweep", "report", str(folder), "--html", "page.html"]
    assert shlex.split(caplog.messages[-1].removeprefix("again, or as a page: ")) == words


def test_the_csv_has_a_row_for_each_trial(tmp_path):
    write_sweep(tmp_path)
    rows = list(csv.DictReader(io.StringIO(csv_text(make_board(read_results(tmp_path))))))
    assert [row["status"] for row in rows] == [*["finished"] * 5, "failed"]
    assert [float(row["score"]) for row in rows[:5]] == [10.0, 14.0, 20.0, 20.0, 22.0]
    assert rows[1]["model.units"] == "32"
    assert rows[1]["best_step"] == "100"
    assert rows[0]["folder"] == "0_model.units-32_seed-1"


def the_page(folder, place=None):
    return page(make_board(read_results(folder)), folder, place or folder / "page.html")


@pytest.fixture(scope="module")
def a_page(tmp_path_factory):
    """The folder of a sweep, and its page, to lie beside it in `pages`; drawing one takes seconds."""
    folder = tmp_path_factory.mktemp("runs") / "a sweep"
    write_sweep(folder)
    return folder, the_page(folder, folder.parent / "pages" / "page.html")


def test_the_page_says_what_was_swept_and_holds_its_pictures(a_page):
    _, shown = a_page
    assert "<h1>Sweep over units, seed</h1>" in shown
    headings = re.findall("<h2>(.*?)</h2>", shown)
    assert headings == [
        "Best configuration",
        "Leaderboard",
        "Learning curves",
        "Score against each parameter",
        "Importance",
        "Quality against time",
        "Quality against cost",
        "Progress",
        "Failures",
        "Trials",
    ]
    broad_and_narrow, panels = 6, 2  # means, curves, importance, time, cost, progress; units, seed
    assert shown.count("<svg") == 2 * broad_and_narrow + panels
    assert shown.count('<div class="broad"') == shown.count('<div class="narrow"') == broad_and_narrow
    assert "src=" not in shown, "it needs no other file"
    assert "1. units=96" in re.findall("<text.*?>(.*?)</text>", shown), "real text"
    assert not re.findall("<[^>]*: #[0-9a-f]{6}", shown), "its colours are those of the reader's theme"


def test_an_axis_ends_where_scores_do(tmp_path):
    """Two trials with the largest similarity that there is: nothing beyond 1 is on the axes."""
    for seed in (1, 2):
        trial = tmp_path / f"{seed}_seed-{seed}"
        write_run(trial, a_config(seed, metric="wmd_similarity"), [1.0], {"bleu": 1.0})
        write_overrides(trial, [f"seed={seed}"])
    board = make_board(read_results(tmp_path))
    for picture in (plots.progress(board), plots.means(board)):
        labels = [float(text) for text in re.findall(r"<text[^>]*>(\d+\.\d+)</text>", picture.broad)]
        assert max(labels) == 1.0
        assert min(labels) < 1.0


def test_the_page_has_the_verdict_of_the_terminal(a_page):
    folder, shown = a_page
    (verdict,) = re.findall("<p>Verdict: (.*?)</p>", shown)
    assert html.unescape(verdict).split("<br>") == [f"{told(make_board(read_results(folder)).rows)}."]
    assert html.unescape(verdict).startswith("units=96 has one seed, so nothing can be told from it: run more seeds (")


def test_the_best_command_is_whole_and_the_trials_have_test_scores_and_links(a_page):
    folder, shown = a_page
    assert "<pre>uv run train.py model.units=96 seed=1</pre>" in shown
    best = folder / "4_model.units-96_seed-1" / "checkpoints" / "best.h5"
    assert f"<pre>uv run translate.py &#39;checkpoint=&#34;{best}&#34;&#39; &lt; in.txt &gt; out.txt</pre>" in shown
    assert 'href="../a%20sweep/4_model.units-96_seed-1/report.html"' in shown
    trial = next(row for row in re.findall("<tr>.*?</tr>", shown, re.S) if ">trial 3<" in row)
    assert re.findall("<(?:span|a)[^>]*>(.*?)</", trial) == [
        *("trial 3", "finished", "64", "1", "20.00", "20.00", "0.5000", "100", "40.0", "0.2500", "report"),
    ]


def test_values_are_shown_short_and_what_comes_from_data_is_escaped(tmp_path):
    rates = ["0.018932155000001", "1e-3"]
    for number, rate in enumerate(rates):
        folder = tmp_path / f"{number}_x"
        config = a_config()
        config.train.learning_rate = float(rate)
        write_run(folder, config, [2.0 - number, 1.0, None], {"bleu": 1.0})  # the last is not finite, and has no end
        write_overrides(folder, ["+data.tests.a='<b>'", f"train.learning_rate={rate}"])
    shown = the_page(tmp_path)
    assert "<h1>Sweep over learning_rate</h1>" in shown
    assert "<b>" not in shown
    assert "1. learning_rate=0.01893" in shown
    assert "0.018932155000001" in shown, "the command has all of it"
    assert brief("128000") == "128000"
    assert brief("lstm") == "lstm"


def test_a_sweep_in_which_all_failed_has_a_list_and_a_page(tmp_path, capsys):
    sweep = tmp_path / "sweep"
    with Ledger(sweep) as ledger:
        for number in range(2):
            trial = a_trial(sweep, number, 32, number + 1)
            words = {"overrides": trial.overrides, "folder": trial.folder.name, "where": "cpu 0"}
            ledger.write("start", trial.ident, {"group": trial.group, "number": number, **words})
            trial.folder.mkdir()
            (trial.folder / "console.log").write_text("step 1\nmodel.units: <found> 0, expected at least 1.\n\n")
            ledger.write("end", trial.ident, {**FINISHED, "score": None, "status": "failed", "exit_status": 2})
    place = tmp_path / "page.html"
    assert run(["report", str(sweep), "--html", str(place), "--csv", str(tmp_path / "table.csv")]) == 0
    told = capsys.readouterr().out
    assert told.startswith(
        "2 trials: 2 failed\n\nfailed:\n  trial 1 with exit status 2: seed=1\n    model.units: <found> 0, expected at "
        f"least 1.\n    {sweep / '0_model.units-32_seed-1' / 'console.log'}\n  trial 2 "
    )
    assert told.endswith("\n\nno trial has finished yet\n")
    shown = place.read_text()
    assert re.findall("<h2>(.*?)</h2>", shown) == ["Failures", "Trials"]
    assert "model.units: &lt;found&gt; 0, expected at least 1." in shown
    assert shown.count('<td class="long" data-label="last words">') == 2, "as wide as a phone"
    assert 'href="sweep/1_model.units-32_seed-2/console.log"' in shown
    assert len((tmp_path / "table.csv").read_text().splitlines()) == 3


def test_a_sweep_of_another_launcher_is_read_from_its_run_folders(tmp_path):
    for number, ((units, seed), (scores, seconds)) in enumerate(RUNS.items()):
        folder = tmp_path / f"{number}_x"
        write_run(folder, a_config(seed, units), scores, {"bleu": 1.0} if number else None, seconds)
        write_overrides(folder, [f"model.units={units}", f"seed={seed}"])
    results = read_results(tmp_path)
    assert [(one.number, one.status) for one in results] == [
        (0, "interrupted"),
        *[(n, "finished") for n in range(1, 5)],
    ]
    assert [row.dev.mean for row in make_board(results).rows] == [22.0, 20.0, 14.0]


def test_while_a_launcher_is_at_work_its_trials_are_running(tmp_path):
    trial = a_trial(tmp_path, 0)
    words = {"overrides": trial.overrides, "folder": trial.folder.name, "where": "cpu 0"}
    with Ledger(tmp_path) as ledger:
        ledger.write("start", trial.ident, {"group": trial.group, "number": 0, **words})
        write_run(trial.folder, a_config(), [3.0])
        assert read_results(tmp_path)[0].status == "running"
        assert "no trial has finished yet" in text(make_board(read_results(tmp_path)))
    assert read_results(tmp_path)[0].status == "interrupted"
    assert re.findall("<h2>(.*?)</h2>", the_page(tmp_path)) == ["Learning curves", "Trials"]


def test_the_best_is_what_the_run_itself_holds_for_it(tmp_path):
    config = a_config()
    config.train.early_stopping.min_delta = 1.0
    write_run(tmp_path, config, [1.0, 1.5, 2.4, 3.0])
    assert (read_scores(tmp_path).score, read_scores(tmp_path).step) == (2.4, 300)
    write_run(tmp_path, a_config(), [2.0, 2.0, 1.0, 2.0], losses=[1.0, 0.5, 0.1, 0.7])
    assert (read_scores(tmp_path).score, read_scores(tmp_path).step) == (2.0, 200), "of equals, the lower loss"
    write_run(tmp_path, a_config(), [None, 2.0])
    assert read_scores(tmp_path).score is None, "the run compares with what is not finite, too"
    write_run(tmp_path, a_config(), [2.0, None, 3.0])
    assert read_scores(tmp_path).score == 3.0


def test_the_command(tmp_path, capsys):
    write_sweep(tmp_path / "sweep")
    place, table = tmp_path / "page.html", tmp_path / "table.csv"
    assert run(["report", str(tmp_path / "sweep"), "--html", str(place), "--csv", str(table), "--watch"]) == 0
    assert "best configuration" in capsys.readouterr().out
    assert place.read_text().startswith("<!doctype html>")
    assert len(table.read_text().splitlines()) == 7


@pytest.mark.parametrize("seconds", ["nan", "inf", "-1", "0"])
def test_a_wait_that_is_none_is_refused(tmp_path, capsys, seconds):
    assert run(["report", str(tmp_path), "--watch", "--every", seconds]) == 2
    assert capsys.readouterr().err.startswith(f"--every: found {float(seconds)}, expected seconds, more than 0;")


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda folder: None, "found no folder of this name, expected the folder of a sweep; name the folder that "),
        (lambda folder: folder.mkdir(), "found no trials in it, expected the folder of a sweep; name the folder that "),
    ],
)
def test_a_folder_that_holds_no_sweep(tmp_path, capsys, make, told):
    make(tmp_path / "x")
    assert run(["report", str(tmp_path / "x")]) == 2
    assert capsys.readouterr().err.startswith(f"{tmp_path / 'x'}: {told}")


def test_a_file_that_cannot_be_written(tmp_path, capsys):
    write_sweep(tmp_path)
    assert run(["report", str(tmp_path), "--csv", str(tmp_path / "no" / "a.csv")]) == 2
    assert capsys.readouterr().err == (
        f"{tmp_path / 'no' / 'a.csv'}: found no such file or directory, expected a file that can be written; choose "
        "another name.\n"
    )


def test_trials_of_several_metrics_do_not_compare(tmp_path):
    for number, metric in enumerate(["bleu", "loss"]):
        write_run(tmp_path / f"{number}_x", a_config(metric=metric), [1.0])
        write_overrides(tmp_path / f"{number}_x", [])
    with pytest.raises(SweepError, match=r"found several metrics \(bleu, loss\), expected trials of one train"):
        make_board(read_results(tmp_path))
