"""Work in the background rests in proportion to what it takes."""

import threading

import pytest

from nmt.checkpoint import pace as pace_module
from nmt.checkpoint.pace import Pace


class Clock:
    """Processor time that the test sets."""

    now = 0.0

    def thread_time(self) -> float:
        return self.now


class Waits(threading.Event):
    """Notes how long it was asked to wait, and does not."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.asked.append(timeout)
        return self.is_set()


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(pace_module, "time", clock)
    return clock


@pytest.mark.parametrize(("share", "rests"), [(0.2, [8.0, 4.0]), (0.5, [2.0, 1.0]), (1.0, [0.0, 0.0])])
def test_a_share_of_one_core(clock, share, rests):
    pace = Pace(share)
    pace._hurried = waits = Waits()
    pace.rest()  # the first only begins to count
    for used in (2.0, 1.0):
        clock.now += used
        pace.rest()
    assert waits.asked == pytest.approx(rests)


def test_no_rest_in_a_hurry(clock):
    pace = Pace()
    pace._hurried = waits = Waits()
    pace.rest()
    clock.now += 1
    pace.hurry()
    pace.rest()
    assert waits.asked == []


def test_a_hurry_ends_a_rest_that_has_begun(clock):
    pace, rested = Pace(), threading.Event()

    def work() -> None:
        pace.rest()
        clock.now += 1000
        pace.rest()
        rested.set()

    thread = threading.Thread(target=work)
    thread.start()
    assert not rested.wait(0.1)
    pace.hurry()
    assert rested.wait(60)
    thread.join()
