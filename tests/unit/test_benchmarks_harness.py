"""Statistics, the machine's idleness, and the sections of RESULTS.md; nothing is timed here."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from benchmarks import harness

ABOUT = {
    "machine": {
        "cpu": "A processor",
        "cores": 2,
        "flags": ["avx2", "avx512f"],
        "memory_gb": 8.0,
        "gpus": [],
        "load": [0.1, 0.2, 0.3],
        "system": "Linux 6.1",
        "python": "3.11.7",
    },
    "versions": {"tensorflow": "2.21.0", "nmt": "abc1234"},
    "busy_share": 0.021,
    "threads": 2,
}
WHEN = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
TABLE = harness.Table("Speed", ["", "tokens/s"], [["ours", "3,000"], ["a peer", "1,000"]])


def test_summary_by_hand():
    found = harness.summarise([4.0, 1.0, 2.0, 10.0, 3.0])
    assert (found.median, found.low, found.high, found.count) == (3.0, 1.0, 10.0, 5)
    assert found.spread_pct == pytest.approx(300.0)  # (10 - 1) / 3
    assert found.as_json() == {"median": 3.0, "low": 1.0, "high": 10.0, "count": 5, "spread_pct": 300.0}


def test_an_even_number_of_values_has_its_median_between():
    assert harness.summarise([1.0, 2.0, 4.0, 9.0]).median == 3.0


def test_warm_up_does_not_count():
    calls = []
    found = harness.seconds_of(lambda: calls.append(1), warm_up=3, repeats=5)
    assert len(calls) == 8
    assert found.count == 5


def test_the_share_of_time_in_use_by_hand():
    # user nice system idle iowait irq softirq steal
    before = harness._cpu_times("cpu  100 0 50 800 50 0 0 0 0 0\ncpu0 1 2 3 4 5 6 7 8\n")
    after = harness._cpu_times("cpu  130 0 60 850 60 0 0 0 0 0\n")
    assert before == (850, 1000)
    assert harness._share(before, after) == pytest.approx(0.4)  # 100 ticks, 60 of them idle or waiting for a disk
    assert harness._share(before, before) == 0.0


def test_a_busy_machine_is_refused_unless_noise_is_allowed(monkeypatch, capsys):
    monkeypatch.setattr(harness, "busy_share", lambda window_s: 0.5)
    with pytest.raises(SystemExit, match=r"not quiet: others use 50% of its cores.*--noisy"):
        harness.require_quiet(noisy=False)
    assert harness.require_quiet(noisy=True) == 0.5
    assert "others use 50%" in capsys.readouterr().err


def test_a_quiet_machine_is_measured(monkeypatch, capsys):
    monkeypatch.setattr(harness, "busy_share", lambda window_s: 0.01)
    assert harness.require_quiet(noisy=False) == 0.01
    assert capsys.readouterr().err == ""


def test_a_section_says_when_what_and_where():
    text = harness.section("step", [TABLE], ABOUT, "python -m benchmarks.step --data DIR", WHEN, ["A note."])
    assert text.splitlines()[0] == "## 2026-01-02 03:04 UTC: step"
    assert "A processor, 2 cores (avx2, avx512f), 8.0 GB" in text
    assert "used by others before 2%" in text
    assert "tensorflow 2.21.0, nmt abc1234." in text
    assert "**Speed**\n\n|  | tokens/s |\n| --- | ---: |\n| ours | 3,000 |\n| a peer | 1,000 |" in text
    assert text.endswith("A note.\n")


def test_sections_are_added_at_the_end(tmp_path):
    path = tmp_path / "RESULTS.md"
    harness.append_section("## first\n", path)
    harness.append_section("## second\n", path)
    text = path.read_text()
    assert text.startswith("# Results of the benchmarks\n")
    assert text.index("## first") < text.index("## second")
    assert text.count("# Results") == 1


def test_raw_figures_are_kept(tmp_path):
    path = harness.record("step", {"tokens": 1}, tmp_path / "work")
    assert path.read_text() == '{\n  "tokens": 1\n}\n'


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (["--data", "/home/me/corpora", "--write"], ["--data", "DIR", "--write"]),
        (["--data=/home/me/corpora"], ["--data=DIR"]),
        (["--checkpoint", "/home/me/best.h5", "--write"], ["--checkpoint", "FILE", "--write"]),
        (["--rounds", "3"], ["--rounds", "3"]),
    ],
)
def test_the_data_folder_is_not_written_down(given, shown):
    assert harness._shown_arguments(given) == shown


def test_this_machine_is_described():
    found: dict[str, Any] = harness.machine()
    assert found["cores"] >= 1
    assert found["memory_gb"] > 0
    assert len(found["load"]) == 3


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        (["avx2", "fma"], ["float32"]),
        (["avx512f", "avx512_bf16"], ["float32", "bfloat16"]),
        (["amx_bf16"], ["float32", "bfloat16"]),
    ],
)
def test_bfloat16_is_measured_where_there_are_instructions_for_it(flags, found):
    assert harness.precisions(flags) == found
