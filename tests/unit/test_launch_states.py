"""The table of a machine's states, and of the commands that are for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from nmt.config.launch import Launch
from nmt.errors import LaunchError
from nmt.launch.commands import COMMANDS
from nmt.launch.states import ALLOWED, AWS, NEXT, State, check

DOCS = Path(__file__).resolve().parents[2] / "docs" / "launch.md"


def test_every_command_has_its_row_of_states():
    assert set(ALLOWED) == set(COMMANDS) - {"rehearse-interruption"}  # which is about no machine
    assert set(NEXT) == set(State)
    assert set(AWS.values()) < set(State)


def test_every_state_leads_to_the_end():
    ends = {State.gone}
    while grown := {state for state, following in NEXT.items() if following & ends} - ends:
        ends |= grown
    assert ends == set(State) - {State.unknown}, "which becomes another one with the right keys"


def test_a_command_that_is_not_for_a_state_says_what_it_is_for():
    check("stop", State.running, Launch())
    with pytest.raises(LaunchError) as caught:
        check("stop", State.pending, Launch())
    assert str(caught.value).startswith(
        "launch.name=nmt: found a machine that is pending (AWS starts it), expected running or training or saved or "
        "stopped; python -m nmt.launch up launch.name=nmt goes on with it, "
    )


def test_nobody_is_told_to_have_a_machine_that_is_unknown():
    with pytest.raises(LaunchError, match="expected running or training or saved; "):
        check("run", State.asked, Launch())


def test_the_documentation_shows_both_tables():
    text = DOCS.read_text(encoding="utf-8").partition("## The states of a machine")[2].partition("\n## ")[0]
    rows = [line.split(" | ")[0].strip("|` ") for line in text.splitlines() if line.startswith("| ")]
    assert rows == ["state", *(state.name for state in State), "command", *ALLOWED]
    for state in State:
        assert f"| {state.name} | {state.value} |\n" in text
    for command, states in ALLOWED.items():
        names = ", ".join(state.name for state in State if state in states)
        assert f"| `{command}` | {'every state' if states == set(State) else names} |\n" in text
