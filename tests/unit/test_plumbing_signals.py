"""Signals that are noted and signals that raise, sent to this very process."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from nmt.plumbing.signals import Stopped, StopRequest, overdue, signals_end, signals_raise

BOTH = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets."""
    now = [100.0]
    monkeypatch.setattr("nmt.plumbing.signals.time.monotonic", lambda: now[0])
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


def test_a_context_inside_another_is_part_of_it(clock, left):
    """What a wrapper delivers twice ends one step of a command, and not the next one too."""
    with signals_raise():
        with pytest.raises(Stopped), signals_raise():
            signal.raise_signal(signal.SIGTERM)
        with signals_raise():
            signal.raise_signal(signal.SIGTERM)
        assert left == []
        clock[0] += 2.1
        signal.raise_signal(signal.SIGTERM)
    assert left == [143]


def test_within_signals_end_the_system_ends_the_process():
    before = signal.getsignal(signal.SIGTERM)
    with signals_end():
        assert [signal.getsignal(number) for number, _ in BOTH] == [signal.SIG_DFL] * 2
    assert signal.getsignal(signal.SIGTERM) == before


def test_what_is_overdue_is_done_in_another_thread():
    done = threading.Event()
    told: list[tuple[int, bool]] = []

    def act(number: int) -> None:
        told.append((number, threading.current_thread() is threading.main_thread()))
        done.set()

    with StopRequest() as request, overdue(act, after_s=0.01):
        signal.raise_signal(signal.SIGTERM)
        assert done.wait(60)
    assert told == [(signal.SIGTERM, False)]
    assert request.exit_status == 143


@pytest.mark.parametrize("sent", [[], [signal.SIGINT]])
def test_nothing_is_overdue_once_the_context_is_left(sent):
    told: list[int] = []
    with StopRequest(), overdue(told.append, after_s=600):
        for number in sent:
            signal.raise_signal(number)
    assert told == []
    assert not any(thread.name == "overdue signals" for thread in threading.enumerate())


def test_a_signal_as_it_begins_undoes_it(monkeypatch):
    def start(thread: threading.Thread) -> None:
        begin(thread)
        signal.raise_signal(signal.SIGTERM)

    begin = threading.Thread.start
    monkeypatch.setattr(threading.Thread, "start", start)
    before = signal.set_wakeup_fd(-1)
    try:
        with pytest.raises(Stopped), signals_raise(), overdue(lambda number: None, after_s=600):
            pytest.fail("it has begun")
        assert signal.set_wakeup_fd(-1) == -1
    finally:
        signal.set_wakeup_fd(before)
    assert not any(thread.name == "overdue signals" for thread in threading.enumerate())


def test_of_two_that_could_act_the_inner_one_does():
    outer: list[int] = []
    inner: list[int] = []
    done = threading.Event()

    def act(number: int) -> None:
        inner.append(number)
        done.set()

    with StopRequest(), overdue(outer.append, after_s=0.01), overdue(act, after_s=0.01):
        signal.raise_signal(signal.SIGTERM)
        assert done.wait(60)
    assert (outer, inner) == ([], [signal.SIGTERM])


def test_other_signals_are_not_overdue():
    told: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        with StopRequest(), overdue(told.append, after_s=0):
            signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert told == []
