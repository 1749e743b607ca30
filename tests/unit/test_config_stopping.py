"""Signals before and after training, raised in this very process."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from nmt.config import stopping
from nmt.config.stopping import Stopped, signals_raise

BOTH = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets."""
    now = [100.0]
    monkeypatch.setattr(stopping.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def left(monkeypatch):
    """Statuses with which the process would have been left at once."""
    statuses: list[int] = []
    monkeypatch.setattr(os, "_exit", statuses.append)
    return statuses


@pytest.mark.parametrize(("number", "status"), BOTH)
def test_a_signal_raises_where_the_program_is_and_the_handlers_come_back(number, status):
    before = [signal.getsignal(one) for one, _ in BOTH]
    with pytest.raises(Stopped) as caught, signals_raise():
        signal.raise_signal(number)
    assert caught.value.exit_status == status
    assert isinstance(caught.value, KeyboardInterrupt)
    assert [signal.getsignal(one) for one, _ in BOTH] == before


@pytest.mark.parametrize(("number", "status"), BOTH)
def test_a_second_one_is_the_same_for_two_seconds_and_later_leaves_at_once(clock, left, number, status):
    def tidy_up() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        except Stopped:
            clock[0] += 2.0
            signal.raise_signal(number)
            assert left == []
            clock[0] += 0.1
            signal.raise_signal(number)
            raise

    with pytest.raises(Stopped) as caught, signals_raise():
        tidy_up()
    assert caught.value.exit_status == 143  # of the first
    assert left == [status]


def test_nothing_changes_in_another_thread():
    found: list[object] = []

    def work() -> None:
        with signals_raise():
            found.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [before]
