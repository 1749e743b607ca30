"""The prefetcher: order, errors, and that its thread always ends."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from types import SimpleNamespace

import pytest

from nmt.data.prefetch import Prefetcher


def num_threads() -> int:
    return sum(thread.name == "prefetch" for thread in threading.enumerate())


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    assert num_threads() == 0
    yield
    assert num_threads() == 0


def test_items_come_in_order_and_end():
    with Prefetcher(range(100), ahead=3) as items:
        assert list(items) == list(range(100))
        assert next(items, None) is None


def test_an_exception_comes_in_its_place_and_once():
    def failing():
        yield 1
        yield 2
        raise OSError("disc full")

    with Prefetcher(failing(), ahead=8) as items:
        time.sleep(0.02)  # so that all has been drawn before the first is asked for
        assert [next(items), next(items)] == [1, 2]
        with pytest.raises(OSError, match="disc full"):
            next(items)
        assert list(items) == []


def test_an_exception_before_the_first_item():
    class Broken:
        def __iter__(self):
            raise ValueError("no items")

    with Prefetcher(Broken()) as items, pytest.raises(ValueError, match="no items"):
        next(items)


def test_no_more_than_ahead_items_are_drawn_early():
    drawn = []

    def noting():
        for i in range(100):
            drawn.append(i)
            yield i

    with Prefetcher(noting(), ahead=2) as items:
        assert next(items) == 0
        time.sleep(0.1)
        assert len(drawn) <= 4  # one taken, two ready, one in the hand


def test_closing_ends_the_thread_and_the_generator_whatever_is_left():
    ended = threading.Event()

    def endless():
        try:
            while True:
                yield 1
        finally:
            ended.set()

    items = Prefetcher(endless(), ahead=1)
    assert next(items) == 1
    items.close()
    items.close()
    assert ended.is_set()
    assert next(items, None) is None


def test_a_consumer_that_fails_ends_the_thread():
    with pytest.raises(KeyError), closing(Prefetcher(range(10**9))) as items:
        raise KeyError(next(items))


def test_closing_drops_an_error_that_nobody_asked_for():
    def failing():
        yield 1
        raise OSError("disc full")

    items = Prefetcher(failing())
    time.sleep(0.02)
    items.close()
    assert list(items) == []


def test_a_generator_that_fails_while_it_closes_is_heard_only_if_asked():
    def stubborn():
        try:
            while True:
                yield 1
        finally:
            raise OSError("cannot close")

    items = Prefetcher(stubborn())
    assert next(items) == 1
    items.close()
    assert list(items) == []


def test_the_time_that_the_consumer_waits_is_counted(monkeypatch):
    times, asked, drawn, seen = iter([10.0, 13.0, 20.0, 20.5]), threading.Event(), [], []

    def now():
        seen.append(len(drawn))
        asked.set()
        return next(times)

    def slow():
        assert asked.wait(60)
        drawn.append(0)
        yield "a"

    monkeypatch.setattr("nmt.data.prefetch.time", SimpleNamespace(perf_counter=now))
    with Prefetcher(slow()) as items:
        assert items.waited_s == 0
        assert list(items) == ["a"]
        assert items.waited_s == 3.5
    assert seen == [0, 1, 1, 1], "the clock is read before and after an item is waited for"


def test_ahead_is_at_least_one():
    with pytest.raises(AssertionError):
        Prefetcher([], ahead=0)
