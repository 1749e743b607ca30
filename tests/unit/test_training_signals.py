"""Requests to stop by signal, raised in this very process."""

from __future__ import annotations

import os
import signal

import pytest

from nmt.training import signals
from nmt.training.signals import StopRequest


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets."""
    now = [100.0]
    monkeypatch.setattr(signals.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def left(monkeypatch):
    """Statuses with which the process would have been left at once."""
    statuses: list[int] = []
    monkeypatch.setattr(os, "_exit", statuses.append)
    return statuses


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_sets_the_number_and_nothing_else(number, status):
    with StopRequest() as request:
        assert (request.number, request.exit_status) == (None, 0)
        signal.raise_signal(number)
        assert (request.number, request.exit_status) == (number, status)
    assert request.exit_status == status


@pytest.mark.parametrize("later_s", [0.0, 0.5, 2.0])
def test_a_second_signal_within_two_seconds_is_the_same_one(clock, left, later_s):
    with StopRequest() as request:
        signal.raise_signal(signal.SIGTERM)
        clock[0] += later_s
        signal.raise_signal(signal.SIGINT)
    assert left == []
    assert request.exit_status == 143


@pytest.mark.parametrize("second, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_later_one_leaves_at_once(clock, left, second, status):
    with StopRequest():
        signal.raise_signal(signal.SIGTERM)
        clock[0] += 2.1
        signal.raise_signal(second)
        assert left == [status]


def test_two_seconds_count_from_the_first_signal(clock, left):
    with StopRequest():
        for _ in range(3):
            signal.raise_signal(signal.SIGINT)
            clock[0] += 1.5
    assert left == [130]


def test_the_handlers_before_come_back_even_after_an_error():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    def fail_inside():
        with StopRequest():
            assert signal.getsignal(signal.SIGTERM) != before[1]
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        fail_inside()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
