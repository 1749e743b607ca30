"""Threads that hand over in order, and what happens to the rest where one fails or nobody waits."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest

from nmt.plumbing import together
from nmt.plumbing.together import in_order


def test_what_ends_first_waits_for_its_turn():
    both = Barrier(2, timeout=60)  # which one at a time would never pass

    def work(job: int) -> int:
        both.wait()
        return 10 * job

    with in_order(work, range(6), 2) as done:
        assert list(done) == [0, 10, 20, 30, 40, 50]


def leave_after_the_first(work, threads):
    with in_order(work, range(9), threads) as done:
        assert next(done) == 0
        raise KeyError("enough")


def test_one_at_a_time_begins_nothing_that_nobody_waits_for():
    begun = []
    with pytest.raises(KeyError, match="enough"):
        leave_after_the_first(lambda job: begun.append(job) or job, 1)
    assert begun == [0]


def test_who_leaves_early_waits_for_what_has_begun_alone(monkeypatch):
    cancelled, begun, ended = Event(), [], []

    class Pool(ThreadPoolExecutor):
        def shutdown(self, wait=True, *, cancel_futures=False):
            super().shutdown(wait=False, cancel_futures=cancel_futures)
            cancelled.set()
            super().shutdown(wait=wait)

    def work(job: int) -> int:
        begun.append(job)
        assert job == 0 or cancelled.wait(60)
        ended.append(job)
        return job

    monkeypatch.setattr(together, "ThreadPoolExecutor", Pool)
    with pytest.raises(KeyError, match="enough"):
        leave_after_the_first(work, 2)
    assert sorted(begun) == sorted(ended)
    assert set(begun) <= {0, 1, 2}


@pytest.mark.parametrize("threads", [1, 2])
def test_a_failure_comes_in_its_turn(threads):
    seen = []

    def all_of_them() -> None:
        with in_order(lambda job: 1 / (job - 2), range(5), threads) as done:
            for one in done:
                seen.append(one)

    with pytest.raises(ZeroDivisionError):
        all_of_them()
    assert seen == [-0.5, -1.0]
