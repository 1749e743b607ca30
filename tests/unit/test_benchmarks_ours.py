"""What our training run tells the turnstile after each step."""

from __future__ import annotations

import pytest

from benchmarks.ours import GatedHooks
from nmt.app.hooks import RunHooks
from nmt.training.state import TrainingState, Window


def test_tokens_and_waits_are_told_step_by_step_across_windows(monkeypatch):
    told = []
    monkeypatch.setattr(RunHooks, "progress", lambda self, state, window: None)
    hooks = GatedHooks.__new__(GatedHooks)
    hooks.turnstile = type("Turnstile", (), {"step": staticmethod(lambda *step: told.append(step))})()
    windows = [(1, 0.5), (2, 0.75), (2, 1.0), (1, 0.25), (2, 0.25)]  # an overflow is no step; then a new window
    for number, (steps, waited_s) in enumerate(windows, start=1):
        hooks.progress(TrainingState(step=number, target_tokens=10 * number), Window(steps=steps, waited_s=waited_s))
    assert [tokens for tokens, _ in told] == [10] * 5
    assert [waited_s for _, waited_s in told] == pytest.approx([0.5, 0.25, 0.25, 0.25, 0.0])
