"""The program that is measured and the one that measures: a stand-in for a training loop, which trains nothing."""

from __future__ import annotations

import sys
import textwrap

import pytest

from benchmarks import contestants, harness
from benchmarks.contestants import Contestant, ProgramError, Start

LOOP = """
    import sys
    sys.path.insert(0, {peers!r})
    from turnstile import Gate, Turnstile
    turnstile = Turnstile()
    print("what it prints goes elsewhere")
    for batch in Gate(iter(lambda: [1, 2, 3], None), turnstile, len):
        pass
"""
TRANSLATOR = """
    import sys
    sys.path.insert(0, {peers!r})
    from turnstile import Turnstile
    calls = []
    def work():
        calls.append(1)
        return [f"call {{len(calls)}}", "zwei"]
    Turnstile().translations(work)
"""


@pytest.fixture
def program(monkeypatch, tmp_path):
    monkeypatch.setattr(contestants, "LOGS", tmp_path)

    def start(text: str) -> Start:
        code = textwrap.dedent(text.format(peers=str(harness.HERE / "peers")))
        return Start("stand-in", "a stand-in", [sys.executable, "-c", code], {})

    return start


def test_a_turn_counts_only_its_own_steps(program):
    with Contestant(program(LOOP)) as contestant:
        assert contestant.ready["ready"] > 0
        first = contestant.turn(settle=4, seconds=0, steps=5)
        second = contestant.turn(settle=0, seconds=0, steps=7)
        assert (first["steps"], first["tokens"]) == (5, 15)
        assert (second["steps"], second["tokens"]) == (7, 21)
        assert second["rss_mb"] > 1
        assert "what it prints" in contestant.log.read_text()


def test_a_turn_lasts_as_long_as_asked(program):
    with Contestant(program(LOOP)) as contestant:
        done = contestant.turn(settle=1, seconds=0.05, steps=1)
        assert done["seconds"] >= 0.05
        assert done["tokens"] == 3 * done["steps"]


def test_a_pass_that_warms_up_is_not_shown(program):
    with Contestant(program(TRANSLATOR)) as contestant:
        passes = [contestant.turn(0, 0, 0) for _ in range(2)]
    assert [one["lines"] for one in passes] == [["call 2", "zwei"], ["call 3", "zwei"]]


def test_a_program_that_dies_is_named_with_its_last_words(program, monkeypatch, tmp_path):
    monkeypatch.setattr(harness, "ROOT", tmp_path)
    with pytest.raises(ProgramError, match=r"a stand-in: ended with status 3 before it answered \(no data here\)"):
        Contestant(program("import sys; print('no data here', file=sys.stderr); sys.exit(3)"))
